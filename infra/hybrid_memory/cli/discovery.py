"""Commands of `hm`: the entry points of the group `hybrid_memory.commands`.

An entry point's name is the command's; its object is a `typer.Typer` (a group of commands) or a plain function.
Its module is imported when the command is used, not when it is listed.
"""

from collections.abc import Iterator, MutableMapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

from hybrid_memory.cli.summary import summary_of

GROUP = "hybrid_memory.commands"


class DiscoveredCommands(MutableMapping[str, Any]):
    """Every command by its name, in alphabetical order."""

    def __init__(self) -> None:
        self._commands: dict[str, Any] = {entry.name: _LazyCommand(entry) for entry in entry_points(group=GROUP)}

    def __getitem__(self, name: str) -> Any:
        return self._commands[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._commands[name] = command

    def __delitem__(self, name: str) -> None:
        del self._commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._commands))

    def __len__(self) -> int:
        return len(self._commands)


class _LazyCommand(TyperCommand):
    """Knows its name and summary, and becomes the real command when it is run or asked for help."""

    def __init__(self, entry: EntryPoint) -> None:
        super().__init__(name=entry.name, help=summary_of(entry), callback=None, params=[])
        self._entry = entry

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        return _load(self._entry).make_context(*args, **kwargs)


def _load(entry: EntryPoint) -> Any:
    app = entry.load()
    if not isinstance(app, typer.Typer):
        function, app = app, typer.Typer(add_completion=False)
        app.command(entry.name)(function)
    command: Any = get_command(app)
    command.name = entry.name
    return command
