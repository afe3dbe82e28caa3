"""Each fault of a taxonomy is seen, and the sentence says what to mend."""

from collections.abc import Sequence

import numpy as np

from hybrid_memory.classifier import Label, Rules, Taxonomy, default_taxonomy
from hybrid_memory.classifier.fast import FastClassifier
from hybrid_memory.classifier.prototypes import Matrix, Prototypes
from hybrid_memory.classifier.review import Fault, review_meaning, review_words


def label(name: str, *keywords: str, examples: Sequence[str] = ()) -> Label:
    return Label(
        name=name, description=name, keywords=keywords or (name,), examples=tuple(examples) or (f"about {name}",)
    )


def taxonomy(*labels: Label) -> Taxonomy:
    return Taxonomy(version="t", labels=labels)


def meaning(examples: Sequence[Sequence[Sequence[float]]], *labels: Label) -> list[Fault]:
    vectors: list[Matrix] = [np.array(rows, np.float32) for rows in examples]
    whole = taxonomy(*labels)
    return review_meaning(whole, vectors, FastClassifier(Rules(whole), Prototypes(vectors)))


def test_the_shipped_one_is_well_worded() -> None:
    assert review_words(default_taxonomy()) == []


def test_a_key_word_of_two_labels() -> None:
    cats, dogs = label("cats", "cat", "fur", "paw"), label("dogs", "dog", "FUR", "bark")
    [fault] = review_words(taxonomy(cats, dogs))
    assert (fault.kind, fault.labels) == ("shared key word", ("cats", "dogs"))
    assert fault.says == "the key word 'fur' stands under 'cats' and 'dogs'; leave it where it says most"


def test_what_stands_twice_in_a_label_is_one_fault_beside_others() -> None:
    faults = review_words(taxonomy(label("cats", "cat", "Cat", "paw"), label("dogs", "dog", "cat")))
    assert [fault.says for fault in faults] == [
        "label 'cats': key word 'Cat' stands twice",
        "the key word 'cat' stands under 'cats' and 'dogs'; leave it where it says most",
        "'cats' and 'dogs' have 1 key word in common; one label may do for both",
    ]


def test_two_labels_of_the_same_words() -> None:
    faults = review_words(taxonomy(label("cats", "cat", "kitten"), label("felines", "cat", "kitten", "lion")))
    assert [fault.kind for fault in faults] == ["shared key word", "shared key word", "overlap"]
    assert faults[-1].says == "'cats' and 'felines' have 2 key words in common; one label may do for both"


def test_an_example_of_two_labels() -> None:
    cats, dogs = label("cats", examples=["It is furry."]), label("dogs", examples=["it is furry"])
    assert [fault.kind for fault in review_words(taxonomy(cats, dogs))] == ["shared example"]


def test_a_label_without_examples() -> None:
    bare = Label(name="cats", description="cats", keywords=("cat",))
    [fault] = review_words(taxonomy(bare))
    assert fault.says == "'cats' has no examples, so only its key words show it"


def test_two_labels_of_the_same_meaning() -> None:
    rows = [[1.0, 0.0, 0.0], [0.8, 0.6, 0.0]]
    faults = meaning([rows[:1], rows[1:], [[0.0, 0.0, 1.0]]], label("cats"), label("felines"), label("boats"))
    assert [(fault.kind, fault.labels) for fault in faults] == [("overlap", ("cats", "felines"))]
    assert "cosine 0.80" in faults[0].says


def test_an_example_that_is_taken_for_others() -> None:
    """It lies between the examples of three other labels, and has their key words."""
    axes, between = np.eye(4).tolist(), [3**-0.5] * 3 + [0.0]
    others = [label(name) for name in "abc"]
    [fault] = meaning([*([row] for row in axes[:3]), [between]], *others, label("mine", examples=["a b c"]))
    assert (fault.kind, fault.says) == ("unreached", "'mine' is reached by none of its own examples")
    mine = label("mine", examples=["a b c", "fine"])
    [fault] = meaning([*([row] for row in axes[:3]), [between, axes[3]]], *others, mine)
    assert fault.says == "the example 'a b c' of 'mine' is taken for 'a', 'b' and 'c'"
