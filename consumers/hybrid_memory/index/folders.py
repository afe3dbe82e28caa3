"""Generations of the embedded index: folders side by side, and a small file that names the current one."""

import os
import shutil
from pathlib import Path

from hybrid_memory.index.generations import Generations, number_of
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import Settings

BASE = "index"


class FolderGenerations(Generations):
    """Those in a data folder."""

    base = BASE

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._pointer = data_dir / "index.current"

    def folder(self, name: str) -> Path:
        """Where a generation lives."""
        return self._data_dir / name

    def current(self) -> str:
        try:
            name = self._pointer.read_text().strip()
        except FileNotFoundError:
            return BASE
        except (OSError, ValueError) as error:
            raise Refusal(f"{self._pointer} cannot be read ({type(error).__name__})") from None
        if number_of(BASE, name) is None:
            raise Refusal(f"{self._pointer} names {name[:50]!r}, which is no generation of the index; correct it")
        return name

    def names(self) -> list[str]:
        if not self._data_dir.is_dir():
            return []
        return [path.name for path in self._data_dir.iterdir() if path.is_dir() and number_of(BASE, path.name)]

    def switch(self, name: str) -> None:
        part = self._pointer.with_name("index.current.part")
        try:
            with part.open("w") as file:
                file.write(f"{name}\n")
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._pointer)
            _sync_folder(self._data_dir)
        except OSError as error:
            raise Refusal(f"{self._pointer} cannot be written ({error.strerror})") from None

    def drop(self, name: str) -> None:
        from hybrid_memory.index.edge_folder import lock_folder

        folder = self.folder(name)
        # Renamed first: a process killed half-way leaves nothing that looks like an index.
        gone = folder.with_name(f"{name}.dropped")
        with lock_folder(folder):
            shutil.rmtree(gone, ignore_errors=True)
            try:
                folder.rename(gone)
            except OSError as error:
                raise Refusal(f"{folder} cannot be moved ({error.strerror})") from None
        shutil.rmtree(gone, ignore_errors=True)


def index_folder(settings: Settings) -> Path:
    """Where the current embedded index lives."""
    generations = FolderGenerations(settings.data_dir)
    return generations.folder(generations.current())


def _sync_folder(folder: Path) -> None:
    """Make a rename in it survive a power loss, where the platform can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
