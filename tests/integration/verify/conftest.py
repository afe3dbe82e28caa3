"""The fixture `world`: topics of their own on the real broker."""

from tests.integration.sink.conftest import world

__all__ = ["world"]
