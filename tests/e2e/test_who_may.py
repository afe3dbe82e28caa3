"""`hm keys` and `hm serve` together, as people use them: make a key, use it, revoke it."""

import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import made_topics
from tests.e2e.problems import check_problem
from tests.e2e.programs import Service, environment, run, until
from tests.e2e.test_refusals import check_refusal
from tests.unit.access.issuer import SECRET, signed


def keys(folder: Path, *arguments: str) -> str:
    """What `hm keys` prints on standard output."""
    done = run("keys", *arguments, env=environment(HM_DATA_DIR=str(folder)))
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def guarded(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    """A service that asks, and a key for ada."""
    topic_prefix, folder = f"may{uuid.uuid4().hex[:8]}.", tmp_path_factory.mktemp("may")
    made_topics(kafka, topic_prefix)
    key = keys(folder, "create", "ada's phone", "--user", "ada")
    tokens = {"HM_HTTP__JWT__SECRET": SECRET, "HM_HTTP__RATE_BURST": "30", "HM_HTTP__RATE_PER_SECOND": "20"}
    service = Service.start(kafka, topic_prefix, folder, **tokens)
    try:
        yield service.until_ready(), key
    finally:
        assert service.stop() == 0
        said = service.program.said
    assert "Traceback" not in said
    assert key not in said
    assert SECRET not in said
    assert "there are no keys" not in said


def test_a_key_from_its_making_to_its_end(guarded: tuple[Service, str]) -> None:
    service, key = guarded
    folder = service.folder
    http, headers = service.http, {"Authorization": f"Bearer {key}"}
    memory = {"user_id": "ada", "text": "I love sushi"}
    check_problem(http.post("/add_memory", json=memory), 401)
    assert http.post("/add_memory", json=memory, headers=headers).json()["searchable"]
    check_problem(http.post("/add_memory", json=memory | {"user_id": "bob"}, headers=headers), 403)
    check_problem(http.get("/metrics", headers=headers), 403)
    search = {"user_id": "ada", "context": "sushi"}
    assert len(http.post("/search", json=search, headers=headers).json()["memories"]) == 1

    everybody = {"X-API-Key": keys(folder, "create", "agent", "--all-users")}
    until(lambda: http.get("/list_users", headers=everybody).status_code == 200, 5)
    batch = {"memories": [memory | {"user_id": "bob"}, memory]}
    check_problem(http.post("/add_memories_batch", json=batch, headers=headers), 403, "memories.0.user_id")
    assert http.post("/add_memories_batch", json=batch, headers=everybody).status_code == 200
    assert http.get("/list_users", headers=everybody).json()["total_users"] == 2
    assert http.get("/list_users", headers=headers).json() == {
        "users": [{"user_id": "ada", "memory_count": 1}],
        "total_users": 1,
        "total_memories": 1,
    }
    token = {"Authorization": f"Bearer {signed(sub='bob', iss=None, aud=None)}"}
    assert http.get("/list_users", headers=token).json()["users"] == [{"user_id": "bob", "memory_count": 1}]
    check_problem(http.post("/search", json=search, headers=token), 403)

    began = time.monotonic()
    assert "is revoked" in keys(folder, "revoke", key)
    until(lambda: http.get("/list_users", headers=headers).status_code == 401, 5)
    assert time.monotonic() - began < 5
    assert http.get("/list_users", headers=everybody).status_code == 200


def test_a_rate_is_kept_by_the_service(guarded: tuple[Service, str]) -> None:
    service, _ = guarded
    key = keys(service.folder, "create", "quick", "--all-users")
    until(lambda: service.http.get("/list_users", headers={"X-API-Key": key}).status_code == 200, 5)
    codes = [service.http.get("/list_users", headers={"X-API-Key": key}).status_code for _ in range(120)]
    assert set(codes) == {200, 429}
    assert codes[:10] == [200] * 10
    reply = httpx.get(f"{service.http.base_url}/livez")
    assert reply.status_code == 200, "probes are not counted"


def test_probes_and_headers_need_no_key(guarded: tuple[Service, str]) -> None:
    service, _ = guarded
    for path in ("/livez", "/readyz", "/health", "/docs", "/openapi.json"):
        reply = service.http.get(path)
        assert reply.status_code == 200
        assert reply.headers["x-content-type-options"] == "nosniff"
    document = service.http.get("/openapi.json").json()
    assert document["components"]["securitySchemes"].keys() == {"bearer", "apiKey"}


def test_a_public_address_without_keys_is_refused(folder: Path) -> None:
    env = environment(HM_DATA_DIR=str(folder), HM_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1")
    done = run("serve", "--host", "0.0.0.0", "--port", "0", env=env)
    check_refusal(done, "0.0.0.0", "hm keys create", "--insecure", "127.0.0.1")


def test_insecure_is_an_option(folder: Path) -> None:
    """It goes on, to the next thing that is wrong."""
    env = environment(HM_DATA_DIR=str(folder), HM_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1")
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = str(taken.getsockname()[1])
        check_refusal(run("serve", "--host", "0.0.0.0", "--insecure", "--port", port, env=env), "port")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("HM_HTTP__JWT__SECRET", "sh0rt", "32 bytes"),
        ("HM_HTTP__KEYS", '[{"id": "x", "hash": "sh0rt"}]', "HM_HTTP__KEYS"),
    ],
)
def test_what_is_set_up_wrongly_is_refused(folder: Path, name: str, value: str, words: str) -> None:
    env = environment(HM_DATA_DIR=str(folder), HM_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1")
    done = run("serve", "--port", "0", env=env | {name: value})
    check_refusal(done, name, words)
    assert "sh0rt" not in done.stderr


def test_insecure_is_open_to_all(kafka: str, topic_prefix: str, folder: Path) -> None:
    made_topics(kafka, topic_prefix)
    service = Service.start(kafka, topic_prefix, folder, HM_HTTP__INSECURE="true", HM_HTTP__HOST="0.0.0.0")
    assert service.until_ready().http.get("/list_users").status_code == 200
    assert service.stop() == 0
    assert "there are no keys: whoever reaches this address" in service.program.said


def test_verify_needs_a_key_of_an_admin(guarded: tuple[Service, str]) -> None:
    service, key = guarded
    url = str(service.http.base_url)
    check_refusal(run("verify", "--url", url, env=service.env), "HM_API_KEY")
    check_refusal(run("verify", "--url", url, env={**service.env, "HM_API_KEY": key}), "admin")
    admin = keys(service.folder, "create", "operator", "--all-users", "--scope", "admin")
    headers = {"X-API-Key": admin}
    until(lambda: service.http.get("/v1/index", headers=headers).status_code in (200, 503), 5)
    done = run("verify", "--url", url, env={**service.env, "HM_API_KEY": admin})
    assert done.returncode == 0, done.stderr
    assert "equal: " in done.stdout
