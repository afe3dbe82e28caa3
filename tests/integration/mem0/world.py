"""What the tests of the publisher share: a publisher in a thread, and what the log says in the end."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hybrid_memory.mem0.mapping import Rule, to_memory
from hybrid_memory.mem0.publish import publish
from hybrid_memory.mem0.states import from_platform
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.reading import Log
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import DecodeError, Memory, Record, decode_memory, memory_key
from tests.integration.mem0.platform import PROJECT, FakePlatform
from tests.integration.mem0.platform_store import shown

RULE = Rule(PROJECT)


def until(
    condition: Callable[[], Any], seconds: float = 30, why: Callable[[], object] = lambda: "", every: float = 0.02
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it never came true: {why()}"
        time.sleep(every)


def records(settings: Settings, topic: str = "memories") -> list[Record]:
    """All of a topic, oldest first within a partition."""
    log = Log(settings, quiet=True)
    info = log.topic(settings.topic_prefix + topic)
    return list(log.read(info, log.whole(info)))


def said(found: list[Record]) -> Iterator[tuple[str, Memory | None]]:
    """What records say that count, of which key, in order: conditions heeded as the sink heeds them."""
    places: dict[str, int] = {}
    for record in found:
        key, condition = (record.key or b"").decode(), record.header("hm-if-seq")
        if condition is not None and places.get(key, -1) > int(condition):
            continue
        try:
            event = decode_memory(record)
        except DecodeError:
            continue
        places[key] = record.offset
        yield key, event if isinstance(event, Memory) else None


def last(found: list[Record]) -> dict[str, Memory]:
    """What `memories` says in the end: the live memories by key."""
    return {key: memory for key, memory in dict(said(found)).items() if memory is not None}


def resurrected(found: list[Record]) -> list[str]:
    """The keys that came back after their deletion. Mem0 gives no id a second time."""
    deleted: set[str] = set()
    back = []
    for key, memory in said(found):
        if memory is None:
            deleted.add(key)
        elif key in deleted:
            back.append(key)
    return back


def wanted(platform: FakePlatform, rule: Rule = RULE) -> dict[str, Memory]:
    """What it must say: what the platform shows."""
    memories = [to_memory(from_platform(shown(row)), rule) for row in platform.store.all()]
    return {memory_key(memory.user_id, memory.memory_id): memory for memory in memories}


def twice(found: list[Record]) -> list[str]:
    """The keys of records that say again what the last of their key said, so had no cause."""
    said: dict[bytes | None, bytes | None] = {}
    again = []
    for record in found:
        if said.get(record.key, b"") == record.value or (record.key not in said and record.value is None):
            again.append((record.key or b"").decode())
        said[record.key] = record.value
    return again


@contextmanager
def published(settings: Settings, meanwhile: Callable[[], None] = lambda: None) -> Iterator[None]:
    """A publisher runs while the context lasts; `meanwhile` is done before it can begin."""
    stop, ready, errors = threading.Event(), threading.Event(), list[BaseException]()

    def run() -> None:
        try:
            publish(settings, Metrics(), stop, ready)
        except BaseException as error:
            errors.append(error)
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        meanwhile()
        assert ready.wait(30), "the publisher does not begin"
        yield
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
    if errors:
        raise errors[0]
