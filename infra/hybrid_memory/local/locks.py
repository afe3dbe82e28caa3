"""One user of a folder at a time."""

from pathlib import Path

from filelock import FileLock, Timeout

from hybrid_memory.runtime.errors import Refusal


def lock_folder(folder: Path, used_for: str, *, name: str = ".lock", wait: float = 0.0) -> FileLock:
    """Make `folder` and lock it for this process; the lock ends with `release()` or with the process.

    Waits at most `wait` seconds for another user to go.

    Raises:
        Refusal: another process uses the folder, or it cannot be written.
    """
    lock = FileLock(folder / name, thread_local=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=wait)
    except Timeout:
        raise Refusal(
            f"the folder {folder} is in use by another {used_for}; stop that one, or give another "
            f"folder with --data-dir"
        ) from None
    except OSError as error:
        raise Refusal(
            f"the folder {folder} cannot be written ({error.strerror}); correct its rights, or give another folder "
            f"with --data-dir"
        ) from None
    return lock
