"""The demo's data keeps its promises: 17 memories, a correction, a deletion, and searches that can be answered."""

from collections import Counter

from hybrid_memory.classifier import default_rules
from hybrid_memory.demo import SEARCHES, STRANGER, USER, Add, Delete, load_life

LIFE = load_life()
ADDS = [step for step in LIFE if isinstance(step, Add)]


def _final() -> dict[str, str]:
    texts: dict[str, str] = {}
    for step in LIFE:
        if isinstance(step, Add):
            texts[step.memory_id] = step.text
        else:
            del texts[step.memory_id]  # what is deleted was there
    return texts


def test_every_line_is_a_memory() -> None:
    for step in ADDS:
        memory = step.memory()
        assert (memory.user_id, memory.memory_id, memory.text) == (USER, step.memory_id, step.text)
        assert (memory.type, memory.metadata) == (step.type, step.metadata)


def test_17_memories_one_correction_one_deletion() -> None:
    said = Counter(step.memory_id for step in ADDS)
    assert len(said) == 17
    assert [memory_id for memory_id, times in said.items() if times > 1] == ["city"]
    assert said["city"] == 2
    assert [step.memory_id for step in LIFE if isinstance(step, Delete)] == ["door-code"]
    assert len({step.text for step in ADDS}) == len(ADDS) == 18


def test_six_searches_of_what_is_there() -> None:
    final = _final()
    assert len(final) == 16
    assert len(SEARCHES) == 6
    for search in SEARCHES:
        assert search.first is None or search.first in final
        assert search.empty == (search.user_id == STRANGER)


def test_the_correction_and_the_deletion_would_be_seen() -> None:
    """What must not be found was said, and only its correction, its deletion or the domain hides it."""
    final = _final()
    for search in SEARCHES:
        for absent in search.absent:
            assert any(absent in step.text for step in ADDS)
            assert search.domain or not any(absent in text for text in final.values())


def test_the_paraphrase_shares_no_word() -> None:
    paraphrase = next(search for search in SEARCHES if search.title == "Paraphrase")
    assert paraphrase.first is not None
    assert not _words(paraphrase.context) & _words(_final()[paraphrase.first])


def test_the_rules_know_what_the_searches_count_on() -> None:
    final, rules = _final(), default_rules()
    for search in SEARCHES:
        if search.domain == "places":
            assert search.first is not None
            assert rules.classify(final[search.first]).topic == "food"
            assert all(rules.classify(text).topic != "food" for text in final.values() if "jazz club" in text)
    shared = [set(rules.classify(text).classifiers) for text in ("Suggest a film for tonight", final["ghibli"])]
    assert "movie preference" in shared[0] & shared[1]


def test_every_memory_gets_a_classifier() -> None:
    assert [text for text in _final().values() if not default_rules().classify(text).classifiers] == []


def _words(text: str) -> set[str]:
    return {word.strip(".,?!").lower() for word in text.split()}
