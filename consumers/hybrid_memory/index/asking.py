"""Questions to the process that holds an embedded index: only it can read the index, so it is asked by small files.

Who asks writes `asked.ID.json` in the folder of the index, and whoever holds the index writes `answer.ID.json`.
"""

import json
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from hybrid_memory.index.store import VectorStore
from hybrid_memory.index.summary import Summary, from_json, summarise, to_json
from hybrid_memory.runtime.errors import Refusal

_LOOK_SECONDS = 0.1


def ask(folder: Path, since: int, sample: int, timeout: float) -> Summary | None:
    """What the process that holds this index says of it; None where it has not answered within `timeout` seconds.

    As :func:`summarise`.

    Raises:
        Refusal: the folder is not ours to write.
    """
    id_, deadline = str(uuid4()), time.monotonic() + timeout
    asked, answer = folder / f"asked.{id_}.json", folder / f"answer.{id_}.json"
    try:
        _write(asked, json.dumps({"since": since, "sample": sample}))
        while time.monotonic() < deadline:
            if answer.exists():
                return from_json(answer.read_text())
            time.sleep(_LOOK_SECONDS)
        return None
    except OSError as error:
        raise Refusal(f"the index in {folder} cannot be asked about: {error.strerror or error}") from None
    finally:
        for path in (asked, answer):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def answer_if_asked(folder: Path, store: VectorStore) -> None:
    """Answer what is asked of this index, which we hold and have claimed. Cheap where nothing is asked."""
    for asked in folder.glob("asked.*.json"):
        try:
            question = json.loads(asked.read_text())
            asked.unlink()
        except (OSError, ValueError):  # it was taken back
            continue
        summary = summarise(store, int(question["since"]), int(question["sample"]))
        _write(asked.with_name(asked.name.replace("asked", "answer", 1)), to_json(summary))


def _write(path: Path, text: str) -> None:
    """All of it at once."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text)
    part.replace(path)
