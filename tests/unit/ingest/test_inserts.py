"""What a write answers, and what it writes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.schemas import MemoryDeleted, derive_memory_id

if TYPE_CHECKING:
    from tests.unit.ingest.conftest import Api

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_the_seeds_reply_and_ours(api: Api) -> None:
    reply = await api.add(user_id="alice", text="I love Thai food")
    assert reply.status_code == 200
    assert reply.json() == {
        "status": "success",
        "topic": "food",
        "classifiers": ["food preference", "cuisine"],
        "classifier_source": "heuristic",
        "async_improvement": False,
        "memory_id": derive_memory_id("alice", "I love Thai food"),
        "position": "log:0:0",
        "searchable": True,
    }


async def test_the_record_keeps_what_was_given_and_no_more(api: Api) -> None:
    await api.add(user_id="alice", text=" I love Thai food ")
    memory = api.log.memory
    assert (memory.text, memory.topic, memory.classifiers, memory.type) == ("I love Thai food", None, None, "stable")


async def test_every_field(api: Api) -> None:
    reply = await api.add(
        user_id="alice",
        text="I love Thai food",
        memory_id="m1",
        topic="dinner",
        type="volatile",
        classifiers=["spicy"],
        pinned=True,
        metadata={"from": ["mail"]},
        created_at="2026-01-31T12:00:00Z",
        expires_at="2027-01-31T12:00:00+01:00",
        source="mail",
    )
    answer = reply.json()
    assert (answer["topic"], answer["classifiers"], answer["memory_id"]) == ("dinner", ["spicy"], "m1")
    memory = api.log.memory
    assert (memory.memory_id, memory.topic, memory.type, memory.classifiers) == ("m1", "dinner", "volatile", ("spicy",))
    assert (memory.pinned, memory.metadata, memory.source) == (True, {"from": ["mail"]}, "mail")
    assert memory.created_at == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert memory.expires_at == datetime(2027, 1, 31, 11, tzinfo=UTC)


async def test_improvement_is_promised_only_where_it_will_come(streaming_api: Api) -> None:
    plain = (await streaming_api.add(user_id="a", text="x")).json()
    provided = (await streaming_api.add(user_id="a", text="x", classifiers=["own"])).json()
    assert (plain["classifier_source"], plain["async_improvement"]) == ("heuristic", True)
    assert (provided["classifier_source"], provided["async_improvement"]) == ("provided", False)


async def test_no_classifiers_are_none_given(api: Api) -> None:
    reply = (await api.add(user_id="a", text="x", classifiers=[])).json()
    assert (reply["classifier_source"], reply["classifiers"]) == ("heuristic", ["personal"])
    assert api.log.memory.classifiers is None


async def test_any_number_of_classifiers_is_kept(api: Api) -> None:
    labels = [f"label {i}" for i in range(16)]
    assert (await api.add(user_id="a", text="x", classifiers=labels)).json()["classifiers"] == labels
    assert (await api.add(user_id="a", text="y", classifiers=["one"])).json()["classifiers"] == ["one"]


async def test_it_waits_until_searchable(api: Api) -> None:
    assert (await api.add(user_id="a", text="x")).json()["searchable"] is True
    assert api.index.waits == [1.5]


async def test_when_the_wait_runs_out_it_says_so(api: Api) -> None:
    api.index.applied = 0
    reply = await api.add(user_id="a", text="x")
    assert (reply.status_code, reply.json()["searchable"], reply.json()["position"]) == (200, False, "log:0:0")


async def test_an_index_that_is_away_does_not_undo_a_durable_write(api: Api) -> None:
    api.index.away = True
    reply = await api.add(user_id="a", text="x")
    assert (reply.status_code, reply.json()["searchable"]) == (200, False)


@pytest.mark.parametrize(("days", "shown"), [(-1, False), (1, True)])
async def test_what_has_expired_is_written_and_not_searchable(api: Api, days: int, shown: bool) -> None:
    memory = {"user_id": "a", "text": "x", "expires_at": (datetime.now(UTC) + timedelta(days)).isoformat()}
    one, batch = await api.add(**memory), await api.add_batch(memory)
    own = await api.http.post("/v1/users/a/memories", json={"memories": [memory]})
    for answer in (one.json(), *batch.json()["results"], *own.json()["results"]):
        assert (answer["status"], answer["searchable"]) == ("success", shown)
    assert len(api.log.records) == 3


async def test_an_import_in_which_some_are_no_objects(api: Api) -> None:
    items = [5, {"text": "x"}, None, ["x"], "x", {"text": 5}]
    reply = await api.http.post("/v1/users/a/memories", json={"memories": items})
    assert (reply.status_code, reply.json()["inserted"], reply.json()["failed"]) == (200, 1, 5)
    said = [item["errors"] for item in reply.json()["results"]]
    no_object = [{"field": "", "message": "a memory is a JSON object"}]
    assert said[:5] == [no_object, [], no_object, no_object, no_object]
    assert [error["field"] for error in said[5]] == ["text"]
    assert api.log.memory.text == "x"


async def test_without_waiting(api: Api) -> None:
    reply = await api.http.post("/add_memory?wait=false", json={"user_id": "a", "text": "x"})
    assert (reply.status_code, reply.json()["searchable"]) == (200, False)
    assert api.index.waits == []


async def test_the_trace_is_handed_on(api: Api) -> None:
    await api.http.post("/add_memory", json={"user_id": "a", "text": "x"}, headers={"traceparent": PARENT})
    await api.http.post("/add_memory", json={"user_id": "a", "text": "x"}, headers={"traceparent": "nonsense"})
    headers = [dict(record.headers) for record in api.log.records]
    assert headers[0]["traceparent"] == PARENT.encode()
    assert "traceparent" not in headers[1]
    assert headers[0]["ce_source"] == b"urn:hybrid-memory:ingest"


async def test_a_batch(api: Api) -> None:
    reply = await api.add_batch({"user_id": "a", "text": "x"}, {"user_id": "b", "text": "y", "memory_id": "m"})
    assert reply.status_code == 200
    assert reply.json() == {
        "status": "success",
        "inserted": 2,
        "results": [
            {
                "status": "success",
                "memory_id": derive_memory_id("a", "x"),
                "position": "log:0:0",
                "searchable": True,
            },
            {"status": "success", "memory_id": "m", "position": "log:0:1", "searchable": True},
        ],
    }
    assert [event.user_id for event in api.log.events] == ["a", "b"]


async def test_a_batch_says_which_are_searchable(api: Api) -> None:
    api.index.applied = 2
    reply = await api.add_batch(*({"user_id": "a", "text": str(i)} for i in range(4)))
    assert [item["searchable"] for item in reply.json()["results"]] == [True, True, False, False]
    assert api.index.waits == [1.5, 0, 0, 0, 0]


async def test_a_batch_without_waiting(api: Api) -> None:
    reply = await api.add_batch({"user_id": "a", "text": "x"}, wait="false")
    assert (reply.json()["inserted"], reply.json()["results"][0]["searchable"]) == (1, False)
    assert api.index.waits == []


async def test_the_largest_batch(api: Api) -> None:
    reply = await api.add_batch(*({"user_id": "a", "text": str(i)} for i in range(1000)))
    assert reply.json()["inserted"] == len(api.log.records) == 1000


async def test_a_batch_of_which_kafka_confirms_a_part(api: Api) -> None:
    api.log.fails = lambda n: Unavailable("away") if n == 1 else None
    reply = await api.add_batch(*({"user_id": "a", "text": str(i)} for i in range(3)))
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")
    body = reply.json()
    assert (body["status"], body["inserted"]) == (503, 2)
    assert body["detail"].startswith("2 of 3 memories were written; ")
    assert "the others in time, and they may or may not have been written" in body["detail"]
    assert [item["status"] for item in body["results"]] == ["success", "error", "success"]
    assert [item["position"] for item in body["results"]] == ["log:0:0", None, "log:0:2"]


async def test_kafka_away(api: Api) -> None:
    api.log.fails = lambda n: Unavailable("broker 10.0.0.1 is down", 3)
    replies = [
        await api.add(user_id="a", text="x"),
        await api.add_batch({"user_id": "a", "text": "x"}),
        await api.http.delete("/v1/users/a/memories/m"),
    ]
    for reply in replies:
        assert (reply.status_code, reply.headers["retry-after"]) == (503, "3")
        assert reply.headers["content-type"] == "application/problem+json"
        assert "may or may not have been written; sending it again is safe" in reply.json()["detail"]
        assert "10.0.0.1" not in reply.text


async def test_kafka_refuses(api: Api) -> None:
    api.log.fails = lambda n: Refusal("topic memories does not exist")
    for reply in (await api.add(user_id="a", text="x"), await api.add_batch({"user_id": "a", "text": "x"})):
        assert (reply.status_code, reply.headers["retry-after"]) == (503, "60")
        assert "does not exist" not in reply.text


async def test_a_deletion(api: Api) -> None:
    reply = await api.http.delete("/v1/users/alice/memories/m1")
    assert reply.status_code == 200
    assert reply.json() == {"status": "success", "memory_id": "m1", "position": "log:0:0", "applied": True}
    assert api.log.events == [MemoryDeleted(user_id="alice", memory_id="m1")]


async def test_a_deletion_without_waiting(api: Api) -> None:
    assert (await api.http.delete("/v1/users/alice/memories/m1?wait=false")).json()["applied"] is False


async def test_ids_with_slashes_and_percents(api: Api) -> None:
    await api.http.delete("/v1/users/a%2Fb/memories/c%2fd%252F%20%25e%C3%A4")
    assert api.log.events == [MemoryDeleted(user_id="a/b", memory_id="c/d%2F %eä")]
