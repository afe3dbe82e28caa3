"""An index refuses each way in which a log is not its own, and says what mends it."""

from dataclasses import replace

import pytest

from hybrid_memory.index.store import Progress
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.sink.ownership import check_identity, check_progress, new_identity

TOPICS = {
    "memories": TopicInfo("memories", "id-m", 8),
    "memories.classified": TopicInfo("memories.classified", "id-c", 8),
}
IDENTITY = new_identity(TOPICS, "minilm", 384)
DAY = 86_400_000
NOW = 100 * DAY
HERE = ("memories", 0)


def test_its_own_log_is_taken() -> None:
    check_identity(IDENTITY, TOPICS, "minilm", 384)
    check_progress(Progress({HERE: 5}, NOW), {HERE: 5}, NOW, 30 * DAY)
    check_progress(Progress(), {HERE: 5}, NOW, 30 * DAY)


@pytest.mark.parametrize("name", list(TOPICS))
@pytest.mark.parametrize(
    ("other", "words"), [({"topic_id": "new"}, "has id new"), ({"partitions": 9}, "has 9 partitions")]
)
def test_another_topic_of_the_same_name_is_refused(name: str, other: dict[str, object], words: str) -> None:
    topics = TOPICS | {name: replace(TOPICS[name], **other)}  # type: ignore[arg-type]  # a field of its own type
    with pytest.raises(Refusal, match=rf"{words}.*hm index reset"):
        check_identity(IDENTITY, topics, "minilm", 384)


def test_a_topic_that_it_does_not_know_is_refused() -> None:
    with pytest.raises(Refusal, match=r"not x\.memories.*hm index reset"):
        check_identity(IDENTITY, {"x.memories": TOPICS["memories"]}, "minilm", 384)


@pytest.mark.parametrize(("embedder", "dimensions"), [("other", 384), ("minilm", 385)])
def test_another_embedder_is_refused(embedder: str, dimensions: int) -> None:
    with pytest.raises(Refusal, match=r"vectors.*hm rebuild"):
        check_identity(IDENTITY, TOPICS, embedder, dimensions)


def test_another_layout_is_refused() -> None:
    with pytest.raises(Refusal, match=r"layout is version 99.*hm rebuild"):
        check_identity(replace(IDENTITY, schema_version=99), TOPICS, "minilm", 384)


def test_a_position_beyond_the_end_of_the_log_is_refused() -> None:
    with pytest.raises(Refusal, match=r"up to 6.*ends at 5.*hm index reset"):
        check_progress(Progress({HERE: 6}, NOW), {HERE: 5}, NOW, 30 * DAY)


def test_an_index_that_may_have_missed_a_delete_is_refused() -> None:
    away = Progress({HERE: 4}, NOW - 28 * DAY)
    with pytest.raises(Refusal, match=r"28\.0 days ago.*hm index reset"):
        check_progress(away, {HERE: 5}, NOW, 30 * DAY)
    check_progress(replace(away, positions={HERE: 5}), {HERE: 5}, NOW, 30 * DAY)  # nothing was said meanwhile
    check_progress(replace(away, applied_at=NOW - 20 * DAY), {HERE: 5}, NOW, 30 * DAY)


def test_a_partition_that_nobody_followed_is_refused_though_others_were() -> None:
    """An index that sinks share keeps a time for each partition."""
    other = (HERE[0], HERE[1] + 1)
    shared = Progress({HERE: 4, other: 4}, NOW, {HERE: NOW - 28 * DAY, other: NOW})
    with pytest.raises(Refusal, match=r"28\.0 days ago"):
        check_progress(shared, {HERE: 5, other: 5}, NOW, 30 * DAY)
    check_progress(shared, {HERE: 4, other: 5}, NOW, 30 * DAY)
