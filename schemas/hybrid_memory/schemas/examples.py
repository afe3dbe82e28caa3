"""The examples that ship with the schemas: fixtures of tests, and what the documents show."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from hybrid_memory.schemas.errors import RegistryError


@dataclass(frozen=True, slots=True)
class Example:
    """The value of one record. `name` says in words what it is an example of."""

    name: str
    value: bytes

    def json(self) -> Any:
        """The value, parsed."""
        return json.loads(self.value)


def iter_examples(message: str, *, valid: bool = True) -> Iterator[Example]:
    """The examples of a message such as `memory.upserted.v1`, by name.

    With `valid=False` those that every reader must refuse; their names are `<field>--<what is wrong>`.

    Raises:
        RegistryError: there are none.
    """
    folder = files("hybrid_memory.schemas").joinpath("examples", *(() if valid else ("invalid",)), message)
    if not folder.is_dir():
        raise RegistryError(f"no {'' if valid else 'invalid '}examples of {message!r}")
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if path.name.endswith(".json"):
            yield Example(path.name.removesuffix(".json"), path.read_bytes())
