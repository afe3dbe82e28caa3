"""Errors of the client.

MemoryClientError
├── InvalidMemory     what was given is no memory; says which fields and why, and in a list which one
├── NotDelivered      Kafka did not confirm one memory; carries it
├── SomeNotDelivered  Kafka did not confirm some of a list; carries those, and the positions of the others
├── ClientRefused     an HTTP client cannot be made as asked: its URL or key is wrong; also a `Refusal`
├── InvalidCall       a call of an HTTP client has arguments that it does not know, or that exclude each other
├── ClientClosed      the client was used after `close`
└── ServiceError      the HTTP service did not do what was asked; of the HTTP clients alone
    ├── RequestRefused  it will never take this request; names the fields
    ├── NotAllowed      the key or token does not open this
    ├── NoSuchMemory    the user has no such memory
    ├── EditLost        the memory is at another version, or another edit was first
    └── ServiceAway     it does not answer, or cannot now; sending the same again is safe

A client of Kafka that cannot be made as asked (a wrong setting, no Kafka named) raises
`hybrid_memory.runtime.errors.Refusal`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hybrid_memory.client.events import Added
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.schemas import MemoryEvent


class FieldError(NamedTuple):
    """What is wrong with one field; the field's path is dotted, and empty where the whole is meant."""

    field: str
    message: str


class MemoryClientError(Exception):
    """Base of every error of the client."""


class InvalidMemory(MemoryClientError, ValueError):  # noqa: N818
    """What was given is no memory, and was not sent. `index` is its place in the list that held it."""

    def __init__(self, errors: Sequence[FieldError], index: int | None = None) -> None:
        self.errors = tuple(errors)
        self.index = index
        said = "; ".join(f"{field}: {message}" if field else message for field, message in errors)
        super().__init__(said if index is None else f"memory {index}: {said}")


class NotDelivered(MemoryClientError):  # noqa: N818
    """Kafka did not confirm it in time, or will not have it. Sending it again is safe.

    `retriable` is false where sending it again cannot help: a missing topic, a missing right, too large a record.
    """

    def __init__(self, memory: MemoryEvent, reason: str, *, retriable: bool) -> None:
        super().__init__(f"memory {memory.memory_id} of user {memory.user_id} was not delivered: {reason}")
        self.memory = memory
        self.reason = reason
        self.retriable = retriable


@dataclass(frozen=True, slots=True)
class Failure:
    """One of a list that was not delivered: its place in the list, and the error, which carries the memory."""

    index: int
    error: NotDelivered


class SomeNotDelivered(MemoryClientError):  # noqa: N818
    """Some of a list were not delivered. `failed` and `added` (by place in the list) together are all of it."""

    def __init__(self, failed: Sequence[Failure], added: Mapping[int, Added]) -> None:
        count = len(failed) + len(added)
        super().__init__(f"{len(failed)} of {count} memories were not delivered; the first: {failed[0].error}")
        self.failed = tuple(failed)
        self.added = dict(added)


class ClientRefused(MemoryClientError, Refusal):  # noqa: N818
    """An HTTP client cannot be made as asked; nothing was sent."""


class InvalidCall(MemoryClientError, TypeError):  # noqa: N818
    """A call has arguments that it does not know, or that exclude each other; nothing was sent."""


class ClientClosed(MemoryClientError):  # noqa: N818
    """The client was used after `close`."""

    def __init__(self) -> None:
        super().__init__("the client is closed; make a new one")
