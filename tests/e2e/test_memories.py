"""What the seed lacks: one memory by its id, its version, its deletion."""

from urllib.parse import quote

import httpx
import pytest

from tests.e2e.problems import check_problem
from tests.e2e.test_seed_api import add, search, texts


def path(user: str, memory_id: str) -> str:
    return f"/v1/users/{quote(user, safe='')}/memories/{quote(memory_id, safe='')}"


def test_get_shows_the_version(api: httpx.Client, user: str) -> None:
    added = add(api, user, "I love sushi", memory_id="m", metadata={"from": ["a", 1, None]}, source="test")
    reply = api.get(path(user, "m"))
    assert reply.status_code == 200
    body = reply.json()
    assert (body["user_id"], body["memory_id"], body["text"]) == (user, "m", "I love sushi")
    assert (body["metadata"], body["source"], body["pinned"]) == ({"from": ["a", 1, None]}, "test", False)
    assert added["position"].endswith(f":{body['seq']}")
    assert reply.headers["etag"] == f'"{body["seq"]}.{body["generation"]}"'


def test_a_new_version_replaces_the_old(api: httpx.Client, user: str) -> None:
    add(api, user, "I live in Oslo", memory_id="home")
    old = api.get(path(user, "home")).headers["etag"]
    add(api, user, "I live in Lisbon", memory_id="home")
    reply = api.get(path(user, "home"))
    assert reply.json()["text"] == "I live in Lisbon"
    assert reply.headers["etag"] != old
    assert texts(search(api, user, "I live in Oslo")) == ["I live in Lisbon"]


def test_delete(api: httpx.Client, user: str) -> None:
    add(api, user, "I love sushi", memory_id="m")
    add(api, user, "I love tea", memory_id="kept")
    reply = api.delete(path(user, "m"))
    assert reply.status_code == 200
    assert (reply.json()["status"], reply.json()["applied"]) == ("success", True)
    assert texts(search(api, user, "I love sushi")) == ["I love tea"]
    check_problem(api.get(path(user, "m")), 404)
    counts = {entry["user_id"]: entry["memory_count"] for entry in api.get("/list_users").json()["users"]}
    assert counts[user] == 1
    # Again, and one that never was: the same.
    assert api.delete(path(user, "m")).status_code == 200
    assert api.delete(path(user, "never")).status_code == 200
    # A deleted memory may come back.
    add(api, user, "I love sushi again", memory_id="m")
    assert api.get(path(user, "m")).json()["text"] == "I love sushi again"


@pytest.mark.parametrize("memory_id", ["a/b", "a//b/", "100%", "%2F", "ünï 🍜", "x@1.2", "?q=1", "#f", "+ +", "a%2Fb"])
def test_ids_of_any_form(api: httpx.Client, user: str, memory_id: str) -> None:
    owner = f"{user}/of {memory_id}"
    assert add(api, owner, "I love sushi", memory_id=memory_id)["memory_id"] == memory_id
    body = api.get(path(owner, memory_id)).json()
    assert (body["user_id"], body["memory_id"], body["text"]) == (owner, memory_id, "I love sushi")
    assert api.delete(path(owner, memory_id)).json()["memory_id"] == memory_id
    check_problem(api.get(path(owner, memory_id)), 404)


def test_users_are_apart(api: httpx.Client, user: str) -> None:
    """Another user's memories are never found, listed or got, however alike the names are."""
    secret, other = "I hid the gold under the oak", f"{user}/x"
    mine = add(api, user, secret, memory_id="x/gold")["memory_id"]
    add(api, other, "I own nothing", memory_id="own")
    assert texts(search(api, other, secret, limit=100)) == ["I own nothing"]
    for stranger in (other, f"{user}%2Fx", f"{user} ", user.upper(), f"{user}*", "*", "%", f"{user}/../{user}"):
        assert secret not in texts(search(api, stranger, secret, limit=100))
        check_problem(api.get(path(stranger, mine)), 404)
    # "user" + "x/gold" and "user/x" + "gold" must not meet in one key.
    check_problem(api.get(path(other, "gold")), 404)
    assert api.delete(path(other, "gold")).status_code == 200
    assert texts(search(api, user, secret)) == [secret]
