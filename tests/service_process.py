"""`hm classify serve` with a classifier that tests know, in place of a model: python -m tests.service_process

`HM_TEST_LOADS` and `HM_TEST_TAKES`: how many seconds it takes to be loaded, and for a batch.
"""

import os
import time
from collections.abc import Sequence

from hybrid_memory.classifier.choose import Choice
from hybrid_memory.classifier.port import Answer, Classifier
from hybrid_memory.classifier.service.serve import serve
from hybrid_memory.runtime.settings import Settings, load_settings
from tests.unit.classifier.service.doubles import Echo


class SlowEcho(Echo):
    def classify(self, texts: Sequence[str]) -> list[Answer]:
        time.sleep(float(os.environ.get("HM_TEST_TAKES", "0")))
        return super().classify(texts)


def open_slowly(_: Settings) -> tuple[Classifier, Choice]:
    time.sleep(float(os.environ.get("HM_TEST_LOADS", "0")))
    return SlowEcho(), Choice("qwen", "the tests know what it says")


if __name__ == "__main__":
    serve(load_settings(), open_slowly)
