"""Ends a broker whose parent died where the kernel did not end it too."""

from pathlib import Path


def end_orphan(pid: object, folder: Path) -> None:
    """Kill the process `pid` if it is a Java program that runs in `folder`; the caller holds the folder's lock."""
    import psutil

    if not isinstance(pid, int):
        return
    try:
        process = psutil.Process(pid)
        if process.name().startswith("java") and Path(process.cwd()) == folder.resolve():
            process.kill()
            process.wait(10)
    except psutil.Error:
        return
