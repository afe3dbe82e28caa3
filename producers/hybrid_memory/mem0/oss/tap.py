"""`hybrid_memory.mem0.tap`: what an application's own Mem0 does, into `memories`."""

import atexit
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from hybrid_memory.mem0.mapping import Rule
from hybrid_memory.mem0.oss.attach import attach, check, detach, is_attached
from hybrid_memory.mem0.oss.draining import Drainer, Publishing
from hybrid_memory.mem0.oss.outbox import Outbox, OutboxStatus
from hybrid_memory.mem0.oss.recording import Payload, Recorder
from hybrid_memory.mem0.oss.watched import WatchedStore, present, whole
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import Settings, load_settings, plain_name

_EXIT_SECONDS = 2.0
_LOOK_SECONDS = 0.02


def tap(
    memory: Any,
    client: Publishing,
    *,
    name: str | None = None,
    outbox: Path | str | None = None,
    max_bytes: int | None = None,
    when_full: Literal["read again", "raise"] = "read again",
    settings: Settings | None = None,
) -> "Tap":
    """Publish every change that `memory`, a `Memory` or `AsyncMemory` of mem0ai, makes from now on.

    `client` is a `MemoryClient`; keep it open as long as the tap. A change is on disk, in `outbox`, before the call
    that made it returns; a thread publishes from there, so Kafka may be away, and the process may be killed. `name`
    tells this Mem0 from others in the same log. Beyond `max_bytes` the application goes on all the same, and the whole
    store is read again when there is room; with `when_full="raise"` the call raises `OutboxFull` instead, before Mem0
    has changed anything. What is not given is as the settings say (`HM_MEM0__OSS__…`).

    Raises:
        Refusal: `memory` is none, has a tap already, the outbox cannot be used, or another argument is none.
    """
    check(memory)
    _check_arguments(name, max_bytes, when_full)
    return Tap(memory, client, settings or load_settings(), name, outbox, max_bytes, when_full == "raise")


class Tap:
    """A tap at work. Close it before the client, or use it in a `with`; the memory is then as it was."""

    def __init__(
        self,
        memory: Any,
        client: Publishing,
        settings: Settings,
        name: str | None,
        outbox: Path | str | None,
        max_bytes: int | None,
        raise_when_full: bool,
    ) -> None:
        """As `tap`."""
        oss = settings.mem0.oss
        self._memory = memory
        self._store: Any = None
        store = described(memory)
        path = Path(outbox or oss.outbox or settings.data_dir / "mem0" / f"outbox-{_short(store)}.sqlite")
        rule = Rule.of(settings.mem0, origin(name or oss.name or memory.collection_name))
        self._outbox = Outbox(path, store, max_bytes or oss.outbox_bytes)
        self._recorder = Recorder(self._outbox, self._present, self._wake, raise_when_full)
        self._drainer = Drainer(self._outbox, self._recorder, client, rule, self._every)
        attach(memory, self._watch)
        self._drainer.start()
        atexit.register(self.close, _EXIT_SECONDS)

    def status(self) -> OutboxStatus:
        """What waits in the outbox."""
        return self._outbox.status()

    def flush(self, seconds: float = 10.0) -> bool:
        """Wait until all is published, at most so long; whether it is."""
        deadline = time.monotonic() + seconds
        while not (done := self._is_empty()) and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        return done

    def close(self, seconds: float = 5.0) -> None:
        """Let go of the memory, and publish what can be within so many seconds; the rest waits on disk for the next
        tap of this Mem0. A second call does nothing."""
        if is_attached(self._memory):
            atexit.unregister(self.close)
            detach(self._memory, self._store)
            self.flush(seconds)
            self._drainer.stop(seconds)
            self._outbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _watch(self, store: Any) -> WatchedStore:
        self._store = store
        return WatchedStore(store, self._recorder)

    def _wake(self) -> None:
        self._drainer.wake()

    def _present(self, memory_id: str) -> Payload | None:
        return present(self._store, memory_id)

    def _every(self) -> Iterator[str]:
        return (memory_id for memory_id, _ in whole(self._store))

    def _is_empty(self) -> bool:
        now = self._outbox.status()
        return not (now.waiting or now.in_doubt or now.missed)


def _check_arguments(name: str | None, max_bytes: int | None, when_full: str) -> None:
    try:
        plain_name(name)
    except ValueError as error:
        raise Refusal(f"the tap's name: {error}") from None
    if max_bytes is not None and max_bytes < 1:
        raise Refusal("max_bytes of a tap is at least 1")
    if when_full not in ("read again", "raise"):
        raise Refusal("when_full of a tap is 'read again' or 'raise'")


def origin(name: str) -> str:
    """How memories of an open-source Mem0 are told from those of others."""
    return f"oss:{name}"


def described(memory: Any) -> str:
    """Which store a memory keeps its points in: an outbox belongs to one."""
    config = memory.config.vector_store
    known = getattr(getattr(memory.vector_store, "client", None), "init_options", None) or vars(config.config)
    host, port = known.get("host"), known.get("port")
    at = known.get("url") or (f"{host}:{port}" if host else known.get("path") or known.get("location") or "here")
    return f"{config.provider} at {str(at).rpartition('@')[2]}, collection {memory.collection_name}"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
