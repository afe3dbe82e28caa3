"""Whether a search shows what it promises. Pure."""

from collections.abc import Iterator, Sequence

from hybrid_memory.demo.data import Search
from hybrid_memory.demo.results import Hit


def broken_promises(search: Search, hits: Sequence[Hit]) -> list[str]:
    """What of the promise the hits do not show, each in words; empty where all is well."""
    return [*_first(search, hits), *_absent(search, hits), *_empty(search, hits)]


def _first(search: Search, hits: Sequence[Hit]) -> Iterator[str]:
    if search.first is None:
        return
    if not hits:
        yield f"nothing was found; {search.first!r} should come first"
    elif hits[0].memory_id != search.first:
        yield f"{hits[0].memory_id!r} comes first; {search.first!r} should"


def _absent(search: Search, hits: Sequence[Hit]) -> Iterator[str]:
    for place, hit in enumerate(hits, start=1):
        yield from (
            f"{text!r} should not be found, and is in number {place}" for text in search.absent if text in hit.text
        )


def _empty(search: Search, hits: Sequence[Hit]) -> Iterator[str]:
    if search.empty and hits:
        yield f"nothing should be found, and {len(hits)} memories are"
