"""The embedder alone, in a process of its own: what all else is compared with."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from hybrid_memory.local.mortal import dies_with_parent
from hybrid_memory.runtime.errors import Refusal


class EmbedderAlone:
    """The embedder of these settings, as `hm serve` makes it, timed inside its own process. Use it in a `with`.

    It loads while others start; the first call waits for it.
    """

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            dies_with_parent([sys.executable, "-m", "hybrid_memory.bench.embedding"], signal.SIGKILL),
            env=os.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def seconds(self, texts: Sequence[str], callers: int = 1) -> float:
        """How long one call that embeds all of these takes; or several callers at once, each one text after another.

        Raises:
            Refusal: the process ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps([callers, *texts]).encode() + b"\n")
            self._process.stdin.flush()
            return float(self._process.stdout.readline())
        except (OSError, ValueError):
            raise Refusal("the process that embeds for comparison ended") from None


def main() -> None:
    """Answer each line (JSON: how many callers, and the texts) with the seconds that it took, until the input ends."""
    from hybrid_memory.index.embedders import make_embedder
    from hybrid_memory.runtime.settings import load_settings

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    embedder = make_embedder(load_settings())
    embedder.embed(["The first embedding pays for what is loaded late."])
    for line in sys.stdin:
        callers, *texts = json.loads(line)
        with ThreadPoolExecutor(callers) as pool:
            began = time.perf_counter()
            if callers == 1:
                embedder.embed(texts)
            else:
                list(pool.map(lambda text: embedder.embed([text]), texts))
            print(time.perf_counter() - began, file=answers, flush=True)


if __name__ == "__main__":
    main()
