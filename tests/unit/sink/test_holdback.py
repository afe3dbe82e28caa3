"""Which facts wait for which memories, and in what order they are let go."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.schemas import MachineProvenance, Memory, MemoryClassified, Position, Record
from hybrid_memory.sink.holdback import Held, HoldBack
from hybrid_memory.sink.terms import AnyFact, Fact

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MEMORY = Memory.new(user_id="ann", memory_id="m", text="I love sushi", created_at=NOW)
BY_RULES = MachineProvenance(source="rules", generation=1, at=NOW)


def held(partition: int, offset: int, seq: int) -> Held:
    origin = Position(topic_id="t", partition=partition, offset=seq)
    fact = MemoryClassified(
        memory=MEMORY, seq=seq, generation=1, classifiers=("food",), provenance=BY_RULES, origin=origin
    )
    return Held(Record("memories.classified", partition, offset, 0, None, None), Fact(fact))


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), max_size=20),
    st.dictionaries(st.integers(0, 2), st.integers(0, 10)),
    st.integers(0, 25),
)
def test_of_what_is_ready_so_many_are_let_go_in_order_and_none_starves(
    facts: list[tuple[int, int]], memories: dict[int, int], most: int
) -> None:
    said = [held(partition, offset, seq) for offset, (partition, seq) in enumerate(facts)]
    read: list[int] = []

    def reading(record: Record) -> tuple[AnyFact | None, None]:
        read.append(record.offset)
        return said[record.offset].fact, None

    hold_back = HoldBack(reading)
    queues = {number: [one for one in said if one.record.partition == number] for number in range(3)}
    for one in said:
        hold_back.hold(one.record)
    ready = {partition: _ready(queue, memories.get(partition, 0)) for partition, queue in queues.items()}

    released = list(hold_back.release(memories, most))

    assert len(released) == min(most, sum(map(len, ready.values())))
    of = {number: [one for one in released if one.record.partition == number] for number in queues}
    assert all(of[number] == ready[number][: len(of[number])] for number in queues)
    most_of_one = max(map(len, of.values()))
    assert all(len(of[number]) in (len(ready[number]), most_of_one, most_of_one - 1) for number in queues)
    for number, queue in queues.items():
        rest = queue[len(of[number]) :]
        assert hold_back.number(number) == len(rest)
        assert hold_back.first().get(number) == next((one.record for one in rest), None)
        waits = rest and seq_of(rest[0]) >= memories.get(number, 0)
        assert hold_back.waiting(memories).get(number) == (rest[0].fact if waits else None)
    assert len(read) == len(set(read)) <= len(released) + len(queues)


def test_what_says_nothing_waits_for_no_memory() -> None:
    nothing, fact = held(0, 0, 7).record, held(0, 1, 5)
    hold_back = HoldBack(lambda record: (None if record is nothing else fact.fact, None))
    hold_back.hold(nothing)
    hold_back.hold(fact.record)
    assert hold_back.waiting({}) == {}
    assert list(hold_back.release({}, 9)) == [Held(nothing, None)]
    assert hold_back.waiting({}) == {0: fact.fact}


def seq_of(one: Held) -> int:
    assert one.fact is not None
    return one.fact.seq


def _ready(queue: list[Held], position: int) -> list[Held]:
    """The facts at its front whose memories were read."""
    for number, one in enumerate(queue):
        if seq_of(one) >= position:
            return queue[:number]
    return queue
