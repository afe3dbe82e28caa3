"""Classifiers for tests: they echo, and can be made to wait, to raise and to be away."""

import threading
from collections.abc import Sequence

from hybrid_memory.classifier.port import Answer, Classifier, Maker
from hybrid_memory.runtime.errors import Unavailable

MAKER = Maker("llm", "org/Echo-1", "abc", "p1")


class Echo(Classifier):
    """Answers with the first word of each text, lower case. What is special:

    a text with `poison` makes it raise, one with `odd` is a fault; `away` makes it Unavailable; it waits for `gate`.
    """

    def __init__(self, batch_size: int = 8) -> None:
        self._batch_size = batch_size
        self.gate = threading.Event()
        self.gate.set()
        self.began = threading.Semaphore(0)
        self.batches: list[list[str]] = []
        self.away: Unavailable | None = None
        self.closed = 0

    @property
    def maker(self) -> Maker:
        return MAKER

    @property
    def batch_size(self) -> int:
        return self._batch_size

    def classify(self, texts: Sequence[str]) -> list[Answer]:
        self.batches.append(list(texts))
        self.began.release()
        assert self.gate.wait(20)
        if self.away is not None:
            raise self.away
        if any("poison" in text for text in texts):
            raise RuntimeError("s3cret")
        return [self._answer(text) for text in texts]

    def _answer(self, text: str) -> Answer:
        if "odd" in text:
            return Answer((), MAKER, "this text is odd")
        return Answer((text.split()[0].lower(),), MAKER, tokens=1)

    def close(self) -> None:
        self.closed += 1
