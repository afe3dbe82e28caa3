"""Under which condition a dead record may be said again: checked against the fold that will judge it."""

from collections.abc import Sequence
from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import given

from hybrid_memory.dlq.conditions import SINK_SOURCE, Overtaken, Redriven, Under, judge
from hybrid_memory.dlq.headers import REDRIVEN_FROM
from hybrid_memory.schemas import Memory, NewRecord, Record, encode_memory
from hybrid_memory.sink.session import SOURCE

PLACE = "memories:0:10"


def at(offset: int, new: NewRecord) -> Record:
    return Record("memories", 0, offset, offset, new.key, new.value, new.headers)


def says(text: str, source: str = "app", if_seq: int | None = None) -> NewRecord:
    return encode_memory(Memory.new(user_id="ann", memory_id="m", text=text), if_seq=if_seq, source=source)


def poison(offset: int) -> Record:
    return at(offset, replace(says("x"), value=b"{not json"))


def mend(offset: int, if_seq: int) -> Record:
    return at(offset, says("old", SINK_SOURCE, if_seq))


def test_the_name_of_the_sink_is_its_own() -> None:
    assert SINK_SOURCE == SOURCE


def test_alone_it_stands_under_its_own_offset() -> None:
    assert judge(PLACE, 10, 10, [poison(10)]) == Under(10)


def test_a_mend_lifts_the_condition_and_so_do_those_of_further_poison_and_further_sinks() -> None:
    assert judge(PLACE, 10, 10, [poison(10), mend(12, 10)]) == Under(12)
    assert judge(PLACE, 10, 10, [mend(12, 10), mend(13, 10)]) == Under(13)
    assert judge(PLACE, 10, 10, [poison(11), mend(12, 11), poison(15), mend(17, 15)]) == Under(17)


def test_news_overtakes_even_where_a_mend_follows_it() -> None:
    assert judge(PLACE, 10, 10, [at(11, says("new"))]) == Overtaken(11)
    assert judge(PLACE, 10, 10, [mend(12, 10), at(13, says("new")), mend(14, 13)]) == Overtaken(13)
    # The news that this mend answers were compacted away.
    assert judge(PLACE, 10, 10, [mend(14, 13)]) == Overtaken(14)


def test_a_mend_by_another_writer_is_news() -> None:
    assert judge(PLACE, 10, 10, [at(12, says("new", "somebody", 10))]) == Overtaken(12)


def test_one_that_was_redriven_before_is_known_again() -> None:
    new = says("mended", if_seq=10)
    again = replace(new, headers=(*new.headers, (REDRIVEN_FROM, PLACE.encode())))
    assert judge(PLACE, 10, 10, [at(12, again)]) == Redriven(12)
    assert judge("memories:0:9", 9, 9, [at(12, again)]) == Overtaken(12)


def test_an_edit_keeps_its_own_condition_and_is_not_lifted_by_mends() -> None:
    assert judge(PLACE, 7, 10, [poison(10)]) == Under(7)
    assert judge(PLACE, 7, 10, [at(8, says("new")), poison(10)]) == Overtaken(8)
    assert judge(PLACE, 7, 10, [poison(10), mend(12, 10)]) == Overtaken(12)


def test_from_another_partition_only_what_is_older_is_replaced() -> None:
    assert judge(PLACE, 4, None, [at(4, says("old"))]) == Under(4)
    assert judge(PLACE, -1, None, []) == Under(0)
    assert judge(PLACE, 4, None, [at(5, says("new"))]) == Overtaken(5)


@given(st.lists(st.sampled_from(["poison", "mend", "late mend", "news"]), max_size=8))
def test_the_condition_is_never_past_news(steps: Sequence[str]) -> None:
    records, last, news = [poison(10)], 10, None
    for offset, step in enumerate(steps, start=11):
        if step == "poison":
            records.append(poison(offset))
        elif step == "news":
            records.append(at(offset, says("new")))
            news = news or offset
        else:
            records.append(mend(offset, last if step == "mend" else 10))
        last = offset
    verdict = judge(PLACE, 10, 10, records)
    assert isinstance(verdict, Under if news is None else Overtaken)
    if isinstance(verdict, Under):
        mends = [offset for offset, step in enumerate(steps, start=11) if "mend" in step]
        assert verdict.if_seq == max(mends, default=10)
