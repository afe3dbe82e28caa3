"""The look at a whole partition before any of it is classified: which keys changed later, and what is known of each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from hybrid_memory.replay.choosing import key_meant
from hybrid_memory.replay.latest import Known, Latest
from hybrid_memory.replay.reading import Reader
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.schemas import DecodeError, MachineProvenance, MemoryClassified, Record, decode_fact, split_fact_key
from hybrid_memory.schemas.events import Classifiers
from hybrid_memory.schemas.replays import SOURCE, ReplayBefore, ReplayFilters, decode_result

Beat = Callable[[], None]
"""Called now and then while it lasts; what it raises ends the scan."""


class _Said(BaseModel):
    """A fact without its memory: to read no more of a million values than is asked for."""

    classifiers: Classifiers
    provenance: MachineProvenance


@dataclass(frozen=True, slots=True)
class Topics:
    """What a job reads, and where it keeps what it finds."""

    memories: TopicInfo
    facts: TopicInfo
    results: TopicInfo | None = None
    """None: the job is not there yet."""


class Scan:
    """What one partition says, in a table on disk. Of one thread at a time, and closed after use."""

    def __init__(self, job: str, reader: Reader, topics: Topics, partition: int) -> None:
        self._source, self._reader, self._topics, self._partition = own_source(job), reader, topics, partition
        self._latest = Latest()
        self._found: dict[int, ReplayBefore | None] = {}

    def look(self, filters: ReplayFilters, begin: int, end: int, results: int, beat: Beat) -> None:
        """Read what matters for `begin` to before `end`: `memories` from there, and all facts. `results` is where the
        job's own topic stood when all before `begin` was done: what it holds after that was found by somebody who
        did not live to say so.

        Raises:
            Unavailable: Kafka has fallen silent.
        """
        memories = self._topics.memories.name
        for keys in self._reader.keys(memories, self._partition, begin, self._end(memories)):
            self._latest.put((key, offset) for key, offset in keys if key_meant(filters, key))
            beat()
        for records in self._all_of(self._topics.facts.name):
            for record in records:
                self._fact(record, begin, end)
            beat()
        if self._topics.results is not None:
            for records in self._all_of(self._topics.results.name, results):
                for record in records:
                    result = decode_result(record)
                    self._found.setdefault(result.fact.seq, result.before)
                beat()

    def is_last(self, record: Record) -> bool:
        """Whether its memory did not change later."""
        return self._latest.is_last(record.key or b"", record.offset)

    def before(self, seq: int) -> ReplayBefore | None:
        """The best fact of this version that is not this job's own."""
        if seq in self._found:
            return self._found[seq]
        known = self._latest.best(seq)
        return None if known is None else ReplayBefore.model_validate_json(known.said)

    def close(self) -> None:
        """Forget all."""
        self._latest.close()

    def _all_of(self, topic: str, begin: int = 0) -> Iterator[list[Record]]:
        return self._reader.read(topic, self._partition, begin, self._end(topic))

    def _end(self, topic: str) -> int:
        return self._reader.end(topic, self._partition)

    def _fact(self, record: Record, begin: int, end: int) -> None:
        try:
            _, seq, generation = split_fact_key((record.key or b"").decode())
        except ValueError:
            return
        if not begin <= seq < end or record.header("ce_source") == self._source:
            return
        if record.value is None:
            self._latest.drop_fact(seq, generation)
        elif (said := _said(record)) is not None:
            llm = said.provenance.source == "llm"
            self._latest.put_facts([Known(seq, generation, llm, said.model_dump_json(exclude_none=True).encode())])


def own_source(job: str) -> str:
    """The source (`ce_source`) of a job's facts."""
    return f"{SOURCE}:{job}"


def _said(record: Record) -> _Said | None:
    """What a fact says of its memory; None where nobody can read it."""
    try:
        return _Said.model_validate_json(record.value or b"")
    except ValidationError:
        pass
    try:  # perhaps a structured event
        fact = decode_fact(record)
    except DecodeError:
        return None
    if not isinstance(fact, MemoryClassified):
        return None
    return _Said(classifiers=fact.classifiers, provenance=fact.provenance)
