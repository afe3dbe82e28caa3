"""The guard around routes: who is asked, what is answered, and what is never said."""

import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Request

from hybrid_memory.runtime.access.caller import READ_WRITE, Caller, Scope
from hybrid_memory.runtime.access.identify import Identifier
from hybrid_memory.runtime.access.jwks import Jwks, SharedSecret
from hybrid_memory.runtime.access.key_file import change_keys
from hybrid_memory.runtime.access.keys import NewKey, Users, make_key
from hybrid_memory.runtime.access.rate import Limiter
from hybrid_memory.runtime.access.tokens import Tokens
from hybrid_memory.runtime.access.watched_keys import WatchedKeys
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.http import EncodedSlashes, Guard, PathId, install_problems, make_guard, require_users
from hybrid_memory.runtime.settings import load_settings
from tests.e2e.problems import check_problem
from tests.unit.access.issuer import AUDIENCE, ISSUER, SECRET, signed


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class World:
    """An app with a route for each scope, keys in a file, tokens by a shared secret."""

    def __init__(self, folder: Path, limiter: Callable[[Clock], Limiter | None] = lambda _: None) -> None:
        self.path, self.clock = folder / "keys.yaml", Clock()
        self.key = self.make(READ_WRITE, frozenset({"ada"}))
        self.admin = self.make([Scope.ADMIN], "all")
        self.all = self.make(READ_WRITE, "all")
        tokens = Tokens(SharedSecret(SECRET), ISSUER, AUDIENCE, 5)
        guard = Guard(Identifier(WatchedKeys(self.path, clock=self.clock), tokens), limiter(self.clock))
        self.app = make_app(guard)
        self.http = client_of(self.app)

    def make(self, scopes: Any, users: Users, **more: Any) -> NewKey:
        new = make_key("a key", scopes, users, **more)
        change_keys(self.path, lambda before: (*before, new.entry))
        return new

    async def ask(self, path: str, credential: str | None = None, **headers: str) -> httpx.Response:
        if credential is not None:
            headers["Authorization"] = f"Bearer {credential}"
        return await self.http.get(path, headers=headers)


def client_of(app: FastAPI, address: str = "127.0.0.1") -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(address, 1)), base_url="http://test")


def make_app(guard: Guard) -> FastAPI:
    app = FastAPI()

    for scope in Scope:

        @app.get(f"/{scope}", responses=guard.responses())
        async def scoped(caller: Annotated[Caller, guard.needs(scope)]) -> str:
            return caller.name

    @app.get("/of/{user_id}/x", dependencies=[guard.needs(Scope.READ)])
    async def of(user_id: PathId) -> str:
        return user_id

    @app.post("/many")
    async def many(request: Request, caller: Annotated[Caller, guard.needs(Scope.WRITE)]) -> None:
        require_users(caller, await request.json())

    @app.get("/open")
    async def open_to_all(caller: Annotated[Caller | None, guard.asks()]) -> str | None:
        return None if caller is None else caller.name

    app.add_middleware(EncodedSlashes)
    install_problems(app)
    return app


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    async with world.http:
        yield world


@pytest.mark.parametrize("path", ["/read", "/write", "/admin", "/of/ada/x"])
async def test_without_a_credential(world: World, path: str) -> None:
    reply = await world.ask(path)
    check_problem(reply, 401)
    assert reply.headers["www-authenticate"] == 'Bearer realm="hybrid-memory"'


async def test_a_key_in_either_header(world: World) -> None:
    for headers in ({"Authorization": f"Bearer {world.key.key}"}, {"authorization": f"bearer  {world.key.key} "}):
        assert (await world.ask("/read", **headers)).json() == f"key:{world.key.entry.id}"
    assert (await world.ask("/read", **{"X-API-Key": world.key.key})).status_code == 200


async def test_a_user_token(world: World) -> None:
    assert (await world.ask("/write", signed())).json() == "user:ada"
    check_problem(await world.ask("/admin", signed(scope="admin read")), 403)


@pytest.mark.parametrize(
    "headers",
    [
        [("Authorization", "Bearer nonsense")],
        [("Authorization", "Bearer hm_000000000000_" + "A" * 43)],
        [("Authorization", "Bearer")],
        [("Authorization", "")],
        [("Authorization", "Basic YTpi")],
        [("X-API-Key", "")],
        [("X-API-Key", "ä".encode("latin-1").decode("latin-1"))],
    ],
)
async def test_a_credential_that_opens_nothing(world: World, headers: list[tuple[str, str]]) -> None:
    sent = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    reply = await world.http.get("/read", headers=sent)
    check_problem(reply, 401)
    assert 'error="invalid_token"' in reply.headers["www-authenticate"]


async def test_two_credentials_are_one_too_many(world: World) -> None:
    both = [("Authorization", f"Bearer {world.key.key}"), ("X-API-Key", world.admin.key)]
    check_problem(await world.http.get("/read", headers=both), 401)
    twice = [("X-API-Key", world.key.key), ("X-API-Key", world.key.key)]
    check_problem(await world.http.get("/read", headers=twice), 401)


async def test_no_scope_includes_another(world: World) -> None:
    allowed = {"/read": world.key, "/write": world.key, "/admin": world.admin}
    for path, right in allowed.items():
        for new in (world.key, world.admin):
            reply = await world.ask(path, new.key)
            assert reply.status_code == (200 if new == right else 403)
    reply = await world.ask("/admin", world.key.key)
    check_problem(reply, 403)
    assert 'error="insufficient_scope", scope="admin"' in reply.headers["www-authenticate"]


@pytest.mark.parametrize("user", ["bob", "Ada", "ada%2F", "ada%252F", "%61da%20", "*", "all"])
async def test_a_foreign_user_in_the_path(world: World, user: str) -> None:
    check_problem(await world.ask(f"/of/{user}/x", world.key.key), 403)
    assert (await world.ask(f"/of/{user}/x", world.all.key)).status_code == 200


async def test_the_own_user_in_the_path_however_it_is_written(world: World) -> None:
    assert (await world.ask("/of/%61da/x", world.key.key)).json() == "ada"
    slashed = world.make(READ_WRITE, frozenset({"a/b"}))
    world.clock.now += 1
    assert (await world.ask("/of/a%2Fb/x", slashed.key)).json() == "a/b"


async def test_foreign_users_in_a_body_are_named_by_their_place(world: World) -> None:
    headers = {"X-API-Key": world.key.key}
    assert (await world.http.post("/many", json=["ada", "ada"], headers=headers)).status_code == 200
    reply = await world.http.post("/many", json=["ada", "bob", "ada", "cyd"], headers=headers)
    check_problem(reply, 403, "memories.1.user_id", "memories.3.user_id")
    assert "bob" not in reply.text


async def test_revocation_and_expiry(world: World) -> None:
    guest = world.make(READ_WRITE, "all", expires=datetime.now(UTC) - timedelta(seconds=1))
    world.clock.now += 1
    check_problem(await world.ask("/read", guest.key), 401)
    change_keys(world.path, lambda before: [e.model_copy(update={"revoked": datetime.now(UTC)}) for e in before])
    world.clock.now += 1
    check_problem(await world.ask("/read", world.key.key), 401)


async def test_a_route_that_is_open(world: World) -> None:
    assert (await world.ask("/open")).json() is None
    assert (await world.ask("/open", "nonsense")).json() is None
    assert (await world.ask("/open", world.key.key)).json() == f"key:{world.key.entry.id}"


async def test_credentials_are_nowhere_but_in_the_request(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    foreign = make_key("x", READ_WRITE, "all").key
    credentials = [world.key.key, foreign, signed(), signed(exp=1), "hm_" + "s3cret" * 9]
    said = ""
    for credential in credentials:
        for path in ("/read", "/admin", "/of/bob/x", "/open"):
            said += (await world.ask(path, credential)).text
    said += caplog.text + "".join(repr(vars(record)) for record in caplog.records)
    assert "no such key" in said, "the log does say why"
    assert [credential for credential in credentials if credential[16:] in said] == []


def limited(clock: Clock) -> Limiter:
    return Limiter(1, 2, clock)


async def test_each_caller_has_a_rate_of_its_own(tmp_path: Path) -> None:
    world = World(tmp_path, limited)
    async with world.http:
        assert [(await world.ask("/read", world.key.key)).status_code for _ in range(3)] == [200, 200, 429]
        reply = await world.ask("/read", world.key.key)
        check_problem(reply, 429)
        assert reply.headers["retry-after"] == "1"
        assert (await world.ask("/read", world.all.key)).status_code == 200
        assert [(await world.ask("/read", signed(sub=user))).status_code for user in "aabb"] == [200] * 4
        world.clock.now += 1
        assert (await world.ask("/read", world.key.key)).status_code == 200


async def test_strangers_use_up_their_own_rate_alone(tmp_path: Path) -> None:
    world = World(tmp_path, limited)
    async with world.http:
        codes = [(await world.ask("/read", f"hm_{n}")).status_code for n in range(4)]
        assert codes == [401, 401, 429, 429]
        assert (await world.ask("/read", world.key.key)).status_code == 200
        assert (await world.ask("/open")).status_code == 429
    async with client_of(world.app, "2001:db8::1") as one, client_of(world.app, "2001:db8::2") as two:
        assert [(await http.get("/read")).status_code for http in (one, two, one)] == [401, 401, 429]


async def test_an_issuer_that_is_away_is_no_refusal(tmp_path: Path) -> None:
    async def away(url: str) -> bytes:
        raise Unavailable("away")

    tokens = Tokens(Jwks("https://issuer.example", away), ISSUER, AUDIENCE, 5)
    app = make_app(Guard(Identifier(WatchedKeys(tmp_path / "none.yaml"), tokens)))
    header = signed().partition(".")
    rs256 = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ" + header[1] + header[2]
    async with client_of(app) as http:
        reply = await http.get("/read", headers={"Authorization": f"Bearer {rs256}"})
    check_problem(reply, 503)
    assert int(reply.headers["retry-after"]) >= 1


async def test_where_nothing_is_guarded_everybody_may(tmp_path: Path) -> None:
    for guard in (Guard(), Guard(Identifier(WatchedKeys(tmp_path / "keys.yaml")))):
        async with client_of(make_app(guard)) as http:
            for path in ("/read", "/write", "/admin", "/of/bob/x", "/open"):
                assert (await http.get(path)).status_code == 200
                assert (await http.get(path, headers={"X-API-Key": "any"})).status_code == 200


async def test_the_first_key_closes_what_stood_open(tmp_path: Path) -> None:
    clock = Clock()
    path = tmp_path / "keys.yaml"
    async with client_of(make_app(Guard(Identifier(WatchedKeys(path, clock=clock))))) as http:
        assert (await http.get("/read")).status_code == 200
        new = make_key("first", READ_WRITE, "all")
        change_keys(path, lambda _: (new.entry,))
        clock.now = 1
        check_problem(await http.get("/read"), 401)
        assert (await http.get("/read", headers={"X-API-Key": new.key})).status_code == 200
        path.unlink()
        clock.now = 2
        check_problem(await http.get("/read"), 401)


def test_openapi_says_who_may(world: World) -> None:
    document = world.app.openapi()
    assert document["components"]["securitySchemes"].keys() == {"bearer", "apiKey"}
    operation = document["paths"]["/read"]["get"]
    assert operation["security"] == [{"bearer": []}, {"apiKey": []}]
    assert operation["responses"].keys() >= {"401", "403", "429"}
    assert "security" not in document["paths"]["/open"]["get"]
    assert "securitySchemes" not in make_app(Guard()).openapi().get("components", {})


@pytest.fixture
def own(clean_environment: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    clean_environment.setenv("HM_DATA_DIR", str(tmp_path))
    return clean_environment


PUBLIC, LOOPBACK = "0.0.0.0", "127.0.0.1"


def test_a_service_without_keys_stays_on_this_machine(own: pytest.MonkeyPatch) -> None:
    assert not make_guard(load_settings(), LOOPBACK).guarded
    with pytest.raises(Refusal, match=r"0\.0\.0\.0 .* hm keys create .* HM_HTTP__INSECURE"):
        make_guard(load_settings(), PUBLIC)
    assert not make_guard(load_settings(http={"insecure": True}), PUBLIC).guarded


@pytest.mark.parametrize("revoked", [False, True])
def test_with_a_key_file_it_may_be_public(own: pytest.MonkeyPatch, tmp_path: Path, revoked: bool) -> None:
    """A file whose keys are all revoked lets nobody in: that is guarded too."""
    entry = make_key("a", READ_WRITE, "all").entry
    if revoked:
        entry = entry.model_copy(update={"revoked": datetime.now(UTC)})
    change_keys(tmp_path / "keys.yaml", lambda _: (entry,))
    assert make_guard(load_settings(), PUBLIC).guarded


def test_with_keys_in_the_settings_or_tokens_it_may_be_public(own: pytest.MonkeyPatch) -> None:
    import json

    from hybrid_memory.runtime.access.managing import create_key

    made = json.loads(create_key("a", [], True, [], None, None, no_file=True, as_json=True))
    own.setenv("HM_HTTP__KEYS", json.dumps([made["entry"]]))
    assert make_guard(load_settings(), PUBLIC).guarded
    own.delenv("HM_HTTP__KEYS")
    own.setenv("HM_HTTP__JWT__SECRET", SECRET)
    assert make_guard(load_settings(), PUBLIC).guarded


def test_a_key_file_that_is_named_must_be_there(own: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own.setenv("HM_HTTP__KEYS_FILE", str(tmp_path / "elsewhere.yaml"))
    with pytest.raises(Refusal, match=r"HM_HTTP__KEYS_FILE.*hm keys create"):
        make_guard(load_settings(), LOOPBACK)


@pytest.mark.parametrize(
    ("settings", "limited"),
    [
        ({}, False),
        ({"insecure": True}, True),
        ({"rate_per_second": 5.0}, True),
        ({"rate_per_second": 0.0, "insecure": True}, False),
    ],
)
async def test_when_there_is_a_rate(own: pytest.MonkeyPatch, settings: dict[str, Any], limited: bool) -> None:
    guard = make_guard(load_settings(http=settings | {"rate_burst": 3}), LOOPBACK)
    async with client_of(make_app(guard)) as http:
        codes = {(await http.get("/read")).status_code for _ in range(20)}
    assert codes == ({200, 429} if limited else {200})
