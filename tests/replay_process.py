"""`hm replay work` with a classifier that tests know: python -m tests.replay_process JOB, or --all

`HM_TEST_DIES=facts:3` has it die, as by `kill -9`, right after its third batch of facts is durable, and so before the
progress is; `results:3` and `progress:3` likewise, and `classify:3` within its third batch.
"""

import os
import signal
import sys
from collections.abc import Sequence

from hybrid_memory.classifier.choose import Choice
from hybrid_memory.classifier.port import Answer, Classifier
from hybrid_memory.classifier.stream.work import Delivery
from hybrid_memory.cli.main import explain
from hybrid_memory.replay import delivering
from hybrid_memory.replay import run as run_module
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import Settings, load_settings
from hybrid_memory.schemas import NewRecord, Position
from hybrid_memory.schemas.replays import REPLAYS
from tests.stream_process import Known, manner

DIES = "HM_TEST_DIES"


class Fate:
    """Ends this process at some moment, without a last word."""

    def __init__(self, said: str) -> None:
        self._moment, _, number = said.partition(":")
        self._left = int(number or 0)

    def comes(self, moment: str) -> None:
        """This moment is now."""
        if moment == self._moment:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    fate = Fate(os.environ.get(DIES, ""))

    class Mortal(Publisher):
        def send_all(self, records: Sequence[NewRecord]) -> list[Position]:
            positions = super().send_all(records)
            if records and records[0].topic.startswith(REPLAYS):
                fate.comes("progress" if records[0].topic == REPLAYS else "results")
            return positions

    class MortalDelivery(Delivery):
        def __init__(self, publisher: Publisher, records: Sequence[NewRecord]) -> None:
            super().__init__(publisher, records)
            self._any = bool(records)

        def attempt(self) -> None:
            super().attempt()
            if self._any:
                fate.comes("facts")

    class MortalKnown(Known):
        def classify(self, texts: Sequence[str]) -> list[Answer]:
            fate.comes("classify")
            return super().classify(texts)

    def opened(settings: Settings) -> tuple[Classifier, Choice]:  # of no use here: who classifies is said by the tests
        return MortalKnown(manner()), Choice("qwen", "the tests say so")

    vars(run_module)["Publisher"], vars(delivering)["Delivery"] = Mortal, MortalDelivery
    try:
        if sys.argv[1] == "--all":
            run_module.work_on_all(load_settings(), opened)
            sys.exit(0)
        job = run_module.work(load_settings(), sys.argv[1], opened)
    except Exception as error:
        sentence, code = explain(error)
        print(f"hm: {sentence}", file=sys.stderr)
        sys.exit(code)
    sys.exit(0 if job.finished else 1)


if __name__ == "__main__":
    main()
