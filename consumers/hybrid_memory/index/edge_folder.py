"""The folder of an Edge index: made whole or not at all, and held by one process."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import qdrant_edge as edge
from filelock import FileLock, Timeout

from hybrid_memory.index.edge_schema import payload_indexes, shard_config
from hybrid_memory.runtime.errors import Refusal

_LOOKED_AT = "looked-at"
_LOOK_SECONDS = 30.0
_MOMENT_SECONDS = 0.2


def lock_folder(folder: Path) -> FileLock:
    """Make the folder if need be, and hold it until the lock is released or this process ends, however it ends.

    Who only looks at the index for a moment is waited for.

    Raises:
        Refusal: another process (or another part of this one) holds it, or it cannot be written.
    """
    lock = FileLock(folder / "lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(None, "permission denied")
        looked_at = (folder / _LOOKED_AT).exists()
        lock.acquire(timeout=_LOOK_SECONDS if looked_at else _MOMENT_SECONDS)
    except Timeout:
        raise Refusal(
            f"the index in {folder} is in use by another process; stop that one, or choose another folder"
        ) from None
    except OSError as error:
        raise Refusal(f"the index folder {folder} cannot be written: {error.strerror or error}") from None
    return lock


@contextmanager
def looking_at(folder: Path) -> Iterator[None]:
    """Open an index only to look at it while the context lasts: who starts to serve from it waits for that."""
    mark = folder / _LOOKED_AT
    mark.touch()
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)


def is_held(folder: Path) -> bool:
    """Whether a process holds the index in this folder."""
    if not (folder / "lock").exists():
        return False
    lock = FileLock(folder / "lock", timeout=0)
    try:
        lock.acquire()
    except (Timeout, OSError):
        return True
    lock.release()
    return False


def open_shard(folder: Path, dimensions: int) -> edge.EdgeShard:
    """The index in a folder that we hold, created where there is none.

    Raises:
        Refusal: what is there cannot be read as an index of so many dimensions, or none can be created.
    """
    shard = folder / "shard"
    try:
        if not shard.exists():
            _create(shard, dimensions)
        return edge.EdgeShard.load(str(shard), shard_config(dimensions))
    except BaseException as error:  # a panic of the library is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        raise Refusal(
            f"the index in {folder} cannot be opened for vectors of {dimensions} dimensions ({_first_line(error)}); "
            "build a new one beside it with hm rebuild, or move the folder away: the next start builds one from Kafka"
        ) from None


def load_shard(folder: Path) -> edge.EdgeShard:
    """The index in a folder that we hold, of whatever dimensions.

    Raises:
        Refusal: there is none that can be read.
    """
    try:
        return edge.EdgeShard.load(str(folder / "shard"))
    except BaseException as error:  # a panic of the library is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        raise Refusal(f"the index in {folder} cannot be read ({_first_line(error)})") from None


def _create(shard: Path, dimensions: int) -> None:
    """Build it aside and rename it, so that a process killed half-way leaves nothing that looks like an index."""
    unfinished = shard.with_name("shard.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    new = edge.EdgeShard.create(str(unfinished), shard_config(dimensions))
    for operation in payload_indexes():
        new.update(operation)
    new.close()
    unfinished.rename(shard)


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:200] or type(error).__name__
