"""Generations of an index on a Qdrant server: collections side by side, and an alias that names the current one.

The alias is `<collection>.current`, since no alias may have the name of a collection: a plain collection, made before
there were generations, stays what it is and is the first of them. Without the alias it is current.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from qdrant_client import QdrantClient, models

from hybrid_memory.index.generations import Generations, number_of
from hybrid_memory.index.server_errors import AlreadyThere, Wrong, translated
from hybrid_memory.runtime.errors import Refusal


class ServerGenerations(Generations):
    """Those of one index on a server."""

    def __init__(self, client: QdrantClient, collection: str, address: str) -> None:
        self.base = collection
        self._alias = f"{collection}.current"
        self._client = client
        self._address = address

    def current(self) -> str:
        return self._pointed() or self.base

    def names(self) -> list[str]:
        with self._asking():
            found = self._client.get_collections().collections
        return [one.name for one in found if number_of(self.base, one.name) is not None]

    def switch(self, name: str) -> None:
        made = models.CreateAlias(collection_name=name, alias_name=self._alias)
        gone = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=self._alias))
        create = models.CreateAliasOperation(create_alias=made)
        steps: list[models.AliasOperations] = [gone, create] if self._pointed() else [create]
        with self._asking():
            self._client.update_collection_aliases(steps)

    def drop(self, name: str) -> None:
        with self._asking():
            self._client.delete_collection(name)

    def close(self) -> None:
        self._client.close()

    def _pointed(self) -> str | None:
        with self._asking():
            found = self._client.get_aliases().aliases
        return next((alias.collection_name for alias in found if alias.alias_name == self._alias), None)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            with translated(self._address):
                yield
        except (Wrong, AlreadyThere) as error:
            raise Refusal(f"the Qdrant server at {self._address} refuses: {error}") from None
