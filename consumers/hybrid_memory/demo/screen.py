"""Where a demo shows itself."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.text import Text

Say = Callable[[str], None]

_WIDEST = 110


class Screen:
    """A live line and tables on a terminal; plain lines and the same tables elsewhere.

    For a program (`for_people=False`) there is no table, and the lines go to standard error.
    """

    def __init__(self, for_people: bool = True) -> None:
        self._console = Console(stderr=not for_people, highlight=False)
        self._console.width = min(self._console.width, _WIDEST)
        self._for_people = for_people

    def show(self, *what: RenderableType) -> None:
        """Print these, for people."""
        if not self._for_people:
            return
        if self._console.is_terminal:
            self._console.print(*what, sep="\n")
        else:
            self._print_pasteable(*what)

    @contextmanager
    def doing(self, what: str) -> Iterator[Say]:
        """Say what is being done, until the block ends; call what it gives when that becomes something else."""
        if self._console.is_terminal:
            spinner = Spinner("dots", Text(what), style="cyan")
            with Live(Padding(spinner, (0, 0, 0, 3)), console=self._console, transient=True):
                yield lambda now: spinner.update(text=Text(now))
        else:
            yield self._changes(what)

    def _print_pasteable(self, *what: RenderableType) -> None:
        """Print without the spaces that fill tables up."""
        with self._console.capture() as capture:
            self._console.print(*what, sep="\n")
        for line in capture.get().splitlines():
            print(line.rstrip(), file=self._console.file, flush=True)

    def _changes(self, what: str) -> Say:
        last = ""

        def say(now: str) -> None:
            nonlocal last
            if now != last:
                last = now
                print(f"   … {now}", file=self._console.file, flush=True)

        say(what)
        return say
