"""The answers that a taxonomy allows, as a trie of tokens: "none", or up to three labels with commas between."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hybrid_memory.classifier.qwen.labels import MAX_LABELS, NONE
from hybrid_memory.classifier.qwen.tokens import Tokens

_COMMA = ", "
NO_LABEL = -1


@dataclass(slots=True)
class Node:
    """What may follow what has been written, and the number of the label that is complete here."""

    children: dict[int, "Node"] = field(default_factory=dict)
    label: int = NO_LABEL

    def walk(self) -> Iterator["Node"]:
        """This node and all below it."""
        yield self
        for child in self.children.values():
            yield from child.walk()


class Trie:
    """How each label is spelt as the first of an answer and as a later one, and how an answer ends.

    Raises:
        ValueError: the tokenizer does not let these labels be told apart.
    """

    def __init__(self, labels: Sequence[str], tokens: Tokens, end: int) -> None:
        if NONE in labels:
            raise ValueError(f"label {NONE!r} cannot be used: it is the answer where nothing fits")
        self.labels = tuple(labels)
        self.end = end
        self.first = _grown([tokens.words(label) for label in (*labels, NONE)])
        later = [tokens.words(f"{NONE}{_COMMA}{label}")[len(tokens.words(NONE)) :] for label in labels]
        commas = {spelt[0] for spelt in later}
        if len(commas) != 1:
            raise ValueError("the tokenizer joins the comma to the labels that follow it")
        [self.comma] = commas
        self.later = _grown([spelt[1:] for spelt in later])
        self.longest = (1 + max(map(len, later))) * MAX_LABELS
        """More tokens than any answer has, its end included."""

    def read(self, answer: Sequence[int]) -> tuple[str, ...]:
        """The labels that an answer (without its end) spells."""
        found, node = [], self.first
        for token in [*answer, self.end]:
            if token in node.children:
                node = node.children[token]
            elif node.label != NO_LABEL:
                found.append(node.label)
                node = self.later
        return tuple(self.labels[label] for label in found if label < len(self.labels))


def _grown(spellings: Sequence[Sequence[int]]) -> Node:
    root = Node()
    for label, spelling in enumerate(spellings):
        node = root
        for token in spelling:
            node = node.children.setdefault(token, Node())
        if not spelling or node.label != NO_LABEL:
            raise ValueError("the tokenizer does not tell all labels apart")
        node.label = label
    return root
