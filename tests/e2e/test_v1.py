"""What the seed lacks, on a running service: lists, filters, edits, imports, deletions of all, fresh searches."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.e2e.problems import check_problem
from tests.e2e.test_memories import path
from tests.e2e.test_seed_api import add


def of(user: str, rest: str = "memories") -> str:
    return f"/v1/users/{quote(user, safe='')}/{rest}"


def listed(api: httpx.Client, user: str, **params: Any) -> list[str]:
    """The ids of all pages."""
    return [memory["memory_id"] for page in pages(api, user, **params) for memory in page]


def pages(api: httpx.Client, user: str, **params: Any) -> Iterator[list[dict[str, Any]]]:
    cursor: dict[str, str] = {}
    while True:
        reply = api.get(of(user), params={**params, **cursor})
        assert reply.status_code == 200, reply.text
        yield reply.json()["memories"]
        if reply.json()["next_cursor"] is None:
            return
        cursor = {"cursor": reply.json()["next_cursor"]}


def load(api: httpx.Client, user: str, *memories: dict[str, Any]) -> list[dict[str, Any]]:
    reply = api.post(of(user), json={"memories": memories})
    assert (reply.status_code, reply.json()["failed"]) == (200, 0), reply.text
    results: list[dict[str, Any]] = reply.json()["results"]
    assert all(result["searchable"] for result in results)
    return results


def edit(api: httpx.Client, user: str, memory_id: str, headers: Any = None, **patch: Any) -> httpx.Response:
    return api.patch(path(user, memory_id), json=patch, headers=headers)


# Lists


def test_a_list_has_each_memory_once_newest_first(api: httpx.Client, user: str) -> None:
    load(api, user, *({"memory_id": str(n), "text": f"fact {n}"} for n in range(23)))
    add(api, user, "The last", memory_id="last")
    add(api, user, "Fact one, again", memory_id="1")
    found = listed(api, user, limit=5)
    assert found[:2] == ["1", "last"]
    assert sorted(found) == sorted([*map(str, range(23)), "last"])
    assert [len(page) for page in pages(api, user, limit=5)] == [5, 5, 5, 5, 4]
    assert listed(api, user, limit=500, order="oldest")[-2:] == ["last", "1"]
    assert listed(api, f"{user}x") == []


def test_a_list_by_date(api: httpx.Client, user: str) -> None:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    dates = [(day + timedelta(days=n)).isoformat() for n in (5, 1, 3)]
    load(api, user, *({"memory_id": str(n), "text": "x", "created_at": date} for n, date in enumerate(dates)))
    assert listed(api, user, order="created_at", limit=1) == ["1", "2", "0"]
    assert listed(api, user, order="-created_at", limit=2) == ["0", "2", "1"]
    assert listed(api, user, created_from=dates[2], created_to=dates[0]) == ["2"]
    # Of equal moments in other words.
    assert listed(api, user, created_from="2026-01-04T01:00:00+01:00", created_to="2026-01-04T00:00:00.001Z") == ["2"]


def test_filters(api: httpx.Client, user: str) -> None:
    load(
        api,
        user,
        {
            "memory_id": "a",
            "text": "x",
            "classifiers": ["tea", "home"],
            "topic": "food",
            "metadata": {"n": 1, "s": "1"},
        },
        {"memory_id": "b", "text": "x", "classifiers": ["tea"], "type": "passing", "metadata": {"n": 1.0, "b": None}},
        {"memory_id": "c", "text": "x", "classifiers": ["work"], "topic": "food", "metadata": {"deep": {"n": 1}}},
    )
    wanted: list[tuple[dict[str, Any], str]] = [
        ({"classifiers_any": ["home", "work"]}, "ac"),
        ({"classifiers_all": ["tea", "home"]}, "a"),
        ({"classifiers_any": ["Tea"]}, ""),
        ({"topic": "food"}, "ac"),
        ({"type": "passing"}, "b"),
        ({"state": "final"}, "abc"),
        ({"state": "provisional"}, ""),
        ({"metadata": {"n": 1}}, "ab"),
        ({"metadata": {"n": 1, "s": "1"}}, "a"),
        ({"metadata": {"s": 1}}, ""),
        ({"metadata": {"b": None}}, "b"),
        ({"created_to": "2020-01-01T00:00:00Z"}, ""),
    ]
    for given, ids in wanted:
        body = {"context": "x", "filter": given, "use_classifiers": False}
        found = api.post(of(user, "search"), json=body).json()["memories"]
        assert sorted(memory["memory_id"] for memory in found) == list(ids), given
        query = {
            **given,
            **({"metadata": httpx.Response(200, json=given["metadata"]).text} if "metadata" in given else {}),
        }
        assert sorted(listed(api, user, **query)) == list(ids), given


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"order": "random"}, "order"),
        ({"surprise": 1}, "surprise"),
        ({"metadata": "no"}, "metadata"),
        ({"metadata": '{"a": [1]}'}, "metadata"),
        ({"metadata": '{"a": "%s"}' % ("x" * 300)}, "metadata"),
        ({"created_from": "12"}, "created_from"),
        ({"created_from": "2026-01-01T00:00:00"}, "created_from"),
        ({"state": "deleted"}, "state"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "WzFd"}, "cursor"),
    ],
)
def test_a_wrong_list(api: httpx.Client, user: str, query: dict[str, Any], field: str) -> None:
    reply = api.get(of(user), params=query)
    check_problem(reply, 422)
    assert reply.json()["errors"][0]["field"].partition(".")[0] == field


def test_a_cursor_is_of_its_list(api: httpx.Client, user: str) -> None:
    for owner in (user, f"{user}x"):
        load(api, owner, *({"memory_id": str(n), "text": f"{owner} {n}"} for n in range(4)))
    cursor = api.get(of(user), params={"limit": 2}).json()["next_cursor"]
    assert len(api.get(of(user), params={"cursor": cursor}).json()["memories"]) == 2
    for owner, more in ((f"{user}x", {}), (user, {"order": "oldest"}), (user, {"topic": "food"})):
        check_problem(api.get(of(owner), params={"cursor": cursor, **more}), 422, "cursor")


# Versions and edits


def test_a_version_that_stands_is_not_sent_again(api: httpx.Client, user: str) -> None:
    add(api, user, "I love sushi", memory_id="m")
    etag = api.get(path(user, "m")).headers["etag"]
    for header in (etag, f'"1.1", W/{etag}', "*"):
        reply = api.get(path(user, "m"), headers={"If-None-Match": header})
        assert (reply.status_code, reply.content, reply.headers["etag"]) == (304, b"", etag)
    assert api.get(path(user, "m"), headers={"If-None-Match": '"1.1"'}).status_code == 200


def test_an_edit_changes_what_it_names(api: httpx.Client, user: str) -> None:
    add(api, user, "I love sushi", memory_id="m", metadata={"a": {"x": 1, "y": 2}, "b": 1}, source="test")
    before = api.get(path(user, "m")).json()
    reply = edit(api, user, "m", text="I love udon", metadata={"a": {"x": None, "z": 3}, "c": [1]}, type="passing")
    assert reply.status_code == 200, reply.text
    after = reply.json()
    assert reply.headers["etag"] == f'"{after["seq"]}.{after["generation"]}"'
    assert (after["text"], after["type"]) == ("I love udon", "passing")
    assert after["metadata"] == {"a": {"y": 2, "z": 3}, "b": 1, "c": [1]}
    assert (after["source"], after["created_at"]) == ("test", before["created_at"])
    assert api.get(path(user, "m")).json() == after
    assert edit(api, user, "m", metadata=None, type=None).json() == {
        **after,
        "metadata": {},
        "type": "stable",
        "seq": api.get(path(user, "m")).json()["seq"],
        "provenance": api.get(path(user, "m")).json()["provenance"],
    }


def test_an_edit_that_says_nothing_new_writes_nothing(api: httpx.Client, user: str) -> None:
    add(api, user, "I love sushi", memory_id="m")
    before = api.get(path(user, "m"))
    patches: tuple[dict[str, Any], ...] = ({}, {"text": "I love sushi"}, {"expires_at": None}, {"metadata": {}})
    for patch in patches:
        reply = edit(api, user, "m", **patch)
        assert (reply.status_code, reply.json(), reply.headers["etag"]) == (200, before.json(), before.headers["etag"])


def test_classifiers_pinned_and_let_go(api: httpx.Client, user: str) -> None:
    made = add(api, user, "I love sushi and ramen", memory_id="m")["classifiers"]
    pinned = edit(api, user, "m", pinned=True).json()
    assert (pinned["classifiers"], pinned["classifier_source"], pinned["pinned"]) == (made, "provided", True)
    own = edit(api, user, "m", classifiers=["dinner"]).json()
    assert (own["classifiers"], own["pinned"]) == (["dinner"], True)
    add(api, user, "I love sushi and ramen", memory_id="m")
    assert api.get(path(user, "m")).json()["classifiers"] == ["dinner"], "an add does not let them go"
    free = edit(api, user, "m", classifiers=None).json()
    assert (free["classifiers"], free["classifier_source"], free["pinned"]) == (made, "heuristic", False)
    check_problem(edit(api, user, "m", classifiers=None, pinned=True), 422, "pinned")


def test_expiry_comes_and_goes(api: httpx.Client, user: str) -> None:
    add(api, user, "I love sushi", memory_id="m", expires_at="2100-01-01T00:00:00Z")
    assert edit(api, user, "m", expires_at=None).json()["expires_at"] is None
    past = edit(api, user, "m", expires_at="2020-01-01T00:00:00Z")
    assert past.status_code == 200
    check_problem(api.get(path(user, "m")), 404)
    check_problem(edit(api, user, "m", text="back"), 404)
    assert listed(api, user) == []
    assert api.post(of(user, "search"), json={"context": "sushi"}).json()["memories"] == []


def test_an_edit_of_a_version_that_passed(api: httpx.Client, user: str) -> None:
    add(api, user, "one", memory_id="m")
    etag = api.get(path(user, "m")).headers["etag"]
    reply = edit(api, user, "m", {"If-Match": etag}, text="two")
    assert reply.status_code == 200
    check_problem(edit(api, user, "m", {"If-Match": etag}, text="three"), 412)
    check_problem(edit(api, user, "m", {"If-Match": f"W/{reply.headers['etag']}"}, text="three"), 412)
    assert api.get(path(user, "m")).json()["text"] == "two"
    assert edit(api, user, "m", {"If-Match": f'"7.7", {reply.headers["etag"]}'}, text="three").status_code == 200
    assert edit(api, user, "m", {"If-Match": "*"}, text="four").status_code == 200
    check_problem(edit(api, user, "none", {"If-Match": "*"}, text="x"), 404)


@pytest.mark.parametrize("same", [False, True], ids=["different", "the same"])
def test_of_edits_at_once_exactly_one_wins(api: httpx.Client, user: str, same: bool) -> None:
    add(api, user, "start", memory_id="m")
    with ThreadPoolExecutor(8) as pool:
        for turn in range(6):
            etag = {"If-Match": api.get(path(user, "m")).headers["etag"]}
            texts = [f"turn {turn} of {0 if same else n}" for n in range(8)]
            replies = list(pool.map(lambda text, tag=etag: edit(api, user, "m", tag, text=text), texts))
            won = [text for text, reply in zip(texts, replies, strict=True) if reply.status_code == 200]
            assert sorted(reply.status_code for reply in replies) == [200] + [412] * 7
            _settle(api, user)
            assert api.get(path(user, "m")).json()["text"] == won[0]


def test_a_version_is_deleted_and_no_other(api: httpx.Client, user: str) -> None:
    add(api, user, "one", memory_id="m")
    first = {"If-Match": api.get(path(user, "m")).headers["etag"]}
    second = {"If-Match": edit(api, user, "m", text="two").headers["etag"]}
    check_problem(api.delete(path(user, "m"), headers=first), 412)
    assert api.get(path(user, "m")).json()["text"] == "two"
    assert api.delete(path(user, "m"), headers=second).json()["applied"] is True
    check_problem(api.get(path(user, "m")), 404)
    check_problem(api.delete(path(user, "m"), headers=second), 412)
    check_problem(api.delete(path(user, "never"), headers={"If-Match": "*"}), 412)


def test_of_an_edit_and_a_deletion_of_one_version_one_wins(api: httpx.Client, user: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        for turn in range(6):
            add(api, user, f"start {turn}", memory_id=f"m{turn}")
            version = {"If-Match": api.get(path(user, f"m{turn}")).headers["etag"]}
            edited = pool.submit(edit, api, user, f"m{turn}", version, text=f"edited {turn}")
            deleted = pool.submit(api.delete, path(user, f"m{turn}"), headers=version)
            assert sorted([edited.result().status_code, deleted.result().status_code]) in ([200, 412], [200, 404])
            _settle(api, user, f"m{turn}")
            there = api.get(path(user, f"m{turn}")).status_code == 200
            assert there == (edited.result().status_code == 200)


def _settle(api: httpx.Client, user: str, memory_id: str = "m") -> None:
    """Until the sink has answered those that lost."""
    deadline, seen = time.monotonic() + 20, ""
    while (now := api.get(path(user, memory_id)).headers.get("etag")) != seen:
        assert time.monotonic() < deadline
        seen = now
        time.sleep(0.2)


def test_an_edit_that_does_not_wait(api: httpx.Client, user: str) -> None:
    add(api, user, "one", memory_id="m")
    reply = api.patch(path(user, "m"), json={"text": "two"}, params={"wait": "false"})
    assert reply.status_code == 202
    assert reply.json()["searchable"] is False
    body = {"context": "two", "position": reply.json()["position"], "wait_ms": 20_000}
    found = api.post(of(user, "search"), json=body).json()
    assert (found["fresh"], found["memories"][0]["text"]) == (True, "two")


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"text": None}, "text"),
        ({"text": " "}, "text"),
        ({"surprise": 1}, "surprise"),
        ({"pinned": "yes"}, "pinned"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"a": "x" * 17_000}}, "metadata"),
        ({"expires_at": 7}, "expires_at"),
        ({"created_at": "2020-01-01T00:00:00Z"}, "created_at"),
    ],
)
def test_a_wrong_edit(api: httpx.Client, user: str, patch: dict[str, Any], field: str) -> None:
    add(api, user, "one", memory_id="m")
    check_problem(edit(api, user, "m", **patch), 422, field)


# Imports and deletions


def test_an_import_answers_per_item(api: httpx.Client, user: str) -> None:
    items = [
        {"text": "I play the cello"},
        {"text": ""},
        {"text": "x", "user_id": "bob"},
        {"text": "y", "user_id": user},
    ]
    body = api.post(of(user), json={"memories": items}).json()
    assert (body["inserted"], body["failed"]) == (2, 2)
    assert [item["status"] for item in body["results"]] == ["success", "error", "error", "success"]
    assert [[fault["field"] for fault in item["errors"]] for item in body["results"]] == [[], ["text"], ["user_id"], []]
    assert sorted(listed(api, user)) == sorted(item["memory_id"] for item in body["results"] if item["memory_id"])
    assert listed(api, "bob") == []
    check_problem(api.post(of(user), json={"memories": []}), 422, "memories")
    check_problem(api.post(of(user), json={"memories": [{"text": "x"}] * 1001}), 422, "memories")
    only_wrong = api.post(of(user), json={"memories": [{}]})
    assert (only_wrong.status_code, only_wrong.json()["failed"]) == (200, 1)


def test_all_memories_of_a_user_are_deleted(api: httpx.Client, user: str) -> None:
    for owner in (user, f"{user}/x"):
        load(api, owner, *({"memory_id": str(n), "text": f"fact {n}"} for n in range(700)))
    add(api, user, "expired", memory_id="gone", expires_at="2020-01-01T00:00:00Z")
    # Durable, and not waited for: it is among them all the same.
    api.post("/add_memory", params={"wait": "false"}, json={"user_id": user, "text": "just now"})
    body = api.delete(of(user)).json()
    assert (body["status"], body["deleted"], body["applied"]) == ("success", 702, True)
    assert listed(api, user) == []
    assert len(listed(api, f"{user}/x", limit=500)) == 700
    assert api.delete(of(user)).json() == {"status": "success", "deleted": 0, "positions": [], "applied": True}


# Searches


def test_a_search_sees_what_it_waits_for(api: httpx.Client, user: str) -> None:
    for n in range(5):
        added = api.post("/add_memory", params={"wait": "false"}, json={"user_id": user, "text": f"fact {n}"}).json()
        body = {"context": f"fact {n}", "limit": 1, "position": [added["position"]]}
        reply = api.post(of(user, "search"), json=body).json()
        assert (reply["fresh"], reply["memories"][0]["text"]) == (True, f"fact {n}")
        [searched] = reply["searched"]
        assert int(searched.rpartition(":")[2]) >= int(added["position"].rpartition(":")[2])


def test_a_position_that_does_not_come(api: httpx.Client, user: str) -> None:
    topic, partition, offset = add(api, user, "I love sushi")["position"].split(":")
    body = {"context": "sushi", "position": f"{topic}:{partition}:{int(offset) + 10**6}", "wait_ms": 100}
    began = time.monotonic()
    reply = api.post(of(user, "search"), json=body).json()
    assert 0.1 <= time.monotonic() - began < 10
    assert (reply["fresh"], len(reply["memories"])) == (False, 1)
    for wrong in (f"another:{partition}:{offset}", "x", f"{topic}:{partition}:-1", 7, f"{topic}:{partition}"):
        problem = api.post(of(user, "search"), json={**body, "position": wrong})
        check_problem(problem, 422)
        assert problem.json()["errors"][0]["field"].startswith("position")


def test_a_score_is_the_sum_of_its_parts(api: httpx.Client, user: str) -> None:
    load(api, user, {"text": "green tea", "classifiers": ["food preference"]}, {"text": "a blue door"})
    for url, body in ((of(user, "search"), {}), ("/search", {"user_id": user})):
        found = api.post(url, json={"context": "green tea", "explain": True, **body}).json()["memories"]
        for memory in found:
            parts = memory["explanation"]
            assert parts.keys() == {"text", "words", "classifiers"}
            whole = sum(part["value"] * part["weight"] for part in parts.values())
            assert memory["score"] == pytest.approx(whole, abs=1e-4)
        plain = api.post(url, json={"context": "green tea", **body}).json()["memories"]
        assert all("explanation" not in memory for memory in plain)
        assert [memory["score"] for memory in plain] == [memory["score"] for memory in found]
