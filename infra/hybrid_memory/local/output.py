"""Lines of several processes on one terminal, each with the name of the one that wrote it."""

import os
import sys
from collections.abc import Callable
from typing import TextIO

WriteLine = Callable[[str, str], None]
"""Called with (name of the process, its line without the end)."""

_COLOURS = ("\033[36m", "\033[35m", "\033[33m", "\033[34m", "\033[32m")
_RESET = "\033[0m"


def prefixed_lines(names: list[str], stream: TextIO | None = None) -> WriteLine:
    """A writer to `stream` (standard output): names are aligned, and coloured on a terminal unless NO_COLOR is set."""
    out = stream or sys.stdout
    width = max(map(len, names), default=0)
    colour = (
        dict(zip(names, _COLOURS * len(names), strict=False)) if out.isatty() and "NO_COLOR" not in os.environ else {}
    )

    def write(name: str, line: str) -> None:
        start, end = (colour[name], _RESET) if name in colour else ("", "")
        print(f"{start}{name:<{width}} |{end} {line}", file=out, flush=True)

    return write
