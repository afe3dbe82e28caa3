"""`hm replay work` with a classifier that tests know: python -m tests.replay_process JOB, or --all"""

import sys

from hybrid_memory.cli.main import explain
from hybrid_memory.runtime.settings import load_settings
from tests.stream_process import open_known


def main() -> None:
    from hybrid_memory.replay.run import work, work_on_all

    try:
        if sys.argv[1] == "--all":
            work_on_all(load_settings(), open_known)
            sys.exit(0)
        job = work(load_settings(), sys.argv[1], open_known)
    except Exception as error:
        sentence, code = explain(error)
        print(f"hm: {sentence}", file=sys.stderr)
        sys.exit(code)
    sys.exit(0 if job.finished else 1)


if __name__ == "__main__":
    main()
