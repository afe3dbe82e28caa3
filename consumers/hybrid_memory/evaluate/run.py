"""The wiring of `hm eval`."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hybrid_memory.bench.api import Api
from hybrid_memory.bench.progress import Advance, Shown
from hybrid_memory.evaluate.questions import Person, Question, read_questions
from hybrid_memory.evaluate.result import FIRST, Asked, compare, table, to_program
from hybrid_memory.local.progress import shown_progress
from hybrid_memory.local.stack import throwaway_stack
from hybrid_memory.runtime.console import make_console
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import load_settings

_CHUNK = 100


def run(file: Path, out: Path | None, as_json: bool, seed: int) -> None:
    """Load the file into a throw-away system, ask everything, print and write what came of it.

    Raises:
        Refusal: the file cannot be used, `out` cannot be written, or a part of the system would not start.
    """
    people = read_questions(file)
    if out is not None:
        _write(out, {})  # refuse at once, not after minutes
    began = time.monotonic()
    asked = _ask_everything(people)
    compared = compare(asked, seed)
    about = {
        "file": file.name,
        "users": len(people),
        "memories": sum(len(person.memories) for person in people),
        "questions": len(asked),
        "seconds": round(time.monotonic() - began, 1),
    }
    result = to_program(compared, about)
    if out is not None:
        _write(out, result)
    if as_json:
        print(json.dumps(result, indent=2))
        return
    console = make_console()
    console.print(table(compared))
    console.print(
        f"{about['questions']} questions to {about['memories']} memories of {about['users']} users; "
        "in brackets the 95 % interval of the paired bootstrap",
        highlight=False,
    )


def _ask_everything(people: Sequence[Person]) -> list[Asked]:
    shown, settings = Shown(), load_settings()
    with (
        shown_progress("downloading Kafka") as progress,
        throwaway_stack(settings, say=shown.say, progress=progress) as system,
        Api(system.url) as api,
    ):
        with shown.step("loading memories", sum(len(person.memories) for person in people)) as advance:
            for person in people:
                _load(api, person, advance)
        with shown.step("asking questions", sum(len(person.queries) for person in people)) as advance:
            return list(_answers(api, people, advance))


def _load(api: Api, person: Person, advance: Advance) -> None:
    """Every memory, until the last can be found."""
    for start in range(0, len(person.memories), _CHUNK):
        some = person.memories[start : start + _CHUNK]
        bodies = [{"user_id": person.user_id, "memory_id": one.id, "text": one.text} for one in some]
        reply = api.post("/add_memories_batch", {"memories": bodies})
        if not all(one["searchable"] for one in reply["results"]):
            raise Refusal("the memories were not searchable in time; the machine is too busy")
        advance(len(some))


def _answers(api: Api, people: Sequence[Person], advance: Advance) -> Iterator[Asked]:
    for person in people:
        for question in person.queries:
            yield Asked(
                question, _found(api, person.user_id, question, True), _found(api, person.user_id, question, False)
            )
            advance(1)


def _found(api: Api, user_id: str, question: Question, classifiers: bool) -> list[str]:
    body = {"user_id": user_id, "context": question.text, "limit": FIRST, "use_classifiers": classifiers}
    return [memory["memory_id"] for memory in api.post("/search", body)["memories"]]


def _write(out: Path, result: dict[str, Any]) -> None:
    try:
        out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise Refusal(f"cannot write {out}: {error.strerror}") from None
