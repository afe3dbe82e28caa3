"""Apache Kafka's files on this machine: downloaded once, complete or not there at all.

A folder `kafka-VERSION` is moved into place only when every file in it is the pinned one, and carries a manifest.
Jars wait in `kafka-VERSION.part` until then, so an interrupted download goes on where it stopped.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from hybrid_memory.local.download import Progress, download
from hybrid_memory.local.kafka_lock import KafkaLock, kafka_lock
from hybrid_memory.runtime.errors import Refusal

MANIFEST = "manifest.json"
_WAIT_SECONDS = 900


@dataclass(frozen=True, slots=True)
class KafkaFiles:
    """An installed Kafka."""

    folder: Path
    lock: KafkaLock

    @property
    def class_path(self) -> str:
        """For `java -cp`."""
        return os.pathsep.join(str(self.folder / file.name) for file in self.lock.files)


def ensure_installed(cache_dir: Path, progress: Progress | None = None, lock: KafkaLock | None = None) -> KafkaFiles:
    """The Kafka in `cache_dir`, downloaded if there is none yet. Checks names and sizes: under a millisecond.

    Raises:
        Refusal: the install is damaged, the folder cannot be written, or a download failed.
    """
    lock = lock or kafka_lock()
    files = KafkaFiles(_folder(cache_dir, lock), lock)
    if not files.folder.exists():
        return install(cache_dir, progress, lock=lock)
    if fault := _fault(files):
        raise Refusal(
            f"the Kafka in {files.folder} is damaged ({fault}); "
            f"mend it with: HM_CACHE_DIR={cache_dir} hm broker install"
        )
    return files


def install(
    cache_dir: Path, progress: Progress | None = None, *, repository: str | None = None, lock: KafkaLock | None = None
) -> KafkaFiles:
    """Download Kafka into `cache_dir`, or mend what is there: every file is checked by its SHA-256, the good are kept.

    Waits for another process that does the same. `repository` is a Maven repository to use instead of the central one.

    Raises:
        Refusal: the folder cannot be written, or a download failed.
    """
    lock = lock or kafka_lock()
    files = KafkaFiles(_folder(cache_dir, lock), lock)
    part = files.folder.with_name(f"{files.folder.name}.part")
    with _writable(cache_dir), _only_one(cache_dir, part):
        if _fault(files, thorough=True) is None:
            return files
        part.mkdir(exist_ok=True)
        _keep_good_files(files, part)
        download(lock.files, part, progress or (lambda *_: None), repository)
        (part / MANIFEST).write_text(lock.to_json())
        shutil.rmtree(files.folder, ignore_errors=True)
        part.rename(files.folder)
    return files


def _folder(cache_dir: Path, lock: KafkaLock) -> Path:
    return cache_dir.absolute() / f"kafka-{lock.version}"


def _fault(files: KafkaFiles, thorough: bool = False) -> str | None:
    """What is wrong with an install in a few words, if anything."""
    try:
        manifest = KafkaLock.from_json((files.folder / MANIFEST).read_text())
    except (OSError, ValueError):
        return f"{MANIFEST} is missing or unreadable, so the download was not finished"
    if manifest != files.lock:
        return f"{MANIFEST} lists other files than this version of hm runs"
    for file in files.lock.files:
        if not file.has_right_size(files.folder):
            return f"{file.name} is missing or has another size"
        if thorough and not file.is_whole(files.folder / file.name):
            return f"{file.name} has other contents"
    return None


def _keep_good_files(files: KafkaFiles, part: Path) -> None:
    for file in files.lock.files:
        if file.is_whole(files.folder / file.name):
            shutil.copy2(files.folder / file.name, part / file.name)


@contextmanager
def _writable(cache_dir: Path) -> Iterator[None]:
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise Refusal(
            f"Kafka cannot be put into {cache_dir} ({error.strerror or error}); make room or correct its rights, or "
            f"name another folder with HM_CACHE_DIR"
        ) from None


@contextmanager
def _only_one(cache_dir: Path, part: Path) -> Iterator[None]:
    try:
        with FileLock(cache_dir / f".{part.name}.lock", timeout=_WAIT_SECONDS):
            yield
    except Timeout:
        raise Refusal(
            f"another process has been installing Kafka into {cache_dir} for too long; stop it, and try again"
        ) from None
