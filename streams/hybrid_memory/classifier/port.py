"""The classifier port: texts in, classifiers and who made them out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Maker:
    """Who makes classifiers: the part of their provenance that is the same for every text."""

    source: Literal["rules", "llm"]
    model: str | None = None
    revision: str | None = None
    prompt: str | None = None
    """Version of the prompt."""
    taxonomy: str | None = None
    """Version of the taxonomy or of the rules."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a classifier says of one text.

    No classifiers and no `fault` means that nothing fits, which is an answer too. `fault` says in a sentence why this
    text cannot be classified, now or ever. `tokens` is how many the model read and wrote for this text alone.
    """

    classifiers: tuple[str, ...]
    maker: Maker
    fault: str | None = None
    tokens: int = 0


class Classifier(ABC):
    """Gives each text at most 16 classifiers: short lower-case noun phrases of 1 to 64 characters.

    Texts are data. What stands in one changes neither the form of an answer nor the answer of another text.
    """

    @property
    @abstractmethod
    def maker(self) -> Maker:
        """Who answers, unless an answer names another."""

    @property
    @abstractmethod
    def batch_size(self) -> int:
        """How many texts at once it is fastest with."""

    @abstractmethod
    def classify(self, texts: Sequence[str]) -> list[Answer]:
        """One answer a text, in their order; each the one that its text would get alone. Blocks.

        Called from one thread at a time.

        Raises:
            Unavailable: what it needs is away for a while; ask again with the same texts.
            Exception: at least one of these texts is too much for it; ask with fewer, down to the one.
        """

    def close(self) -> None:
        """Give back what it holds. May be called twice."""
        return
