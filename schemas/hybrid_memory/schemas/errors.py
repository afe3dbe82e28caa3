"""Errors of the schema floor.

SchemaError
├── DecodeError      a record cannot be read as an event; says why, and of which class
└── RegistryError    the topic registry contradicts itself
"""

from typing import Literal

ErrorClass = Literal["poison", "schema", "policy", "limit"]
"""Why a record can never be applied; the value of the `hm-error-class` header.

`poison`: not readable at all. `schema`: readable, but not a valid event.
`limit`: valid but for its size. `policy`: valid, but not allowed where it stands.
"""


class SchemaError(Exception):
    """Base of every error of this package."""


class DecodeError(SchemaError):
    """A record cannot be read as an event, now or ever. Its place is the dead-letter topic."""

    def __init__(self, error_class: ErrorClass, message: str) -> None:
        super().__init__(message)
        self.error_class: ErrorClass = error_class


class RegistryError(SchemaError):
    """The topic registry contradicts itself, or names a topic that it does not hold."""
