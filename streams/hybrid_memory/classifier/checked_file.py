"""YAML files that people write: read and checked, and every fault told with the file and the place it is in."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_Model = TypeVar("_Model", bound=BaseModel)
Place = tuple[int | str, ...]

_IN_OUR_WORDS = {
    "extra_forbidden": "there is no such field",
    "missing": "it is missing",
    "string_type": "it must be text",
    "model_type": "it must be a mapping",
    "tuple_type": "it must be a list",
    "too_short": "it needs at least {min_length}",
}


class UnusableFileError(ValueError):
    """A file cannot be used; the message says which file, where in it and what is wrong.

    `faults` says the same one by one; there are none where the file could not be read as YAML.
    """

    kind = "file"
    """What such a file is called."""

    def __init__(self, message: str, faults: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


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
    describe: Callable[[Place, dict[str, Any]], list[str]],
    fault: type[UnusableFileError],
) -> _Model:
    """What the text of `file` says. `needs` are the keys of such a file, in words; `describe`
    names a place in its data.

    Raises:
        fault: it is not YAML, or not of this form.
    """
    import yaml

    name = f"{fault.kind} {file}"
    try:
        data = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise fault(f"{name} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        says = f"must be a mapping with {needs}"
        raise fault(f"{name} {says}", [f"it {says}"])
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults = [": ".join([*describe(place, data), says]) for place, says in _faults(error)]
        raise fault(f"{name}: {'; '.join(faults)}", faults) from error


def _faults(error: ValidationError) -> list[tuple[Place, str]]:
    """Each place and what is wrong there; not that a list is empty whose items are wrong."""
    found = error.errors(include_input=False, include_url=False)
    around = {item["loc"][:depth] for item in found for depth in range(len(item["loc"]))}
    return [(item["loc"], _says(item)) for item in found if item["loc"] not in around]


def _says(item: "ErrorDetails") -> str:
    own = _IN_OUR_WORDS.get(item["type"])
    return own.format(**item.get("ctx", {})) if own else item["msg"].removeprefix("Value error, ")
