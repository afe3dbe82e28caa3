"""`hm classify stream` with a classifier that tests know: python -m tests.stream_process

What it does is said by `HM_TEST_CLASSIFIER`, the fields of `Manner` as JSON.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hybrid_memory.classifier.choose import Choice
from hybrid_memory.classifier.port import Answer, Classifier, Maker
from hybrid_memory.cli.main import explain
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.settings import Settings, load_settings

MAKER = Maker("llm", model="known", revision="1", prompt="p1")
NAME = "HM_TEST_CLASSIFIER"


@dataclass(frozen=True, slots=True)
class Manner:
    """How a known classifier behaves."""

    batch_size: int = 16
    rate: float = 0.0
    """Texts a second; 0: at once."""
    fails_on: str = ""
    """A word in a text that makes it raise."""
    hangs_on: str = ""
    """A word in a text on which it never comes back."""
    away: str = ""
    """A file; while it is there, the classifier is not."""
    faulty: bool = False
    """Whether its answers break the contract in a way that nobody foresaw."""

    @property
    def env(self) -> dict[str, str]:
        return {NAME: json.dumps(asdict(self))}


def answer(text: str) -> tuple[str, ...]:
    """What the known classifier says of a text."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return (f"about {digest[:6]}", f"like {digest[6:10]}")


class Known(Classifier):
    """Answers from the text alone, at a known speed."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self.busy = 0.0
        """Seconds that it has spent on texts."""

    @property
    def maker(self) -> Maker:
        return MAKER

    @property
    def batch_size(self) -> int:
        return self._manner.batch_size

    def classify(self, texts: Sequence[str]) -> list[Answer]:
        manner, began = self._manner, time.monotonic()
        if manner.away and Path(manner.away).exists():
            raise Unavailable("the known classifier is away")
        if manner.fails_on and any(manner.fails_on in text for text in texts):
            raise ValueError(f"it cannot stand {manner.fails_on}")
        while manner.hangs_on and any(manner.hangs_on in text for text in texts):
            time.sleep(1)
        if manner.rate:
            time.sleep(len(texts) / manner.rate)
        self.busy += time.monotonic() - began
        if manner.faulty and len(texts) > 1:
            return [None for _ in texts]  # type: ignore[misc]
        return [Answer(answer(text), MAKER, tokens=len(text.split())) for text in texts]


def manner() -> Manner:
    """The one that the environment describes."""
    return Manner(**json.loads(os.environ.get(NAME, "{}")))


def open_known(settings: Settings) -> tuple[Classifier, Choice]:
    """The classifier that the environment describes."""
    return Known(manner()), Choice("qwen", "the tests say so")


def main() -> None:
    from hybrid_memory.classifier.stream.run import run_stream

    try:
        run_stream(load_settings(), open_known)
    except Exception as error:
        sentence, code = explain(error)
        print(f"hm: {sentence}", file=sys.stderr)
        sys.exit(code)


if __name__ == "__main__":
    main()
