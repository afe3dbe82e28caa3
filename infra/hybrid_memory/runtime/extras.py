"""How what is missing is installed. No index has our package: the name hybrid-memory is somebody else's there."""


def to_install(extra: str) -> str:
    """What to do, for the end of a sentence that says what is missing."""
    return f"install it with: pip install '.[{extra}]' in the folder of hybrid-memory"
