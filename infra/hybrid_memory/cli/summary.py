"""The one-line help of a command, read from its source without importing it.

Importing a component for its help would import its package, and with it most of the product.
"""

import ast
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import hybrid_memory  # the namespace, which is only a search path


def summary_of(entry: EntryPoint) -> str:
    """First line of the function's docstring, or of `help=` of the Typer; empty where it cannot be read."""
    source = _source(entry.module)
    if source is None:
        return ""
    for statement in ast.parse(source).body:
        text = _help_of(statement, entry.attr)
        if text is not None:
            return text.strip().partition("\n")[0]
    return ""


def _source(module: str) -> bytes | None:
    for path in _paths(module):
        try:
            return path.read_bytes()
        except OSError:
            continue
    return None


def _paths(module: str) -> Iterator[Path]:
    top, *rest = module.split(".")
    if top == hybrid_memory.__name__:
        for portion in hybrid_memory.__path__:
            yield Path(portion, *rest).with_suffix(".py")
            yield Path(portion, *rest, "__init__.py")


def _help_of(statement: ast.stmt, name: str) -> str | None:
    """The help that `statement` gives to `name`, if it defines it."""
    if isinstance(statement, ast.FunctionDef) and statement.name == name:
        return ast.get_docstring(statement) or ""
    if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call) and _names(statement, name):
        return next(filter(None, map(_help_text, statement.value.keywords)), "")
    return None


def _names(statement: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in statement.targets)


def _help_text(keyword: ast.keyword) -> str | None:
    if keyword.arg == "help" and isinstance(keyword.value, ast.Constant):
        return str(keyword.value.value)
    return None
