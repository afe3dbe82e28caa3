"""Numbers as people read them. Pure."""


def percent(share: float) -> str:
    """A share in percent, with a digit more where it is small."""
    value = 100 * share
    if 0 < value < 0.1:
        return "< 0.1 %"
    if 99.9 < value < 100:
        return "> 99.9 %"
    return f"{value:.1f} %" if value % 1 and value < 99.95 else f"{value:.0f} %"


def number(value: int) -> str:
    """With its thousands apart."""
    return f"{value:,}"


def many(value: int, one: str, more: str | None = None) -> str:
    """A number and its noun."""
    return f"{value:,} {one if value == 1 else more or one + 's'}"
