"""The file of API keys: YAML, or JSON where its name says so. It holds hashes; no key can be read from it."""

import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import yaml
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from hybrid_memory.runtime.access.keys import KeyEntry
from hybrid_memory.runtime.errors import Refusal

_HEADER = "# API keys of hybrid-memory, written by `hm keys`. Hashes only: no key can be read from this file.\n"
_LOCK_SECONDS = 10.0
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ENTRIES = TypeAdapter(tuple[KeyEntry, ...])

Entries = tuple[KeyEntry, ...]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    keys: Entries = ()


def read_keys(path: Path) -> Entries:
    """The entries of a key file.

    Raises:
        FileNotFoundError: there is no such file.
        Refusal: it cannot be read as one, or others than its owner may write it.
    """
    try:
        with path.open("rb") as file:
            _refuse_writable(path, os.fstat(file.fileno()).st_mode)
            return _File.model_validate(yaml.load(file, _LOADER) or {}).keys
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Refusal(f"the key file {path} cannot be read ({error.strerror})") from None
    except ValidationError as error:
        raise Refusal(f"the key file {path} is wrong at {_where(error)}; correct it, or move it away") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise Refusal(f"the key file {path} is neither YAML nor JSON; correct it, or move it away") from None


def parse_entries(text: str) -> Entries:
    """The entries that a setting holds: a JSON (or YAML) list of them.

    Raises:
        Refusal: it is no such list.
    """
    try:
        found = yaml.load(text, _LOADER)
    except (yaml.YAMLError, ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise Refusal(
            "setting HM_HTTP__KEYS must be a JSON list of entries: [{…}], as made by: "
            "hm keys create NAME --all-users --no-file"
        )
    try:
        return _ENTRIES.validate_python(found)
    except ValidationError as error:
        raise Refusal(f"setting HM_HTTP__KEYS is wrong at {_where(error)}") from None


def change_keys(path: Path, change: Callable[[Entries], Sequence[KeyEntry]]) -> None:
    """Replace the entries of a key file by what `change` makes of them: whole or not at all, one process at a time.

    Raises:
        Refusal: the file cannot be read or written; also what `change` refuses.
    """
    path = path.resolve()  # a link stays a link
    with _locked(path):
        try:
            before = read_keys(path)
        except FileNotFoundError:
            before = ()
        _write(path, change(before))


def plain(entry: KeyEntry) -> dict[str, Any]:
    """An entry as it stands in the file."""
    values = entry.model_dump(mode="json", exclude_none=True)
    users = values["users"]
    return values | {"scopes": sorted(values["scopes"]), "users": users if users == "all" else sorted(users)}


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=_LOCK_SECONDS, mode=0o600)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock.acquire()
    except Timeout:
        raise Refusal(f"another process is changing the key file {path}; try again") from None
    except OSError as error:
        raise _not_written(path, error) from None
    with lock:
        lock.release()  # `with` has counted it once more
        yield


def _write(path: Path, entries: Sequence[KeyEntry]) -> None:
    """Beside it, then renamed over it: a reader sees the old file or the new one."""
    content = {"version": 1, "keys": [plain(entry) for entry in entries]}
    as_json = path.suffix == ".json"
    text = json.dumps(content, indent=2) if as_json else _HEADER + yaml.safe_dump(content, sort_keys=False)
    try:
        # mkstemp lets nobody but us read it, from the first byte on.
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with open(number, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _not_written(path, error) from None


def _not_written(path: Path, error: OSError) -> Refusal:
    return Refusal(f"the key file {path} cannot be written ({error.strerror}); name another with --file")


def _refuse_writable(path: Path, mode: int) -> None:
    if os.name == "posix" and mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Refusal(f"others may write the key file {path}, and so make keys; run: chmod 600 {path}")


def _where(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    path = ".".join(str(step) for step in first["loc"]) or "its top"
    return f"{path}: {first['msg'].removeprefix('Value error, ')}"
