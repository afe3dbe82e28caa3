"""A replay's worker with a classifier of known speed: python -m hybrid_memory.bench.replaying RATE BATCH_SIZE JOB"""

import sys

from hybrid_memory.bench.sleeping import Sleeping
from hybrid_memory.classifier.choose import Choice
from hybrid_memory.classifier.port import Classifier
from hybrid_memory.replay.run import as_program, work
from hybrid_memory.runtime.settings import Settings, load_settings


def main() -> None:
    """Work until the replay is done."""
    rate, batch_size, job = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3]

    def opened(_: Settings) -> tuple[Classifier, Choice]:
        return Sleeping(rate, batch_size), Choice("qwen", "its speed is known")

    settings = load_settings()
    as_program(settings)
    work(settings, job, opened)


if __name__ == "__main__":
    main()
