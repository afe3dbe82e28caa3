"""The `hm` program."""

from hybrid_memory.cli.main import main

__all__ = ["main"]
