"""Replays on the real broker: what is classified, what is passed over, what is kept, and where it goes on."""

from hybrid_memory.classifier.ruled import RuleClassifier
from hybrid_memory.classifier.rules import default_rules
from hybrid_memory.replay.starting import ReplayRequest
from hybrid_memory.replay.store import find_job, load_jobs
from hybrid_memory.schemas import MEMORIES, NewRecord
from hybrid_memory.schemas.replays import ReplayFilters
from tests.integration.replay.world import ReplayWorld
from tests.stream_process import Manner, answer

RULES = RuleClassifier(default_rules())


def test_all_that_still_holds_is_classified_once(log: ReplayWorld) -> None:
    first = log.add("tea I drink tea", "jazz I like jazz", "moved I live in Oslo", "gone I am tired")
    log.classify(first, RULES)
    log.add("own I was tagged", classifiers=("mine",), pinned=True)
    log.world.send(NewRecord(MEMORIES, b"ann/poison", b"no JSON"))
    log.add("moved I live in Rome")
    log.delete("gone")
    job = log.replay()
    assert job.finished
    assert job.definition.generation == 2
    facts = log.facts(2)
    assert {name: [fact.classifiers for fact in same] for name, same in facts.items()} == {
        "tea": [answer("tea I drink tea")],
        "jazz": [answer("jazz I like jazz")],
        "moved": [answer("moved I live in Rome")],
    }
    assert (job.classified, job.failed) == (3, 0)
    assert job.skipped == {"newer": 2, "deleted": 1, "provided": 1, "unreadable": 1}
    results = log.results(job)
    assert {name: result.fact for name, result in results.items()} == {name: same[0] for name, same in facts.items()}
    before = results["tea"].before
    assert before is not None
    assert (before.provenance.source, before.provenance.generation) == ("rules", 1)
    assert results["moved"].before is None
    assert [known.id for known in load_jobs(log.settings)] == [job.id]
    assert find_job(log.settings, job.id[-4:]).ratio == 1.0


def test_a_shadow_writes_only_to_its_own_topic(log: ReplayWorld) -> None:
    log.add("tea I drink tea", "bad KRYPTONITE")
    job = log.replay(ReplayRequest(shadow=True), Manner(fails_on="KRYPTONITE"))
    assert log.facts(2) == {}
    assert log.letters() == []
    results = log.results(job)
    assert results["tea"].fact.classifiers == answer("tea I drink tea")
    assert results["bad"].fact.provenance.source == "rules"
    assert "cannot stand KRYPTONITE" in (results["bad"].failure or "")
    assert (job.classified, job.failed) == (2, 1)


def test_what_cannot_be_classified_is_left_to_the_rules_with_a_dead_letter(log: ReplayWorld) -> None:
    log.add("tea I drink tea", "bad KRYPTONITE")
    log.replay(manner=Manner(fails_on="KRYPTONITE"))
    assert log.letters() == ["classify"]
    [fact] = log.facts(2)["bad"]
    assert fact.provenance.source == "rules"


def test_filters_mean_users_labels_sources_and_what_is_stale(log: ReplayWorld) -> None:
    ann = log.add("tea I drink tea every day", "chess I play chess")
    log.add("swim I swim", user="bob")
    log.classify(ann[:1], RULES)
    labels = log.results(log.replay(ReplayRequest(ReplayFilters(labels=("no such label",)), shadow=True)))
    assert labels == {}
    assert set(log.results(log.replay(ReplayRequest(ReplayFilters(users=("bob",)), shadow=True)))) == {"swim"}
    keys = ReplayFilters(keys=("ann/chess", "bob/swim"))
    assert set(log.results(log.replay(ReplayRequest(keys, shadow=True)))) == {"chess", "swim"}
    llm = log.replay(ReplayRequest(ReplayFilters(sources=("llm",)), shadow=True))
    assert log.results(llm) == {}
    stale = log.replay(ReplayRequest(ReplayFilters(stale=True)))
    assert stale.definition.generation == 1
    assert set(log.results(stale)) == {"chess", "swim"}
    assert stale.skipped == {"has one": 1}
    assert log.replay(ReplayRequest(ReplayFilters(stale=True))).classified == 0
    assert set(log.results(log.replay(ReplayRequest(ReplayFilters(sources=("llm",)), shadow=True)))) == {
        "chess",
        "swim",
    }
