"""YAML files that people write: read and checked, and every fault told with the file and the place it is in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

_Model = TypeVar("_Model", bound=BaseModel)


class UnusableFileError(ValueError):
    """A file cannot be used; the message says which file, where in it and what is wrong."""

    kind = "file"
    """What such a file is called."""


def read_file(path: Path, fault: type[UnusableFileError]) -> str:
    """The text of a file.

    Raises:
        fault: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise fault(f"{fault.kind} {path} cannot be read: {reason}") from error


def check_file(
    text: str,
    file: str,
    model: type[_Model],
    needs: str,
    describe: Callable[[ValidationError, dict[str, Any]], str],
    fault: type[UnusableFileError],
) -> _Model:
    """What the text of `file` says. `needs` are the keys of such a file, in words.

    Raises:
        fault: it is not YAML, or not of this form; `describe` says in which way.
    """
    import yaml

    name = f"{fault.kind} {file}"
    try:
        data = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise fault(f"{name} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise fault(f"{name} must be a mapping with {needs}")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise fault(f"{name}: {describe(error, data)}") from error
