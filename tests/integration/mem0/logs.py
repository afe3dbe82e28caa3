"""What stands in the topic of hints, and in the end in `memories`."""

from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import Memory
from hybrid_memory.schemas.mem0 import MEM0_HINTS, Mem0Bookmark, Mem0Hint, decode_mem0
from tests.integration.mem0.world import last, records


def hints(settings: Settings) -> list[Mem0Hint]:
    events = map(decode_mem0, records(settings, MEM0_HINTS))
    return [event for event in events if isinstance(event, Mem0Hint)]


def bookmarks(settings: Settings) -> list[Mem0Bookmark]:
    events = map(decode_mem0, records(settings, MEM0_HINTS))
    return [event for event in events if isinstance(event, Mem0Bookmark)]


def memories(settings: Settings) -> dict[str, Memory]:
    return last(records(settings))
