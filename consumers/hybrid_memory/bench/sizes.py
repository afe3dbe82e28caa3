"""Which sizes of the index to measure. Pure."""

from hybrid_memory.runtime.errors import Refusal

LARGEST = 1_000_000
FULL = 100_000


def parse_sizes(text: str, full: bool) -> list[int]:
    """The sizes of `1000,10000`, in ascending order, with 100,000 if `full`.

    Raises:
        Refusal: one is no number between 1 and a million.
    """
    try:
        sizes = {int(part) for part in text.split(",")} | ({FULL} if full else set())
    except ValueError:
        raise Refusal(f"--sizes takes numbers with commas between, as in 1000,10000; it was {text!r}") from None
    if not all(1 <= size <= LARGEST for size in sizes):
        raise Refusal(f"--sizes takes numbers from 1 to {LARGEST:,}; it was {text!r}")
    return sorted(sizes)
