"""Reconciliation of a (fake) platform with the log: what differs is hinted at, and published."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from hybrid_memory.classifier import default_rules
from hybrid_memory.classifier.remote.service import ServiceClassifier
from hybrid_memory.classifier.ruled import RuleClassifier
from hybrid_memory.mem0 import reconcile
from hybrid_memory.mem0.publish import publish_once
from hybrid_memory.mem0.reconcile import Tally
from hybrid_memory.mem0.sync import Round, Sync, SyncRequest, opened_sync
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import Memory
from tests.integration.mem0.logs import hints, memories
from tests.integration.mem0.platform import FakePlatform
from tests.integration.mem0.world import records
from tests.unit.classifier.serving import service_over


class Watcher:
    """A display that nobody sees."""

    def __init__(self) -> None:
        self.total, self.compared = 0, list[int]()

    def begin(self, total: int) -> None:
        self.total = total

    def show(self, tally: Tally) -> None:
        self.compared.append(tally.listed)


Begin = Callable[..., Sync]


@pytest.fixture
def begin(settings: Settings) -> Iterator[Begin]:
    """Begins a sync, as a new process would."""
    with ExitStack() as stack:

        def begun(used: Settings = settings, **request: object) -> Sync:
            wanted = SyncRequest(**request)  # type: ignore[arg-type]
            return stack.enter_context(opened_sync(used, wanted, threading.Event()))

        yield begun


def kinds(done: Round) -> dict[str, int]:
    return {kind: count for kind, count in done.tally.kinds.items() if count}


def published(settings: Settings) -> dict[str, Memory]:
    """What the log says when all hints are followed."""
    publish_once(settings, threading.Event())
    return memories(settings)


def test_all_kinds_of_owners_are_imported_without_a_second_read(
    platform: FakePlatform, settings: Settings, begin: Begin
) -> None:
    owners = [{"user_id": "maya"}, {"agent_id": "desk"}, {"app_id": "shop"}, {"run_id": "r1"}]
    for number in range(240):
        platform.store.add(f"note {number}", owners[number % 4])
    platform.store.add("of two", {"user_id": "maya", "agent_id": "desk"})
    display = Watcher()
    done = begin().round(display)
    assert kinds(done) == {"missing": 241}
    assert done.tally.hinted == done.waiting == 241
    assert display.total == 242
    assert display.compared[-1] == 242
    found = published(settings)
    assert sorted(memory.text for memory in found.values()) == sorted(row["memory"] for row in platform.store.all())
    assert {memory.user_id for memory in found.values()} == {"maya", "agent:desk", "app:shop", "run:r1"}
    assert platform.called("/v1/memories/{memory_id}/") == 0
    assert kinds(begin().round(Watcher())) == {}


def test_what_is_missing_different_and_gone_is_mended(platform: FakePlatform, settings: Settings, begin: Begin) -> None:
    same, changed, deleted = (platform.store.add(text, {"user_id": "maya"})["id"] for text in ("a", "b", "c"))
    sync = begin()
    sync.round(Watcher())
    published(settings)
    platform.store.change(changed, memory="other", metadata={"n": 1})
    platform.store.delete(deleted)
    platform.store.add("new", {"user_id": "bo"})
    dry = begin(dry_run=True).round(Watcher())
    assert {(one.kind, one.memory_id, one.what) for one in dry.shown if one.kind != "missing"} == {
        ("different", changed, "text, metadata"),
        ("gone", deleted, ""),
    }
    assert dry.waiting == dry.tally.hinted == 0
    assert kinds(dry) == {"missing": 1, "different": 1, "gone": 1}
    assert kinds(sync.round(Watcher())) == {"missing": 1, "different": 1, "gone": 1}
    assert {memory.text for memory in published(settings).values()} == {"a", "other", "new"}
    assert kinds(sync.round(Watcher())) == {}
    assert same


def test_only_given_users_are_reconciled(platform: FakePlatform, settings: Settings, begin: Begin) -> None:
    gone = [platform.store.add(text, {"user_id": text})["id"] for text in ("ada", "bo")]
    begin().round(Watcher())
    published(settings)
    for memory_id in gone:
        platform.store.delete(memory_id)
    for user in ("ada", "bo", "cy"):
        platform.store.add(f"new of {user}", {"user_id": user})
    done = begin(users=("ada", "cy")).round(Watcher())
    assert kinds(done) == {"missing": 2, "gone": 1}
    assert {memory.text for memory in published(settings).values()} == {"bo", "new of ada", "new of cy"}


def test_what_waits_for_the_publisher_is_not_hinted_at_again(platform: FakePlatform, begin: Begin) -> None:
    first = platform.store.add("a", {"user_id": "maya"})["id"]
    assert begin().round(Watcher()).tally.hinted == 1
    platform.store.add("b", {"user_id": "maya"})
    done = begin().round(Watcher())
    assert kinds(done) == {"waiting": 1, "missing": 1}
    assert done.tally.hinted == 1
    platform.store.change(first, memory="c")
    assert kinds(begin().round(Watcher())) == {"waiting": 1, "missing": 1}


def test_who_follows_the_hints_is_waited_for_now_and_then(
    platform: FakePlatform, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "AHEAD", 100)
    for number in range(450):
        platform.store.add(f"note {number}", {"user_id": "maya"})
    sync, waiting = begin(), list[int]()
    sync.round(Watcher(), keep_up=lambda: waiting.append(sync.waiting()))
    assert waiting == [200, 400]
    ends = sync.ends()
    platform.store.add("one more", {"user_id": "maya"})
    sync.round(Watcher())
    assert (sync.waiting(ends), sync.waiting()) == (450, 451)


def test_another_projects_memories_are_not_gone(platform: FakePlatform, settings: Settings, begin: Begin) -> None:
    platform.store.add("a", {"user_id": "maya"})
    begin().round(Watcher())
    published(settings)
    with FakePlatform(project="proj_2").running() as other:
        elsewhere = settings.mem0.model_copy(update={"url": other.url})
        assert kinds(begin(settings.model_copy(update={"mem0": elsewhere})).round(Watcher())) == {}


def test_what_cannot_be_a_memory_here_is_told(platform: FakePlatform, settings: Settings, begin: Begin) -> None:
    platform.store.add("x" * 20_000, {"user_id": "maya"})
    [one] = begin(dry_run=True).round(Watcher()).shown
    assert (one.kind, "at most 16384" in one.what) == ("refused", True)
    begin().round(Watcher())
    assert published(settings) == {}
    assert len(records(settings, "dlq.mem0.hints")) == 1


def test_what_cannot_be_a_memory_here_is_dead_lettered_once_in_each_state(
    platform: FakePlatform, settings: Settings, begin: Begin
) -> None:
    memory_id = platform.store.add("fits", {"user_id": "maya"})["id"]
    begin().round(Watcher())
    assert len(published(settings)) == 1
    platform.store.change(memory_id, memory="x" * 20_000)
    sync = begin()
    rounds = []
    for again in (sync, sync, begin()):  # a restarted one knows it too
        rounds.append(again.round(Watcher()).tally)
        published(settings)
    assert [(tally.kinds["refused"], tally.kinds["gone"], tally.hinted) for tally in rounds] == [
        (1, 0, 1),
        (1, 0, 0),
        (1, 0, 0),
    ]
    assert len(records(settings, "dlq.mem0.hints")) == 1
    platform.store.change(memory_id, memory="y" * 20_000)
    assert sync.round(Watcher()).tally.hinted == 1
    published(settings)
    assert len(records(settings, "dlq.mem0.hints")) == 2


def test_an_import_is_classified_beforehand(platform: FakePlatform, settings: Settings, begin: Begin) -> None:
    texts = ["I love sushi", "My sister lives in Oslo", "zzz"]
    ids = [platform.store.add(text, {"user_id": "maya"})["id"] for text in texts]
    with service_over(RuleClassifier(default_rules())) as url:
        used = settings.model_copy(update={"classifier_service_url": url})
        done = begin(used, classify=True).round(Watcher())
    assert (done.tally.hinted, done.tally.classified) == (3, 2)
    assert done.tally.classifying_seconds > 0
    made = {memory.text: memory.classifiers for memory in published(settings).values()}
    assert made["I love sushi"] == ("cuisine type",)
    assert made["My sister lives in Oslo"] == ("residence", "family")
    assert made["zzz"] is None  # left to the rules and the stream
    # They are no difference, and stay where nothing else changes.
    assert kinds(begin().round(Watcher())) == {}
    platform.store.change(ids[0], memory="I love soup")
    begin().round(Watcher())
    assert {memory.text: memory.classifiers for memory in published(settings).values()}["I love soup"] is None


def test_a_classifier_that_is_away_is_waited_for(
    platform: FakePlatform, settings: Settings, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.store.add("I love sushi", {"user_id": "maya"})
    with service_over(RuleClassifier(default_rules())) as url:
        sync = begin(settings.model_copy(update={"classifier_service_url": url}), classify=True)
        assert isinstance(sync._classifier, ServiceClassifier)
        answers = [Unavailable("away", 0.01), Unavailable("away", 0.01)]
        classify = sync._classifier.classify
        monkeypatch.setattr(sync._classifier, "classify", lambda texts: _raise_first(answers) or classify(texts))
        assert sync.round(Watcher()).tally.classified == 1
    assert answers == []


def _raise_first(errors: list[Unavailable]) -> object:
    if errors:
        raise errors.pop()
    return None


def test_what_contradicts_the_settings_is_refused(settings: Settings, begin: Begin) -> None:
    with pytest.raises(Refusal, match="CLASSIFIER_SERVICE_URL"):
        begin(classify=True)
    provided = settings.mem0.model_copy(update={"categories": "provided"})
    with pytest.raises(Refusal, match="leave out --classify"):
        begin(settings.model_copy(update={"mem0": provided}), classify=True)


@pytest.mark.parametrize("old", [True, False])
def test_pages_that_shift_and_a_platform_that_fails_lose_nothing(
    platform: FakePlatform, settings: Settings, begin: Begin, old: bool
) -> None:
    rows = [platform.store.add(f"note {number}", {"user_id": "maya"})["id"] for number in range(300)]
    if old:
        for row in platform.store._rows.values():
            row["updated_at"] = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    small = settings.model_copy(update={"mem0": settings.mem0.model_copy(update={"page_size": 20})})
    platform.faults.failing, platform.faults.limited, platform.faults.retry_after = 0.1, 0.1, 0.01

    class Meddler(Watcher):
        def show(self, tally: Tally) -> None:
            """Something happens after every page."""
            super().show(tally)
            number = len(self.compared)
            platform.store.delete(rows[number])
            platform.store.change(rows[-number], memory=f"changed {number}")

    begin(small).round(Meddler())
    platform.faults.failing = platform.faults.limited = 0
    assert {hint.mem0_id for hint in hints(settings)} >= {row["id"] for row in platform.store.all()}
    begin().round(Watcher())
    expected = sorted(row["memory"] for row in platform.store.all())
    assert sorted(memory.text for memory in published(settings).values()) == expected


@pytest.mark.parametrize(
    ("mem0", "says"),
    [
        ({"api_key": None}, "no Mem0 is named"),
        ({"url": "http://127.0.0.1:9"}, "does not answer"),
    ],
)
def test_it_refuses_to_begin(settings: Settings, begin: Begin, mem0: dict[str, object], says: str) -> None:
    wrong = settings.model_copy(update={"mem0": settings.mem0.model_copy(update=mem0)})
    with pytest.raises(Refusal, match=says):
        begin(wrong)
