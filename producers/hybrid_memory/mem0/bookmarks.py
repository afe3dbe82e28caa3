"""Where a reader of Mem0 left off, kept in `mem0.hints`: no disk is needed, and any machine may go on."""

from collections.abc import Mapping
from typing import Protocol

from pydantic import JsonValue

from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.runtime.reading import Log
from hybrid_memory.schemas import DecodeError, partition_of
from hybrid_memory.schemas.mem0 import Mem0Bookmark, decode_mem0


class Opened(Protocol):
    """What is needed to find one."""

    @property
    def project(self) -> str: ...
    @property
    def log(self) -> Log: ...
    @property
    def hints(self) -> TopicInfo: ...


def find_bookmark(opened: Opened, reader: str) -> Mapping[str, JsonValue] | None:
    """The place that this reader of the project last kept; None: it never did. Reads one partition.

    Raises:
        Unavailable: Kafka does not answer.
    """
    key = f"bookmark/{opened.project}/{reader}"
    number = partition_of(key, opened.hints.partitions)
    place: Mapping[str, JsonValue] | None = None
    for record in opened.log.read(opened.hints, {number: opened.log.whole(opened.hints)[number]}):
        if record.key == key.encode():
            try:
                event = decode_mem0(record)
            except DecodeError:
                continue
            place = event.place if isinstance(event, Mem0Bookmark) else None
    return place
