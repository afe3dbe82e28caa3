"""Questions to the process that holds an embedded index: only it can read the index, so it is asked by two small files.

Who asks writes `asked.json` in the folder of the index, and whoever holds the index writes `answer.json`.
"""

import json
import os
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from hybrid_memory.index.store import VectorStore
from hybrid_memory.index.summary import Summary, from_json, summarise, to_json

_LOOK_SECONDS = 0.1


def ask(folder: Path, since: int, sample: int, timeout: float) -> Summary | None:
    """What the process that holds this index says of it; None where it has not answered within `timeout` seconds.

    As :func:`summarise`.
    """
    id_, deadline = str(uuid4()), time.monotonic() + timeout
    _write(folder / "asked.json", json.dumps({"id": id_, "since": since, "sample": sample}))
    try:
        while time.monotonic() < deadline:
            answer = _read(folder / "answer.json")
            if answer is not None and answer.get("id") == id_:
                return from_json(answer["summary"])
            time.sleep(_LOOK_SECONDS)
        return None
    finally:
        (folder / "asked.json").unlink(missing_ok=True)
        (folder / "answer.json").unlink(missing_ok=True)


def answer_if_asked(folder: Path, store: VectorStore) -> None:
    """Answer what is asked of this index, which we hold and have claimed. Cheap where nothing is asked."""
    asked = _read(folder / "asked.json")
    answered = _read(folder / "answer.json") if asked else None
    if asked and (answered is None or answered.get("id") != asked.get("id")):
        summary = summarise(store, int(asked["since"]), int(asked["sample"]))
        _write(folder / "answer.json", json.dumps({"id": asked["id"], "summary": to_json(summary)}))


def _write(path: Path, text: str) -> None:
    """All of it at once."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text)
    part.replace(path)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found
