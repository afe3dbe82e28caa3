"""Writes classifiers to Mem0's metadata, for those who read them there. Only if asked for (`HM_MEM0__WRITE_BACK`).

What stands under our own key of the metadata is never taken in, so its echo changes nothing here.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

from hybrid_memory.mem0.intake import Intake
from hybrid_memory.mem0.mapping import SOURCE, origin_of
from hybrid_memory.mem0.opening import Opened
from hybrid_memory.mem0.patience import Stopped, until_done
from hybrid_memory.mem0.states import OURS, Mem0Memory
from hybrid_memory.mem0.status import Rejected
from hybrid_memory.runtime.background import Background
from hybrid_memory.schemas import CLASSIFIED, DecodeError, MemoryClassified, Record, decode_fact

_LOG = logging.getLogger(__name__)
_BATCH = 100


def wanted_metadata(fact: MemoryClassified, state: Mem0Memory) -> dict[str, Any] | None:
    """Mem0's metadata with our classifiers, all else as it is; None: it says so already, or says better, or the fact
    is of another text. Pure."""
    given = state.raw.get("metadata")
    metadata = dict(given) if isinstance(given, dict) else {}
    ours = {"classifiers": list(fact.classifiers), "generation": fact.generation, "source": fact.provenance.source}
    there = metadata.get(OURS)
    newer = (
        isinstance(there, dict) and isinstance(there.get("generation"), int) and there["generation"] > fact.generation
    )
    if state.text.strip() != fact.memory.text or there == ours or newer:
        return None
    return {**metadata, OURS: ours}


class WriteBack(Background):
    """Follows `memories.classified` in a thread of its own, as a member of a group of its own."""

    def __init__(self, parts: Opened, stop: threading.Event, on_failure: Callable[[], None]) -> None:
        super().__init__("mem0-write-back", on_failure)
        self._parts, self._stop = parts, stop

    def _run(self) -> None:
        settings = self._parts.settings
        group = f"{settings.topic_prefix}hm-mem0-write-back-{self._parts.project}"
        try:
            topic = until_done(lambda: self._parts.log.topic(settings.topic_prefix + CLASSIFIED), self._stop)
            with closing(Intake(settings, topic, group)) as intake:
                while not self._stop.is_set():
                    for record in intake.take(_BATCH):
                        self._follow(record)
                    until_done(intake.commit, self._stop)
        except Stopped:
            return

    def _follow(self, record: Record) -> None:
        try:
            fact = decode_fact(record)
        except DecodeError:
            return  # the sink's matter
        if isinstance(fact, MemoryClassified) and self._is_ours(fact):
            try:
                until_done(lambda: self._write(fact), self._stop)
            except Rejected as error:
                _LOG.warning("classifiers were not written back: %s", error, extra={"key": fact.memory.key})

    def _is_ours(self, fact: MemoryClassified) -> bool:
        return fact.memory.source == SOURCE and origin_of(fact.memory) == self._parts.project

    def _write(self, fact: MemoryClassified) -> None:
        self._parts.api.change_metadata(fact.memory.memory_id, partial(wanted_metadata, fact))
