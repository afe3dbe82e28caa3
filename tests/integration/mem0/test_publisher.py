"""One publisher: however hints come, `memories` ends as Mem0 is, and says nothing twice."""

import threading
from dataclasses import replace
from typing import Any

import pytest

from hybrid_memory.mem0.hints import hint, hint_partition, hint_with, send
from hybrid_memory.mem0.mapping import Rule, to_memory
from hybrid_memory.mem0.opening import opened
from hybrid_memory.mem0.platform_api import PlatformApi
from hybrid_memory.mem0.publish import publish_once
from hybrid_memory.mem0.states import from_platform, from_store
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.runtime.topics import apply_topics
from hybrid_memory.schemas import NewRecord, decode_memory, encode_memory
from hybrid_memory.schemas.mem0 import MEM0_HINTS, Mem0Hint, encode_mem0
from tests.integration.mem0.platform import PROJECT, FakePlatform
from tests.integration.mem0.platform_store import shown
from tests.integration.mem0.world import RULE, last, published, records, twice, until, wanted

ASKED = "/v1/memories/{memory_id}/"


def add(client: Any, text: str, user_id: str = "maya", **rest: Any) -> str:
    return str(client.add(text, user_id=user_id, infer=False, **rest)["results"][0]["id"])


def found_by_bulk(platform: FakePlatform, memory_id: str, hints_end: int = 0) -> Mem0Hint:
    row = platform.store.get(memory_id)
    assert row is not None
    return hint_with(from_platform(shown(row)), "sync", project=PROJECT, hints_end=hints_end)


def once(settings: Settings) -> Any:
    return publish_once(settings, threading.Event())


def test_a_life_of_a_memory(settings: Settings, platform: FakePlatform, client: Any, publisher: Publisher) -> None:
    memory_id = add(client, "Lives in Oslo", metadata={"trip": 7})
    with published(settings):
        send(publisher, [hint(memory_id, "webhook")])
        until(lambda: last(records(settings)) == wanted(platform) != {})
        client.update(memory_id, text="Lives in Lisbon")
        send(publisher, [hint(memory_id, "webhook"), hint(memory_id, "feed")])
        until(lambda: last(records(settings)) == wanted(platform))
        client.delete(memory_id)
        send(publisher, [hint(memory_id, "feed")])
        until(lambda: last(records(settings)) == {})
    found = records(settings)
    assert len(found) == 3
    assert twice(found) == []


def test_nothing_is_said_twice_after_a_restart_and_nothing_is_missed(
    settings: Settings, platform: FakePlatform, client: Any, publisher: Publisher
) -> None:
    ids = [add(client, f"note {number}", user_id=f"user {number % 3}") for number in range(20)]
    send(publisher, [hint(memory_id, "webhook") for memory_id in ids])
    assert once(settings).published == 20
    client.delete(ids[0])
    client.update(ids[1], text="another note")
    send(publisher, [hint(memory_id, "feed") for memory_id in ids])
    done = once(settings)
    assert (done.published, done.deleted, done.unchanged) == (1, 1, 18)
    assert last(records(settings)) == wanted(platform)
    assert twice(records(settings)) == []
    assert len(records(settings)) == 22


def test_a_bulk_read_of_what_is_new_here_asks_nothing(
    settings: Settings, platform: FakePlatform, client: Any, publisher: Publisher
) -> None:
    ids = [add(client, f"note {number}") for number in range(10)]
    before = platform.called(ASKED)
    send(publisher, [found_by_bulk(platform, memory_id) for memory_id in ids])
    assert once(settings).published == 10
    assert platform.called(ASKED) == before
    assert last(records(settings)) == wanted(platform)


def test_a_bulk_read_that_is_old_resurrects_nothing(
    settings: Settings, platform: FakePlatform, client: Any, publisher: Publisher
) -> None:
    deleted, changed, never = add(client, "is deleted"), add(client, "is changed"), add(client, "was never here")
    with opened(settings) as parts:
        ends = parts.log.cluster.ends(parts.hints)
    three = (deleted, changed, never)
    stale = [found_by_bulk(platform, memory_id, ends[hint_partition(memory_id, 8)]) for memory_id in three]
    send(publisher, [hint(deleted, "webhook"), hint(changed, "webhook")])
    once(settings)
    client.delete(deleted)
    client.update(changed, text="is newer")
    client.delete(never)
    send(publisher, [hint(deleted, "webhook"), hint(changed, "webhook"), hint(never, "webhook")])
    once(settings)
    send(publisher, stale)
    once(settings)
    assert last(records(settings)) == wanted(platform)
    assert len(wanted(platform)) == 1
    assert twice(records(settings)) == []


def test_a_publisher_that_was_asleep_overwrites_nothing(
    settings: Settings, platform: FakePlatform, client: Any, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds an old answer while another publishes a newer one: its own record loses, and it looks again."""
    memory_id = add(client, "first")
    send(publisher, [hint(memory_id, "webhook")])
    once(settings)
    client.update(memory_id, text="old")
    send(publisher, [hint(memory_id, "webhook")])
    get, asked = PlatformApi.get, list[str]()

    def get_and_sleep(self: PlatformApi, wanted_id: str) -> Any:
        state = get(self, wanted_id)
        asked.append(wanted_id)
        if len(asked) == 1:
            client.update(memory_id, text="new")
            row = platform.store.get(memory_id)
            assert row is not None
            newer = to_memory(from_platform(shown(row)), RULE)
            publisher.send_all([encode_memory(newer, if_seq=0)])
        return state

    monkeypatch.setattr(PlatformApi, "get", get_and_sleep)
    once(settings)
    assert last(records(settings)) == wanted(platform)
    assert [decode_memory(record).text for record in records(settings)] == ["first", "new", "old"]  # type: ignore[union-attr]
    assert [record.header("hm-if-seq") for record in records(settings)] == ["0", "0", "0"]


def test_the_memories_of_others_are_left_alone(
    settings: Settings, platform: FakePlatform, client: Any, publisher: Publisher
) -> None:
    theirs = to_memory(from_store("a-b-c", {"data": "of an open-source Mem0", "user_id": "maya"}), Rule("oss"))
    plain = theirs.model_copy(update={"memory_id": "d-e-f", "source": "app"})
    publisher.send_all([encode_memory(theirs), encode_memory(plain)])
    send(publisher, [hint("a-b-c", "feed"), hint("d-e-f", "feed")])
    assert once(settings).deleted == 0
    assert set(last(records(settings))) == {theirs.key, plain.key}


def test_what_somebody_pinned_stays_with_its_text(
    settings: Settings, platform: FakePlatform, client: Any, publisher: Publisher
) -> None:
    memory_id = add(client, "Plays the cello")
    send(publisher, [hint(memory_id, "webhook")])
    once(settings)
    [memory] = last(records(settings)).values()
    pinned = memory.model_copy(update={"classifiers": ("music",), "pinned": True})
    publisher.send_all([encode_memory(pinned)])
    client.update(memory_id, metadata={"since": 2019})
    send(publisher, [hint(memory_id, "webhook")])
    once(settings)
    [kept] = last(records(settings)).values()
    assert (kept.classifiers, kept.pinned, kept.metadata["since"]) == (("music",), True, 2019)
    client.update(memory_id, text="Plays the viola")
    send(publisher, [hint(memory_id, "webhook")])
    once(settings)
    [other] = last(records(settings)).values()
    assert (other.classifiers, other.pinned) == (None, False)


def test_what_cannot_be_a_memory_is_a_dead_letter_and_holds_up_nothing(
    settings: Settings, platform: FakePlatform, client: Any, publisher: Publisher
) -> None:
    large, small = add(client, "x" * 20_000), add(client, "small")
    send(publisher, [hint(large, "webhook"), hint(small, "webhook")])
    publisher.send_all([NewRecord(MEM0_HINTS, b"nonsense", b"{")])
    done = once(settings)
    assert (done.published, done.dead) == (1, 2)
    letters = records(settings, "dlq.mem0.hints")
    assert sorted(str(letter.header("hm-error-class")) for letter in letters) == ["limit", "poison"]
    assert all("xxxx" not in str(letter.headers) for letter in letters)


def test_a_dead_letter_comes_once_in_each_state_and_again_where_it_was_redriven(
    settings: Settings, platform: FakePlatform, client: Any, publisher: Publisher
) -> None:
    large, told = add(client, "x" * 20_000), list[int]()

    def tell(*events: NewRecord) -> None:
        publisher.send_all(events)
        once(settings)
        told.append(len(records(settings, "dlq.mem0.hints")))

    again = encode_mem0(hint(large, "webhook"))
    tell(again)
    client.update(large, metadata={"n": 1})  # another state, and dead as well
    tell(again)
    tell(again, again)
    redriven = replace(again, headers=(*again.headers, ("hm-redrive-count", b"1")))
    tell(redriven, again)
    assert told == [1, 2, 2, 3]


def test_a_hint_from_before_the_last_question_asks_nothing(
    settings: Settings, platform: FakePlatform, client: Any, publisher: Publisher
) -> None:
    small = settings.model_copy(update={"mem0": settings.mem0.model_copy(update={"batch_size": 1})})
    memory_id = add(client, "Lives in Oslo")
    send(publisher, [hint(memory_id, "webhook")] * 5)
    assert once(small).published == 1
    assert platform.called(ASKED) == 2  # asked, published, asked once more: the other four were there already
    client.update(memory_id, text="Lives in Lisbon")
    send(publisher, [hint(memory_id, "feed")])
    assert once(small).published == 1
    assert last(records(settings)) == wanted(platform)


def test_faults_of_the_platform_are_waited_for(
    settings: Settings, platform: FakePlatform, client: Any, publisher: Publisher
) -> None:
    ids = [add(client, f"note {number}") for number in range(12)]
    platform.faults.limited = platform.faults.failing = 0.3
    platform.faults.retry_after = 0.05
    send(publisher, [hint(memory_id, "webhook") for memory_id in ids])
    with published(settings):
        until(lambda: last(records(settings)) == wanted(platform), why=lambda: len(records(settings)))
    assert twice(records(settings)) == []


def test_a_wrong_key_and_a_missing_platform_are_refused_in_a_sentence(settings: Settings) -> None:
    wrong = settings.model_copy(update={"mem0": settings.mem0.model_copy(update={"api_key": None})})
    with pytest.raises(Refusal, match="set HM_MEM0__API_KEY"):
        once(wrong)
    away = settings.model_copy(update={"mem0": settings.mem0.model_copy(update={"url": "http://127.0.0.1:9"})})
    with pytest.raises(Refusal, match=r"does not answer .*nothing was changed"):
        once(away)


def test_it_waits_for_topics_that_are_still_to_be_made(settings: Settings, platform: FakePlatform, client: Any) -> None:
    mine = settings.model_copy(update={"topic_prefix": f"{settings.topic_prefix}later."})
    memory_id = add(client, "Lives in Lisbon")

    def make() -> None:
        apply_topics(mine)
        with Publisher(mine) as publisher:
            send(publisher, [hint(memory_id, "webhook")])

    with published(mine, meanwhile=make):
        until(lambda: last(records(mine)) == wanted(platform))


def test_every_record_knows_its_schema(settings: Settings, client: Any, publisher: Publisher) -> None:
    memory_id = add(client, "Lives in Lisbon")
    send(publisher, [hint(memory_id, "webhook")])
    once(settings)
    [record] = records(settings)
    assert record.header("ce_source") == "urn:hybrid-memory:mem0"
    assert record.header("ce_type") == "io.hybrid-memory.memory.upserted.v1"
    memory = decode_memory(record)
    assert memory.memory_id == memory_id
