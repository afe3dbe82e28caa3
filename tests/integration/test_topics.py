"""`hm topics apply`: what is missing is made, what is there is mended or left alone."""

from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.kafka import Cluster, TopicInfo
from hybrid_memory.runtime.settings import Settings, load_settings
from hybrid_memory.runtime.topics import apply_topics
from hybrid_memory.schemas import MEMORIES
from tests.e2e.programs import until


@pytest.fixture
def settings(kafka: str, topic_prefix: str) -> Settings:
    return load_settings(kafka={"bootstrap_servers": kafka}, topic_prefix=topic_prefix)


class Late(Cluster):
    """Its broker has not heard yet that topics were deleted."""

    def __init__(self, settings: Settings, before: dict[str, TopicInfo]) -> None:
        super().__init__(settings)
        self._before: dict[str, TopicInfo] | None = before

    def topics(self, names: Iterable[str]) -> dict[str, TopicInfo]:
        before, self._before = self._before, None
        return super().topics(names) if before is None else before


def test_topics_that_were_deleted_a_moment_ago_are_made_anew(settings: Settings) -> None:
    names = {topic.name for topic in apply_topics(settings) if topic.outcome == "made"}
    cluster, memories = Cluster(settings), settings.topic_prefix + MEMORIES
    before = cluster.topics(names)
    assert before.keys() == names
    cluster.result(cluster.admin.delete_topics([memories])[memories])
    until(lambda: not cluster.topics([memories]), 20)
    assert {topic.name: topic.outcome for topic in apply_topics(settings, Late(settings, before))} == {
        **dict.fromkeys(names, "as it should be"),
        memories: "made",
    }
    assert cluster.topics([memories])[memories].topic_id != before[memories].topic_id


class NotLetMake(Cluster):
    """It lets us use topics, and not make them."""

    @property
    def admin(self) -> AdminClient:
        return _Admin(super().admin)  # type: ignore[return-value]


class _Admin:
    def __init__(self, admin: AdminClient) -> None:
        self._admin = admin

    def __getattr__(self, name: str) -> Any:
        return getattr(self._admin, name)

    def create_topics(self, topics: list[NewTopic], **_: object) -> dict[str, Future[None]]:
        refused: Future[None] = Future()
        refused.set_exception(KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)))
        return {topic.topic: refused for topic in topics}


def test_who_may_not_make_topics_finds_those_that_are_there(settings: Settings) -> None:
    with pytest.raises(Refusal, match="does not let us in"):
        apply_topics(settings, NotLetMake(settings))
    apply_topics(settings)
    assert {topic.outcome for topic in apply_topics(settings, NotLetMake(settings))} == {"as it should be"}
