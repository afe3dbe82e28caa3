"""The receiver: who may call, what it takes, that it answers for nothing that Kafka has not, and keeps its secrets."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hybrid_memory.mem0.webhook import PATH
from hybrid_memory.mem0.webhook_manage import register, remove, show
from hybrid_memory.mem0.webhook_run import make_app
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import Settings, load_settings
from hybrid_memory.schemas.mem0 import Mem0Hint, decode_mem0
from tests.integration.mem0.platform import FakePlatform
from tests.integration.mem0.world import last, published, records, until, wanted
from tests.unit.classifier.serving import served

OLD, NEW = "old-token-0123456789abcdef", "new-token-0123456789abcdef"
ADDED = {"event_details": {"id": "a-1", "data": {"memory": "Name is Alex"}, "event": "ADD"}}


def with_webhook(settings: Settings, **webhook: Any) -> Settings:
    given = {"tokens": f"{NEW},{OLD}", **webhook}
    mem0 = {**settings.mem0.model_dump(), "webhook": given}
    return settings.model_copy(update={"mem0": type(settings.mem0).model_validate(mem0)})


def hints(settings: Settings) -> list[Mem0Hint]:
    found = [decode_mem0(record) for record in records(settings, "mem0.hints")]
    return [event for event in found if isinstance(event, Mem0Hint)]


@pytest.fixture
def receiver(settings: Settings, publisher: Publisher) -> Iterator[str]:
    with served(make_app(with_webhook(settings, max_body_bytes=2048), publisher, Metrics())) as url:
        yield url


def test_a_hint_is_in_kafka_before_the_answer(receiver: str, settings: Settings) -> None:
    for token in (OLD, NEW):
        reply = httpx.post(f"{receiver}{PATH}/{token}", json=ADDED)
        assert (reply.status_code, reply.json()) == (200, {"hints": 1})
    assert [(one.mem0_id, one.door) for one in hints(settings)] == [("a-1", "webhook")] * 2


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/wrong-token-0123456789abc", json.dumps(ADDED), 404),
        ("", json.dumps(ADDED), 404),
        (f"/{NEW}/", json.dumps(ADDED), 404),
        (f"/{NEW}", "{", 400),
        (f"/{NEW}", "[" * 5000, 413),
        (f"/{NEW}", "[" * 2000, 400),
        (f"/{NEW}", "{}", 422),
        (f"/{NEW}", '{"id": "../x"}', 422),
        (f"/{NEW}", json.dumps({**ADDED, "more": "x" * 4000}), 413),
    ],
)
def test_bad_calls_are_answered_and_leave_nothing(
    receiver: str, settings: Settings, path: str, body: str, status: int
) -> None:
    reply = httpx.post(f"{receiver}{PATH}{path}", content=body)
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert hints(settings) == []


def test_who_calls_from_elsewhere_learns_nothing(settings: Settings, publisher: Publisher) -> None:
    with served(make_app(with_webhook(settings, allow="203.0.113.0/24"), publisher, Metrics())) as url:
        assert httpx.post(f"{url}{PATH}/{NEW}", json=ADDED).status_code == 404
    with served(make_app(with_webhook(settings, allow="203.0.113.0/24,127.0.0.1"), publisher, Metrics())) as url:
        assert httpx.post(f"{url}{PATH}/{NEW}", json=ADDED).status_code == 200


def test_without_kafka_it_answers_for_nothing_and_tells_no_token(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    away = with_webhook(settings).model_copy(update={"kafka": {"bootstrap.servers": "127.0.0.1:9"}})
    metrics = Metrics()
    with Publisher(away, delivery_timeout=0.5) as publisher, served(make_app(away, publisher, metrics)) as url:
        reply = httpx.post(f"{url}{PATH}/{NEW}", json=ADDED, timeout=30)
        assert reply.status_code == 503
        assert int(reply.headers["Retry-After"]) >= 1
        assert httpx.get(f"{url}/readyz").status_code == 503
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("hybrid_memory")]
    assert any("was not taken" in message for message in ours)
    assert NEW not in " ".join(ours) + metrics.exposition().decode() + repr(away)


def test_a_token_is_needed_and_must_be_long(settings: Settings, publisher: Publisher) -> None:
    with pytest.raises(Refusal, match="hm mem0 webhook token"):
        make_app(settings, publisher, Metrics())
    with pytest.raises(Refusal, match="24 to 256 letters") as short:
        load_settings(mem0={"webhook": {"tokens": "too-short-secret"}})
    assert "too-short" not in str(short.value)
    with pytest.raises(Refusal, match="no address and no network"):
        load_settings(mem0={"webhook": {"allow": "everybody"}})


def test_it_is_managed_on_the_platform_without_showing_the_token(
    settings: Settings, platform: FakePlatform, capsys: pytest.CaptureFixture[str]
) -> None:
    mem0 = with_webhook(settings).mem0
    for _ in range(2):
        register(mem0, "https://memory.example.org/", "ours", as_json=False)
    [hook] = platform.webhooks.hooks.values()
    assert hook["url"] == f"https://memory.example.org{PATH}/{NEW}"
    assert "memory_delete" in hook["event_types"]
    show(mem0, as_json=True)
    show(mem0, as_json=False)
    remove(mem0, hook["webhook_id"])
    assert platform.webhooks.hooks == {}
    with pytest.raises(Refusal, match="no webhook wh_9"):
        remove(mem0, "wh_9")
    with pytest.raises(Refusal, match="no URL that Mem0 could call"):
        register(mem0, "memory.example.org", "ours", as_json=False)
    shown = capsys.readouterr().out
    assert "<token>" in shown
    assert NEW not in shown


def test_what_the_unchanged_client_does_arrives_by_webhooks_alone(
    receiver: str, settings: Settings, platform: FakePlatform, client: Any
) -> None:
    register(with_webhook(settings).mem0, receiver, "ours", as_json=True)
    platform.categorise = True
    with published(settings):
        for number in range(6):
            client.add(f"note {number}", user_id=f"user {number % 2}", infer=number % 2 == 0)
        until(lambda: len(platform.store.all()) == 6 and len(last(records(settings))) == 6)
        rows = platform.store.all()
        client.update(rows[0]["id"], text="another note")
        client.delete(rows[1]["id"])
        client.delete_all(user_id="user 0")
        until(lambda: last(records(settings)) == wanted(platform), why=lambda: platform.webhooks.refused)


async def test_hm_serve_takes_them_too_where_it_is_told_to(
    settings: Settings, tmp_path: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    from hybrid_memory.query.app import create_app
    from hybrid_memory.query.engine import Engine

    for in_serve, status in ((True, 200), (False, 404)):
        mine = with_webhook(settings, in_serve=in_serve).model_copy(update={"data_dir": tmp_path})
        app = create_app(mine, Engine(mine, Metrics(), lambda: None), Metrics())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
            assert (await http.post(f"{PATH}/{NEW}", json=ADDED)).status_code == status
    assert [one.mem0_id for one in hints(settings)] == ["a-1"]
