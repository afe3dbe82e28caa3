"""What the log says now of memories that a job found something for, so that nothing is emitted in vain.

The sink's order rule protects what is newer in any case; this looks first, and says why a memory is left alone.
"""

from collections.abc import Callable
from typing import Literal

from hybrid_memory.replay.latest import Known, Latest
from hybrid_memory.replay.reading import Reader
from hybrid_memory.schemas import DecodeError, MemoryClassified, Record, decode_fact, split_fact_key

Reason = Literal["changed later", "replaced since", "there already"]
"""Why a memory is left alone. `changed later`: its record is not the last of its key, or is gone."""

Decide = Callable[[MemoryClassified, Known | None], Reason | None]
"""Of what a job found for a memory, and the best fact of the same version now: why to leave it alone, or None."""


class Standing:
    """One partition of both topics, as they are now, in a table on disk. Of one thread; closed after use."""

    def __init__(self, reader: Reader, memories: str, facts: str, partition: int) -> None:
        self._reader, self._memories, self._facts, self._partition = reader, memories, facts, partition
        self._latest = Latest()

    def look(self, begin: int) -> None:
        """Read `memories` from this offset on, and the facts of what stands there.

        Raises:
            Unavailable: Kafka has fallen silent.
        """
        for records in self._reader.read(self._memories, self._partition, begin, self._end(self._memories)):
            self._latest.put((record.key or b"", record.offset) for record in records)
        for records in self._reader.read(self._facts, self._partition, 0, self._end(self._facts)):
            for record in records:
                self._fact(record, begin)

    def judge(self, fact: MemoryClassified, decide: Decide) -> Reason | None:
        """Why the memory of this fact is to be left alone, or None."""
        if self._latest.last(fact.memory.key.encode()) != fact.seq:
            return "changed later"
        return decide(fact, self._latest.best(fact.seq))

    def close(self) -> None:
        """Forget all."""
        self._latest.close()

    def _end(self, topic: str) -> int:
        return self._reader.end(topic, self._partition)

    def _fact(self, record: Record, begin: int) -> None:
        try:
            _, seq, generation = split_fact_key((record.key or b"").decode())
            fact = decode_fact(record) if seq >= begin else None
        except (ValueError, DecodeError):  # the sink's to dead-letter
            return
        if isinstance(fact, MemoryClassified):
            self._latest.put_facts([known(fact)])
        elif fact is not None:
            self._latest.drop_fact(seq, generation)


def known(fact: MemoryClassified) -> Known:
    """A fact's rank within its version, and what it says but for the time: a batch done twice says it twice."""
    said = fact.provenance.model_dump_json(exclude={"at"}) + "\n" + "\n".join(fact.classifiers)
    return Known(fact.seq, fact.generation, fact.provenance.source == "llm", said.encode())


def promotes(fact: MemoryClassified, best: Known | None) -> Reason | None:
    """Whether a job's fact would be taken: nothing better is there, nor itself."""
    mine = known(fact)
    if best is None or (best.generation, best.llm) < (mine.generation, mine.llm):
        return None
    if best == mine:
        return "there already"
    return "replaced since" if (best.generation, best.llm) > (mine.generation, mine.llm) else None


def reverts_to(generation: int) -> Decide:
    """Whether a memory still shows a job's fact, so that what was before may come back as a fact of this generation."""

    def decide(fact: MemoryClassified, best: Known | None) -> Reason | None:
        if best == known(fact):
            return None
        return "there already" if best is not None and best.generation == generation else "replaced since"

    return decide
