"""An application with Mem0 and a tap, to be killed: python -m tests.mem0_app FOLDER [METHOD before|after]

With a method of Mem0's store it kills itself at the third call of it: before the store has done it, or right after.
"""

import os
import signal
import sys
from itertools import count
from pathlib import Path
from typing import Any

from hybrid_memory.client import MemoryClient
from hybrid_memory.mem0 import tap
from tests.mem0_oss import open_memory


def main() -> None:
    memory = open_memory(Path(sys.argv[1]))
    if len(sys.argv) > 2:
        die(memory.vector_store, *sys.argv[2:])
    with MemoryClient() as client, tap(memory, client):
        for number in count():
            added = memory.add(f"number {number}", user_id="u", infer=False)["results"][0]["id"]
            if number % 3 == 1:
                memory.update(added, text=f"number {number}, corrected")
            if number % 3 == 2:
                memory.delete(added)
            print(number, flush=True)


def die(store: Any, method: str, moment: str) -> None:
    """Replace a method of the store."""
    original, calls = getattr(store, method), count(1)

    def call(**given: Any) -> Any:
        last = next(calls) == 3
        done = None if last and moment == "before" else original(**given)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    setattr(store, method, call)


if __name__ == "__main__":
    main()
