"""What stands in the topics of a test."""

from collections.abc import Iterator

from hybrid_memory.runtime.reading import Log
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import MEMORIES, Memory, Record, decode_memory
from hybrid_memory.schemas.mem0 import MEM0_HINTS, Mem0Bookmark, Mem0Hint, decode_mem0


def records(settings: Settings, topic: str) -> Iterator[Record]:
    log = Log(settings, quiet=True)
    found = log.topic(settings.topic_prefix + topic)
    yield from log.read(found, log.whole(found))


def hints(settings: Settings) -> list[Mem0Hint]:
    events = [decode_mem0(record) for record in records(settings, MEM0_HINTS)]
    return [event for event in events if isinstance(event, Mem0Hint)]


def bookmarks(settings: Settings) -> list[Mem0Bookmark]:
    events = [decode_mem0(record) for record in records(settings, MEM0_HINTS)]
    return [event for event in events if isinstance(event, Mem0Bookmark)]


def memories(settings: Settings) -> dict[str, Memory]:
    """What the log says last of each key that is not deleted."""
    latest: dict[str, Memory] = {}
    for record in records(settings, MEMORIES):
        event = decode_memory(record)
        latest.pop(event.key, None)
        if isinstance(event, Memory):
            latest[event.key] = event
    return latest
