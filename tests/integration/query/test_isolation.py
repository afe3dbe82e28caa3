"""No way into another user's memories: made-up users, keys, tokens and requests, on a real Edge index."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybrid_memory.classifier import default_rules
from hybrid_memory.index.edge import EdgeStore
from hybrid_memory.index.listing import Listing, Order, Place
from hybrid_memory.ingest.router import make_router as make_write_router
from hybrid_memory.query.cursors import to_cursor
from hybrid_memory.query.edit_router import make_edit_router
from hybrid_memory.query.editing import Editing
from hybrid_memory.query.router import make_router as make_read_router
from hybrid_memory.query.searching import Searcher
from hybrid_memory.runtime.access.caller import READ_WRITE, Scope
from hybrid_memory.runtime.access.identify import Identifier
from hybrid_memory.runtime.access.jwks import SharedSecret
from hybrid_memory.runtime.access.key_file import change_keys
from hybrid_memory.runtime.access.keys import make_key
from hybrid_memory.runtime.access.tokens import Tokens
from hybrid_memory.runtime.access.watched_keys import WatchedKeys
from hybrid_memory.runtime.http import EncodedSlashes, Guard, install_problems
from hybrid_memory.runtime.settings import load_settings
from hybrid_memory.schemas import Position, memory_key
from hybrid_memory.sink.applied import Applied
from tests.integration.index.build import DIMENSIONS, EMBEDDER, live
from tests.unit.access.issuer import AUDIENCE, ISSUER, SECRET, signed
from tests.unit.ingest.conftest import Index, Log, describe

# Ids that could be taken for another's: by case, by slashes and escapes, by what a path or a key makes of them.
USERS = ("ada", "Ada", "ada ", "ada/m1", "ada%2Fm1", "ada@m1", "ada%", "bob", "*", "all", "ádá", "a/../ada", "%00")
TEXT = "the secret of "
Headers = Mapping[str, str]


@dataclass
class World:
    """An app over an index in which each user has one memory."""

    http: httpx.AsyncClient
    log: Log
    keys: dict[frozenset[str], str]

    def credential(self, users: frozenset[str], as_token: bool) -> Headers:
        """A key of these users, or a token where it is one user."""
        if as_token and len(users) == 1:
            return {"Authorization": f"Bearer {signed(sub=next(iter(users)))}"}
        return {"X-API-Key": self.keys[users]}


SETS = [frozenset({user}) for user in USERS] + [frozenset({"ada", "bob"}), frozenset({"Ada", "*"})]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("isolation")
    store = EdgeStore.open(folder / "index", DIMENSIONS)
    store.upsert([live(TEXT + user, user=user, seq=n) for n, user in enumerate(USERS, 1)])
    made = {users: make_key("a key", READ_WRITE, users) for users in SETS}
    change_keys(folder / "keys.yaml", lambda _: [new.entry for new in made.values()])
    tokens = Tokens(SharedSecret(SECRET), ISSUER, AUDIENCE, 5)
    guard = Guard(Identifier(WatchedKeys(folder / "keys.yaml"), tokens))
    log, searcher, applied = Log(), Searcher(store, EMBEDDER, default_rules().classify), Applied()
    applied.begin("log", "memories", {("memories", 0): 2, ("memories", 1): 2})
    app = FastAPI()
    app.include_router(make_write_router(log, Index(), describe, guard=guard))
    app.include_router(make_read_router(lambda: searcher, load_settings(), guard, applied))
    app.include_router(make_edit_router(Editing(lambda: searcher, log, Index(), no_positions, 1.0), guard))
    app.add_middleware(EncodedSlashes)
    install_problems(app)
    # Not entered: each test has an event loop of its own, and this transport opens nothing.
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")
    yield World(http, log, {users: new.key for users, new in made.items()})
    store.close()


async def no_positions() -> list[Position]:
    return []


FILTERS = ("", "topic=x", "classifiers_any=x", "metadata=%7B%22user_id%22%3A%22bob%22%7D", "state=final", "limit=1")
sets = st.sampled_from(SETS)
users = st.sampled_from(USERS)
many = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def path_of(user: str, memory_id: str = "m1") -> str:
    return f"/v1/users/{quote(user, safe='')}/memories/{quote(memory_id, safe='')}"


async def ask(world: World, method: str, url: str, headers: Headers, body: Any = None) -> httpx.Response:
    content = None if body is None else json.dumps(body)
    return await world.http.request(
        method, url, content=content, headers={**headers, "content-type": "application/json"}
    )


@many
@given(sets, users, st.booleans())
async def test_search(world: World, own: frozenset[str], user: str, as_token: bool) -> None:
    body = {"user_id": user, "context": TEXT + user, "limit": 100}
    reply = await ask(world, "POST", "/search", world.credential(own, as_token), body)
    assert reply.status_code == (200 if user in own else 403)
    if user in own:
        assert [found["text"] for found in reply.json()["memories"]] == [(TEXT + user).strip()]
    else:
        assert "secret" not in reply.text


@many
@given(sets, users, st.sampled_from(["m1", "m2", "../../bob/memories/m1", "x"]), st.booleans())
async def test_get(world: World, own: frozenset[str], user: str, memory_id: str, as_token: bool) -> None:
    reply = await ask(world, "GET", path_of(user, memory_id), world.credential(own, as_token))
    if user not in own:
        assert reply.status_code == 403, "whether or not there is such a memory"
        assert "secret" not in reply.text
    elif reply.status_code == 200:
        assert reply.json()["user_id"] == user
    else:
        assert (memory_id, reply.status_code) != ("m1", 404)


@many
@given(sets, st.booleans())
async def test_list_users(world: World, own: frozenset[str], as_token: bool) -> None:
    body = (await ask(world, "GET", "/list_users", world.credential(own, as_token))).json()
    assert {entry["user_id"] for entry in body["users"]} == own
    assert body["total_users"] == body["total_memories"] == len(own), "foreign memories are not counted either"


@many
@given(sets, st.lists(users, min_size=1, max_size=5), st.booleans(), st.booleans())
async def test_writes(world: World, own: frozenset[str], owners: list[str], batch: bool, as_token: bool) -> None:
    written = len(world.log.records)
    if batch:
        body: Any = {"memories": [{"user_id": owner, "text": "x"} for owner in owners]}
        reply = await ask(world, "POST", "/add_memories_batch", world.credential(own, as_token), body)
    else:
        owners = owners[:1]
        body = {"user_id": owners[0], "text": "x"}
        reply = await ask(world, "POST", "/add_memory", world.credential(own, as_token), body)
    allowed = own >= set(owners)
    assert reply.status_code == (200 if allowed else 403)
    assert len(world.log.records) - written == (len(owners) if allowed else 0), "all or nothing"


@many
@given(sets, users, st.booleans())
async def test_deletes(world: World, own: frozenset[str], user: str, as_token: bool) -> None:
    written = len(world.log.records)
    reply = await ask(world, "DELETE", path_of(user), world.credential(own, as_token))
    assert reply.status_code == (200 if user in own else 403)
    assert len(world.log.records) - written == (user in own)
    if user in own:
        assert world.log.events[-1].user_id == user


@many
@given(sets, users, users, st.sampled_from(get_args(Order)), st.sampled_from(FILTERS), st.booleans(), st.data())
async def test_lists_and_their_cursors(
    world: World, own: frozenset[str], user: str, other: str, order: Order, wanted: str, as_token: bool, data: Any
) -> None:
    """With no cursor, another user's, and one made up for this list that points into another's."""
    point = live(TEXT + other, user=other, seq=USERS.index(other) + 1).point
    place = Place(data.draw(st.sampled_from([point.appended_at, 0, 2**53, -1])), point.id)
    lists = st.sampled_from([Listing(user, 9, order=order), Listing(other, 9, order=order)])
    cursor = to_cursor(place, data.draw(lists)) if data.draw(st.booleans()) else None
    url = f"{path_of(user, '').removesuffix('/')}?order={order}&{wanted}" + (f"&cursor={cursor}" if cursor else "")
    reply = await ask(world, "GET", url, world.credential(own, as_token))
    assert reply.status_code in ((200, 422) if user in own else (403,))
    if reply.status_code == 200:
        assert {memory["user_id"] for memory in reply.json()["memories"]} <= {user}
        assert cursor or wanted or len(reply.json()["memories"]) == 1
    else:
        assert "secret" not in reply.text


@many
@given(sets, users, st.sampled_from([{}, {"topic": "x"}, {"metadata": {"user_id": "bob"}}]), st.booleans(), st.data())
async def test_searches_under_v1(
    world: World, own: frozenset[str], user: str, wanted: dict[str, Any], as_token: bool, data: Any
) -> None:
    position = data.draw(st.sampled_from([[], ["log:0:1"], ["log:1:999"], ["other:0:1"]]))
    body = {"context": TEXT + user, "limit": 100, "filter": wanted, "position": position, "wait_ms": 0, "explain": True}
    url = path_of(user, "").replace("/memories/", "/search")
    reply = await ask(world, "POST", url, world.credential(own, as_token), body)
    assert reply.status_code == (403 if user not in own else 422 if position == ["other:0:1"] else 200)
    if reply.status_code == 200:
        texts = [found["text"] for found in reply.json()["memories"]]
        assert texts == ([] if wanted else [(TEXT + user).strip()])
        assert reply.json()["fresh"] == (position != ["log:1:999"])
    else:
        assert "secret" not in reply.text


@many
@given(sets, users, st.sampled_from(["m1", "m2", "../../bob/memories/m1"]), st.booleans())
async def test_edits(world: World, own: frozenset[str], user: str, memory_id: str, as_token: bool) -> None:
    written = len(world.log.records)
    reply = await ask(world, "PATCH", path_of(user, memory_id), world.credential(own, as_token), {"text": "mine now"})
    # The log of this world reaches no index, so no edit is seen to win.
    found = memory_id == "m1"
    assert reply.status_code == (403 if user not in own else 412 if found else 404)
    keys = [event.key for event in world.log.events[written:]]
    assert keys == [memory_key(user, "m1")] * (found and user in own)


@many
@given(sets, users, st.booleans())
async def test_all_of_a_user(world: World, own: frozenset[str], user: str, as_token: bool) -> None:
    written = len(world.log.records)
    url = path_of(user, "").removesuffix("/")
    reply = await ask(world, "DELETE", url, world.credential(own, as_token))
    assert reply.status_code == (200 if user in own else 403)
    assert [event.key for event in world.log.events[written:]] == [memory_key(user, "m1")] * (user in own)


@many
@given(sets, users, st.lists(users, min_size=1, max_size=4), st.booleans())
async def test_imports(world: World, own: frozenset[str], user: str, named: list[str], as_token: bool) -> None:
    written = len(world.log.records)
    url, body = path_of(user, "").removesuffix("/"), {"memories": [{"text": "x", "user_id": owner} for owner in named]}
    reply = await ask(world, "POST", url, world.credential(own, as_token), body)
    assert reply.status_code == (200 if user in own else 403)
    mine = named.count(user) if user in own else 0
    assert [event.user_id for event in world.log.events[written:]] == [user] * mine
    assert user not in own or reply.json()["inserted"] == mine


@many
@given(st.sampled_from(["hm_", "eyJ", ""]), st.text("abcdef0123456789_.-", max_size=60), users)
async def test_made_up_credentials(world: World, start: str, rest: str, user: str) -> None:
    written = len(world.log.records)
    headers = {"Authorization": f"Bearer {start}{rest}"}
    replies = [
        await ask(world, "POST", "/search", headers, {"user_id": user, "context": "x"}),
        await ask(world, "GET", path_of(user), headers),
        await ask(world, "GET", "/list_users", headers),
        await ask(world, "DELETE", path_of(user), headers),
        await ask(world, "PATCH", path_of(user), headers, {"text": "x"}),
        *[
            await ask(world, method, path_of(user, "").removesuffix("/"), headers, {})
            for method in ("GET", "DELETE", "POST")
        ],
        await ask(world, "POST", path_of(user, "").replace("/memories/", "/search"), headers, {"context": "x"}),
    ]
    assert [reply.status_code for reply in replies] == [401] * 9
    assert len(world.log.records) == written


@pytest.mark.parametrize(
    "token",
    [
        signed("another secret, of more than 32 bytes, all right"),
        signed(exp=time.time() - 60),
        signed(aud="another service"),
        signed(iss="https://another.example"),
        "eyJhbGciOiJub25lIn0." + signed().split(".")[1] + ".",
    ],
    ids=["forged", "expired", "audience", "issuer", "none"],
)
async def test_bad_tokens(world: World, token: str) -> None:
    reply = await ask(world, "GET", path_of("ada"), {"Authorization": f"Bearer {token}"})
    assert reply.status_code == 401
    assert token not in reply.text


@pytest.mark.parametrize(("scope", "reads", "writes"), [("read", 200, 403), ("write", 403, 200), ("admin", 403, 403)])
async def test_scopes(world: World, scope: str, reads: int, writes: int) -> None:
    headers = {"Authorization": f"Bearer {signed(scope=scope)}"}
    assert (await ask(world, "GET", path_of("ada"), headers)).status_code == reads
    assert (await ask(world, "GET", "/list_users", headers)).status_code == reads
    assert (await ask(world, "DELETE", path_of("ada"), headers)).status_code == writes
    assert Scope.ADMIN not in READ_WRITE
