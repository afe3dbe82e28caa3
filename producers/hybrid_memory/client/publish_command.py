"""`hm publish`, wired: the file, the terminal, Ctrl-C and the exit code."""

import json
import os
import stat
import sys
from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from typing import BinaryIO

from hybrid_memory.client.client import client_settings
from hybrid_memory.client.interrupt import Interrupt
from hybrid_memory.client.lines import read_lines
from hybrid_memory.client.progress import Progress, make_progress
from hybrid_memory.client.publishing import Publishing
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import MEMORIES

INTERRUPTED = 130
_PATIENCE = 2.0


def run(file: str, bootstrap_servers: str | None, user_id: str | None, as_json: bool) -> int:
    """Publish the lines of `file` (`-`: standard input) and print a summary; the exit code.

    Raises:
        Refusal: the file cannot be read, or Kafka cannot be reached or does not let us in.
    """
    settings = client_settings(bootstrap_servers)
    with (
        _opened(file) as stream,
        make_progress(_name(file), _size(stream)) as progress,
        Publisher(settings, **{"linger.ms": 5}) as publisher,
    ):
        _reach(publisher, settings, progress)
        work = Publishing(publisher, progress, user_id)
        with Interrupt(progress.note) as interrupt:
            try:
                work.run(interrupt.until(read_lines(stream)))
            except KeyboardInterrupt:
                publisher.close(0)
    print(json.dumps(work.summary()) if as_json else _said(work))
    if interrupt.asked:
        return INTERRUPTED
    return 1 if work.failed else 0


def _reach(publisher: Publisher, settings: Settings, progress: Progress) -> None:
    """Fail in one sentence, before the first line is read, where Kafka is not there."""
    known = publisher.prepare(MEMORIES)
    try:
        if not wait([known], _PATIENCE).done:
            progress.note(f"waiting for Kafka at {settings.bootstrap_servers} …")
        known.result()
    except Unavailable as error:
        raise Refusal(f"{error}; is it started, and is that where it listens?") from None


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = open(file, "rb")  # noqa: SIM115  closed below
    except OSError as error:
        raise Refusal(f"cannot read {file}: {error.strerror}") from None
    with stream:
        yield stream


def _name(file: str) -> str:
    return "standard input" if file == "-" else os.path.basename(file)


def _size(stream: BinaryIO) -> int | None:
    try:
        status = os.fstat(stream.fileno())
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _said(work: Publishing) -> str:
    parts = [f"{work.published:,} published"]
    parts += [f"{work.deleted:,} deleted"] if work.deleted else []
    parts += [f"{work.failed:,} failed"] if work.failed else []
    text = f"{', '.join(parts)} in {work.seconds:.1f} s ({work.per_second:,.0f}/s)"
    if work.resume_from_line is not None:
        text += f"; Kafka took none from line {work.resume_from_line} on: publish again from there"
    return text
