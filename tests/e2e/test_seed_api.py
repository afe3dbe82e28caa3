"""The calls of the seed's clients, field for field and type for type (they must run unchanged)."""

from typing import Any

import httpx
import pytest

NoneType = type(None)


def has_fields(body: dict[str, Any], **types: type | tuple[type, ...]) -> None:
    """More fields are fine, fewer are not."""
    wrong = {name: body.get(name, "missing") for name, kind in types.items() if not _is(body.get(name, ...), kind)}
    assert not wrong


def _is(value: object, kind: type | tuple[type, ...]) -> bool:
    # A bool is an int to Python, and not to a client.
    return isinstance(value, kind) and (not isinstance(value, bool) or kind is bool)


def add(api: httpx.Client, user: str, text: str, **fields: Any) -> dict[str, Any]:
    reply = api.post("/add_memory", json={"user_id": user, "text": text, **fields})
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


def search(api: httpx.Client, user: str, context: str, **fields: Any) -> list[dict[str, Any]]:
    reply = api.post("/search", json={"user_id": user, "context": context, **fields})
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["memories"]
    return found


def texts(found: list[dict[str, Any]]) -> list[str]:
    return [memory["text"] for memory in found]


def test_health(api: httpx.Client) -> None:
    reply = api.get("/health")
    assert reply.status_code == 200
    body = reply.json()
    has_fields(body, status=str, embedding_model=str, classifier_service=str, classifier_url=(str, NoneType))
    assert body["status"] == "ok"
    assert body["embedding_model"] == "all-MiniLM-L6-v2"
    assert body["classifier_service"] in {"connected", "unavailable", "disabled"}


def test_add_memory(api: httpx.Client, user: str) -> None:
    body = add(api, user, "I love spicy Thai food")
    has_fields(body, status=str, topic=(str, NoneType), classifiers=list, classifier_source=str, async_improvement=bool)
    assert body["status"] == "success"
    assert body["topic"] == "food"
    assert body["classifier_source"] == "heuristic"
    assert body["classifiers"]
    assert all(isinstance(label, str) for label in body["classifiers"])
    assert body["searchable"] is True


def test_what_the_caller_says_stands(api: httpx.Client, user: str) -> None:
    """Any number of classifiers is kept, other than by the seed, which took exactly two."""
    labels = ["one", "two", "three"]
    body = add(api, user, "a thing of mine", topic="things", type="fleeting", classifiers=labels)
    assert (body["topic"], body["classifiers"], body["classifier_source"]) == ("things", labels, "provided")
    [found] = search(api, user, "thing")
    assert (found["topic"], found["type"], found["classifiers"]) == ("things", "fleeting", labels)


def test_the_topic_is_inferred_or_null(api: httpx.Client, user: str) -> None:
    inferred = [add(api, user, text)["topic"] for text in ("I watched a movie", "I play jazz music", "My bag is red")]
    assert inferred == ["movies", "music", None]


def test_add_memories_batch(api: httpx.Client, user: str) -> None:
    memories = [{"user_id": user, "text": f"I own {count} books"} for count in range(20)]
    reply = api.post("/add_memories_batch", json={"memories": memories})
    assert reply.status_code == 200
    has_fields(reply.json(), status=str, inserted=int)
    assert (reply.json()["status"], reply.json()["inserted"]) == ("success", 20)
    assert sorted(texts(search(api, user, "books", limit=20))) == sorted(memory["text"] for memory in memories)


def test_insert_and_search_at_once(api: httpx.Client, user: str) -> None:
    """When an insert has answered, the very next search finds it: every time."""
    for number in range(20):
        add(api, user, f"number {number} of many words")
        assert f"number {number} of many words" in texts(search(api, user, f"number {number}", limit=100))


def test_search(api: httpx.Client, user: str) -> None:
    for text in ("I love spicy Thai food", "My sister lives in Oslo", "I saw the Matrix movie", "I go for a run"):
        add(api, user, text)
    found = search(api, user, "spicy Thai food")
    assert texts(found)[0] == "I love spicy Thai food"
    for memory in found:
        has_fields(memory, text=str, topic=(str, NoneType), type=str, classifiers=list, score=float)
        assert 0 <= memory["score"] <= 1
    scores = [memory["score"] for memory in found]
    assert scores == sorted(scores, reverse=True)
    assert found[0]["type"] == "stable"
    assert texts(search(api, user, "spicy Thai food", limit=1)) == texts(found)[:1]


@pytest.mark.parametrize(
    ("domain", "kept"),
    [
        ("places", {"food"}),
        ("movies", {"movies"}),
        ("music", {"music"}),
        ("weather", {"food", "movies", "music", None}),
        (None, {"food", "movies", "music", None}),
    ],
)
def test_a_domain_filters(api: httpx.Client, user: str, domain: str | None, kept: set[str | None]) -> None:
    for text in ("I love Thai food", "I love the Matrix movie", "I love jazz music", "I love my red bag"):
        add(api, user, text)
    assert {memory["topic"] for memory in search(api, user, "I love", domain=domain)} == kept


def test_a_threshold_cuts(api: httpx.Client, user: str) -> None:
    for text in ("I love spicy Thai food", "My sister lives in Oslo", "I saw the Matrix movie"):
        add(api, user, text)
    everything = search(api, user, "I love spicy Thai food")
    threshold = everything[0]["score"]
    cut = search(api, user, "I love spicy Thai food", score_threshold=threshold)
    assert texts(cut) == texts(everything)[:1]
    assert search(api, user, "an unrelated zebra", score_threshold=1.0) == []


def test_without_classifiers(api: httpx.Client, user: str) -> None:
    add(api, user, "abc def", classifiers=["cuisine type"])  # as the context has it
    [plain] = search(api, user, "spicy food", use_classifiers=False)
    [helped] = search(api, user, "spicy food", use_classifiers=True)
    assert helped["score"] > plain["score"]


def test_list_users(api: httpx.Client, user: str) -> None:
    other = f"{user}-2"
    for owner, count in ((user, 3), (other, 1)):
        for number in range(count):
            add(api, owner, f"number {number}")
    body = api.get("/list_users").json()
    has_fields(body, users=list, total_users=int, total_memories=int)
    counts = {entry["user_id"]: entry["memory_count"] for entry in body["users"]}
    assert (counts[user], counts[other]) == (3, 1)
    assert body["total_users"] == len(body["users"])
    assert body["total_memories"] == sum(counts.values())


def test_the_same_text_is_the_same_memory(api: httpx.Client, user: str) -> None:
    first, second = add(api, user, "I love sushi"), add(api, user, "  i LOVE sushi ")
    assert first["memory_id"] == second["memory_id"]
    assert len(search(api, user, "sushi")) == 1


def test_without_waiting(api: httpx.Client, user: str) -> None:
    """`?wait=false` answers after the durable append alone, and says where it stands."""
    reply = api.post("/add_memory?wait=false", json={"user_id": user, "text": "I love sushi", "memory_id": "m"})
    assert reply.status_code == 200
    body = reply.json()
    assert body["searchable"] is False
    topic_id, partition, offset = body["position"].split(":")
    assert topic_id
    assert int(partition) >= 0
    assert int(offset) >= 0
    # A later write of the same memory that does wait is behind it in the same partition.
    assert add(api, user, "I love sushi", memory_id="m")["searchable"] is True
    assert texts(search(api, user, "sushi")) == ["I love sushi"]


@pytest.mark.parametrize("owner", ["ünï-çødé 🍜", "a/b", "100%", "x@y.z", "50%2F50", "..", "a b?c#d&e"])
def test_users_of_any_name(api: httpx.Client, user: str, owner: str) -> None:
    owner = f"{user} {owner}"
    add(api, owner, "Ich mag Käse 🧀 und 東京")
    assert texts(search(api, owner, "Käse")) == ["Ich mag Käse 🧀 und 東京"]
    assert owner in {entry["user_id"] for entry in api.get("/list_users").json()["users"]}
