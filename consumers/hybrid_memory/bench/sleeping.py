"""The classifier stream with a classifier of known speed: python -m hybrid_memory.bench.sleeping RATE BATCH_SIZE"""

import sys
import time
from collections.abc import Sequence

from hybrid_memory.classifier.choose import Choice
from hybrid_memory.classifier.port import Answer, Classifier, Maker
from hybrid_memory.classifier.stream.run import run_stream
from hybrid_memory.runtime.settings import Settings, load_settings

_MAKER = Maker("llm", model="one that sleeps")


class Sleeping(Classifier):
    """Answers a batch after as long as so many texts a second take."""

    def __init__(self, rate: float, batch_size: int) -> None:
        self._rate, self._batch_size = rate, batch_size

    @property
    def maker(self) -> Maker:
        return _MAKER

    @property
    def batch_size(self) -> int:
        return self._batch_size

    def classify(self, texts: Sequence[str]) -> list[Answer]:
        time.sleep(len(texts) / self._rate)
        return [Answer(("asleep",), _MAKER, tokens=1)] * len(texts)


def main() -> None:
    """Run the stream until told to stop."""
    rate, batch_size = float(sys.argv[1]), int(sys.argv[2])

    def opened(_: Settings) -> tuple[Classifier, Choice]:
        return Sleeping(rate, batch_size), Choice("qwen", "its speed is known")

    run_stream(load_settings(), opened)


if __name__ == "__main__":
    main()
