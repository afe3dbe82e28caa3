"""An application with Mem0 and a tap, to be killed: python -m tests.mem0_app FOLDER"""

import sys
from itertools import count
from pathlib import Path

from hybrid_memory.client import MemoryClient
from hybrid_memory.mem0 import tap
from tests.mem0_oss import open_memory


def main() -> None:
    memory = open_memory(Path(sys.argv[1]))
    with MemoryClient() as client, tap(memory, client):
        for number in count():
            added = memory.add(f"number {number}", user_id="u", infer=False)["results"][0]["id"]
            if number % 3 == 1:
                memory.update(added, text=f"number {number}, corrected")
            if number % 3 == 2:
                memory.delete(added)
            print(number, flush=True)


if __name__ == "__main__":
    main()
