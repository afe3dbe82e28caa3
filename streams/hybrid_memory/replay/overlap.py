"""How far a replay changes what searches find: overlap@10. The searching is done by who knows the index."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Protocol, cast

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from hybrid_memory.replay.churn import Change
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.extras import to_install
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas.events import Text, UserId

FIRST = 10
Ids = Sequence[str]
GROUP = "hybrid_memory.replay.searching"
"""The entry-point group of the one function that opens a `Searching`: the index lies on a higher floor."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a query found before and after: memories' ids, best first, and the texts of all these."""

    user_id: str
    query: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    texts: Mapping[str, str]

    @property
    def overlap(self) -> float:
        """Of the longer list, the share that is in both; 1 where both are empty."""
        longest = max(len(self.before), len(self.after))
        return len(set(self.before) & set(self.after)) / longest if longest else 1.0


class Searching(Protocol):
    """Searches memories of one user with the classifiers of before and with those of after."""

    def __call__(self, queries: Sequence[str], memories: Sequence[Change], limit: int) -> list[tuple[Ids, Ids]]:
        """For each query the ids that it finds before and after, best first, at most `limit` of each."""


class _Question(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    text: Text


class _Person(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    user_id: UserId
    queries: tuple[_Question, ...]


_FILE = TypeAdapter(Annotated[tuple[_Person, ...], Field(min_length=1)])


def read_queries(path: Path) -> dict[str, list[str]]:
    """The queries of each user in a JSON file `[{"user_id", "queries": [{"text"}]}]`; a file of `hm eval` is one too.

    Raises:
        Refusal: it cannot be read, is not of this form, or asks nothing.
    """
    try:
        people = _FILE.validate_json(path.read_bytes())
    except OSError as error:
        raise Refusal(f"cannot read {path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise Refusal(f"{path}: {place}: {first['msg']}") from None
    queries: dict[str, list[str]] = {}
    for person in people:
        queries.setdefault(person.user_id, []).extend(question.text for question in person.queries)
    if not any(queries.values()):
        raise Refusal(f"{path}: it asks nothing")
    return queries


def open_searching(settings: Settings) -> Searching:
    """What searches as the search API does.

    Raises:
        Refusal: the index is not installed, or its embedder cannot be had.
    """
    for entry in entry_points(group=GROUP):
        try:
            return cast(Searching, entry.load()(settings))
        except ModuleNotFoundError as error:
            raise Refusal(f"searching needs the package {error.name}; {to_install('consumers')}") from None
    raise Refusal(f"searching needs the index; {to_install('consumers')}")


def search_all(
    searching: Searching, queries: Mapping[str, Sequence[str]], memories: Mapping[str, Sequence[Change]]
) -> list[Found]:
    """Every query among the memories of its user, the least alike first."""
    found: list[Found] = []
    for user_id, asked in queries.items():
        mine = memories.get(user_id, ())
        texts = {memory.memory_id: memory.text for memory in mine}
        for query, (before, after) in zip(asked, searching(asked, mine, FIRST), strict=True):
            shown = {memory_id: texts[memory_id] for memory_id in (*before, *after)}
            found.append(Found(user_id, query, tuple(before), tuple(after), shown))
    return sorted(found, key=lambda it: (it.overlap, it.user_id, it.query))
