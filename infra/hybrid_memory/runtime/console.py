"""Where results are printed: on a terminal in its width, and for programs and files in one line a row."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_ANY_WIDTH = 1_000_000


def make_console() -> "Console":
    """A console on stdout."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else _ANY_WIDTH)
