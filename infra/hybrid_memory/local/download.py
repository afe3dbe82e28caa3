"""Fetching pinned files from a Maven repository, several at a time."""

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from hybrid_memory.local.kafka_lock import PinnedFile
from hybrid_memory.runtime.errors import Refusal

Progress = Callable[[int, int, str], None]
"""Called with (bytes done, bytes in all, what is being fetched), from any thread, one call at a time."""

_PARALLEL = 4
_ATTEMPTS = 3
_TIMEOUT = 60


class _Meter:
    """Adds up the bytes of files that are fetched side by side."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total, self._progress = total, progress
        self._done = 0
        self._lock = threading.Lock()

    def add(self, count: int, what: str) -> None:
        with self._lock:
            self._done += count
            self._progress(self._done, self._total, what)


def download(files: Sequence[PinnedFile], folder: Path, progress: Progress, repository: str | None = None) -> None:
    """Put every file into `folder`, which exists; a file that is there and whole is not fetched again.

    Raises:
        Refusal: a file cannot be had, or is not the one that is pinned; names its coordinate.
    """
    meter = _Meter(sum(file.size for file in files), progress)
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="download") as pool:
        try:
            for _ in pool.map(lambda file: _fetch(file, folder, meter, repository), files):
                pass
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch(file: PinnedFile, folder: Path, meter: _Meter, repository: str | None) -> None:
    target = folder / file.name
    if file.is_whole(target):
        return meter.add(file.size, file.name)
    reason = ""
    for _ in range(_ATTEMPTS):
        try:
            _fetch_once(file, folder, meter, repository)
            return None
        except _Unusable as error:
            reason = str(error)
    raise Refusal(
        f"{file.coordinate} could not be downloaded ({reason}); check the network, or name a Maven repository that "
        f"this machine reaches with: hm broker install --repository URL"
    )


class _Unusable(Exception):  # noqa: N818  an attempt, not yet an error
    """An attempt brought nothing; another one may."""


def _fetch_once(file: PinnedFile, folder: Path, meter: _Meter, repository: str | None) -> None:
    from jgo.maven import MavenContext, PythonResolver
    from requests import RequestException

    seen = 0

    @contextmanager
    def watch(name: str, _size: int) -> Iterator[Callable[[int], None]]:
        def update(count: int) -> None:
            nonlocal seen
            seen += count
            meter.add(count, name)

        yield update

    scratch = folder / f".{file.name}.part"
    shutil.rmtree(scratch, ignore_errors=True)
    group, artifact, version = file.coordinate.split(":")
    context = MavenContext(
        resolver=PythonResolver(progress_callback=watch),
        repo_cache=scratch,
        remote_repos={"given": repository.rstrip("/")} if repository else None,
        timeout=_TIMEOUT,
    )
    try:
        path = context.project(group, artifact).at_version(version).artifact().resolve()
        if not file.is_whole(path):
            raise _Unusable(f"{path.stat().st_size} bytes came that are not the pinned {file.size}")
        path.replace(folder / file.name)
    except RequestException as error:
        meter.add(-seen, file.name)
        raise _Unusable(_short(error)) from None
    except (RuntimeError, _Unusable) as error:
        meter.add(-seen, file.name)
        raise _Unusable(str(error) if isinstance(error, _Unusable) else "the repository does not have it") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _short(error: Exception) -> str:
    """The kind of a network error; the rest is addresses of objects."""
    return type(error).__name__
