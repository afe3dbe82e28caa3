"""What a redrive would do, letter by letter, before anything is sent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hybrid_memory.dlq.candidates import (
    CLASSIFY,
    EDITED,
    Candidate,
    Unfit,
    check_allowed,
    fact_record,
    foreign_record,
    memory_candidate,
)
from hybrid_memory.dlq.conditions import Overtaken, Redriven, judge
from hybrid_memory.dlq.letters import Letter, Ref, key_of, newest_of_each_key
from hybrid_memory.dlq.reading import Log
from hybrid_memory.dlq.redrivers import redriver_of
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.extras import to_install
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.schemas import CLASSIFIED, IF_SEQ, MEMORIES, NewRecord, Record, split_memory_key


@dataclass(frozen=True, slots=True)
class Step:
    """One letter's redrive: what is appended, or None where that was done before; and the letters then dropped.

    `again` is the key of a memory with which the stage at which the letter died has to be done again, instead.
    """

    letter: Letter
    record: NewRecord | None
    drops: tuple[Letter, ...]
    note: str = ""
    again: str | None = None


@dataclass(slots=True)
class Plan:
    """What will be done, in order, and which letters stay where they are, with the reason."""

    steps: list[Step] = field(default_factory=list)
    left: list[tuple[Letter, str]] = field(default_factory=list)


@dataclass(slots=True)
class Planner:
    """Plans redrives on one cluster. `to`: where letters of others go, instead of where they came from."""

    log: Log
    max_redrives: int = 3
    to: str | None = None
    _topics: dict[str, TopicInfo | None] = field(default_factory=dict)

    def plan(
        self, chosen: Sequence[Letter], all_of_key: Mapping[Ref, list[Letter]], values: Mapping[Ref, bytes | None]
    ) -> Plan:
        """What to do with the chosen letters.

        `all_of_key` has the letters under the key of each, and `values` what an edited one says now.

        Raises:
            Unavailable: Kafka does not answer.
        """
        plan, candidates = Plan(), []
        newest = {letter.ref for letter in newest_of_each_key(one for one in chosen if not self._again(one))}
        for letter in chosen:
            try:
                if self._again(letter):
                    plan.steps.append(_classified_again(letter, edited=letter.ref in values))
                    continue
                check_allowed(letter, self.max_redrives)
                value = values.get(letter.ref, letter.record.value)
                if letter.why.topic not in (self._ours(MEMORIES), self._ours(CLASSIFIED)):
                    record = foreign_record(letter, self._target(letter), value)
                    plan.steps.append(Step(letter, record, (letter,)))
                elif letter.why.topic == self._ours(CLASSIFIED):
                    plan.steps.append(Step(letter, self._fact(letter, value), (letter,)))
                elif letter.ref in newest:
                    _check_newest(letter, all_of_key[letter.ref])
                    candidates.append(self._memory(letter, value))
            except Unfit as error:
                plan.left.append((letter, str(error)))
        self._judge_all(candidates, all_of_key, plan)
        _take_older(plan, chosen, newest, self._ours(MEMORIES))
        return plan

    def _ours(self, name: str) -> str:
        return self.log.settings.topic_prefix + name

    def _again(self, letter: Letter) -> bool:
        """Whether it died at a step that can be done again, since its record was good and stands."""
        return letter.why.stage == CLASSIFY and letter.why.topic == self._ours(MEMORIES)

    def _known(self, name: str) -> TopicInfo:
        if name not in self._topics:
            self._topics[name] = self.log.cluster.topics([name]).get(name)
        found = self._topics[name]
        if found is None:
            raise Unfit(f"there is no topic {name} to append it to")
        return found

    def _target(self, letter: Letter) -> TopicInfo:
        name = self.to or letter.why.topic
        if name is None:
            raise Unfit("no header says which topic it came from; say --to TOPIC")
        if name in (self._ours(MEMORIES), self._ours(CLASSIFIED)):
            raise Unfit(f"it did not come from {name}, whose order it could break; publish it there as a new memory")
        return self._known(name)

    def _own(self, letter: Letter, name: str) -> TopicInfo:
        topic = self._known(self._ours(name))
        if self.to is not None and self.to != topic.name:
            raise Unfit(f"it came from {topic.name} and belongs there; --to is for topics of others")
        if letter.why.partition is None or letter.why.offset is None:
            raise Unfit("no header says where in its topic it stood, so what is newer cannot be told; drop it")
        return topic

    def _fact(self, letter: Letter, value: bytes | None) -> NewRecord:
        return fact_record(letter, self._own(letter, CLASSIFIED), self._known(self._ours(MEMORIES)), value)

    def _memory(self, letter: Letter, value: bytes | None) -> Candidate:
        return memory_candidate(letter, self._own(letter, MEMORIES), value)

    def _judge_all(self, candidates: list[Candidate], all_of_key: Mapping[Ref, list[Letter]], plan: Plan) -> None:
        if not candidates:
            return
        topic = self._known(self._ours(MEMORIES))
        ends = self.log.cluster.ends(topic)
        since = {candidate.letter.ref: self._since(candidate, topic) for candidate in candidates}
        later = self._later(topic, ends, candidates, since)
        for candidate in candidates:
            letter = candidate.letter
            try:
                mine = later[candidate.partition, candidate.record.key]
                _check_same_log(candidate, mine, ends)
                twins = [other for other in all_of_key[letter.ref] if other.why.place == letter.why.place]
                plan.steps.append(_step(candidate, since[letter.ref], mine, tuple(twins)))
            except Unfit as error:
                plan.left.append((letter, str(error)))

    def _since(self, candidate: Candidate, topic: TopicInfo) -> int:
        """By time where it stood in another partition: offsets of two partitions cannot be compared."""
        if candidate.since is not None:
            return candidate.since
        return self.log.first_since(topic, candidate.partition, candidate.letter.record.timestamp) - 1

    def _later(
        self, topic: TopicInfo, ends: Mapping[int, int], candidates: Iterable[Candidate], since: Mapping[Ref, int]
    ) -> dict[tuple[int, bytes], list[Record]]:
        """Of each key in question, its records from the earliest `since` of its partition on."""
        found: dict[tuple[int, bytes], list[Record]] = {}
        ranges: dict[int, tuple[int, int]] = {}
        for candidate in candidates:
            number, begin = candidate.partition, max(0, since[candidate.letter.ref])
            found[number, candidate.record.key] = []
            ranges[number] = (min(begin, ranges.get(number, (begin, 0))[0]), ends[number])
        for record in self.log.read(topic, ranges):
            if record.key is not None and (record.partition, record.key) in found:
                found[record.partition, record.key].append(record)
        return found


def _step(candidate: Candidate, since: int, later: Iterable[Record], twins: tuple[Letter, ...]) -> Step:
    """`twins` are the letters of this very record: each index has a sink, and each sink writes one."""
    letter = candidate.letter
    verdict = judge(letter.why.place, since, candidate.own, later)
    if isinstance(verdict, Overtaken):
        raise Unfit(f"something newer was said of this memory, at offset {verdict.offset}; it stands. Drop the letter")
    if isinstance(verdict, Redriven):
        return Step(letter, None, twins, f"was appended before, at offset {verdict.offset}")
    return Step(letter, candidate.under(verdict.if_seq), twins, f"{IF_SEQ} {verdict.if_seq}")


def _classified_again(letter: Letter, edited: bool) -> Step:
    """The memory itself is not lost, and the rules have classified it: it stands in its topic, and is read again."""
    if edited:
        raise Unfit(EDITED)
    if redriver_of(CLASSIFY) is None:
        raise Unfit(f"a replay classifies its memory again, and is not installed; {to_install('streams')}")
    try:
        key = key_of(letter.record).decode()
        split_memory_key(key)
    except (AttributeError, ValueError):
        raise Unfit("its key is none of a memory; drop it") from None
    return Step(letter, None, (letter,), "a replay of its memory", key)


def _check_newest(letter: Letter, of_key: Sequence[Letter]) -> None:
    """A memory's record is the whole of it, so an older one said now would hide a newer one for good."""
    if of_key[-1].why.place != letter.why.place:
        raise Unfit(f"{of_key[-1].ref} is a newer one of the same memory; redrive or drop that one first")


def _check_same_log(candidate: Candidate, records: Iterable[Record], ends: Mapping[int, int]) -> None:
    letter, own = candidate.letter, candidate.own
    if own is None:
        return
    foreign = own >= ends[candidate.partition] or any(
        record.offset == own and record.timestamp != letter.record.timestamp for record in records
    )
    if foreign:
        raise Unfit(f"{letter.why.place} is another record now: the topic was made anew since. Publish it as new")


def _take_older(plan: Plan, chosen: Iterable[Letter], newest: set[Ref], memories: str) -> None:
    """An older letter of a memory goes when the newest is said again; else it stays as well."""
    steps = {_place(step.letter): number for number, step in enumerate(plan.steps)}
    told = {letter.ref for letter, _ in plan.left}
    for letter in chosen:
        if letter.why.topic != memories or letter.why.stage == CLASSIFY or letter.ref in newest | told:
            continue
        number = steps.get(_place(letter))
        if number is None:
            plan.left.append((letter, "a newer one of the same memory is there, and stays; redrive or drop that first"))
        else:
            step = plan.steps[number]
            plan.steps[number] = replace(step, drops=(*step.drops, *({letter} - set(step.drops))))


def _place(letter: Letter) -> tuple[str, int, bytes | None]:
    return letter.record.topic, letter.record.partition, letter.record.key


def refuse_if_left(plan: Plan) -> None:
    """Where letters were named one by one, all of them must go.

    Raises:
        Refusal: one cannot; nothing was done.
    """
    for letter, reason in plan.left:
        raise Refusal(f"{letter.ref}: {reason}. Nothing was done")
