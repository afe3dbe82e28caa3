"""The wiring of `hm verify`: which index, which log, and what to say."""

import re
import sys
from pathlib import Path

from filelock import FileLock, Timeout

from hybrid_memory.index.folders import index_folder
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import QdrantSettings, Settings
from hybrid_memory.verify.check import Options, verify
from hybrid_memory.verify.follow import Follower
from hybrid_memory.verify.remote import ServiceView
from hybrid_memory.verify.showing import print_report
from hybrid_memory.verify.views import StoreView, View


def run(settings: Settings, options: Options, url: str | None, as_json: bool) -> int:
    """Compare index and log, and print what differs; the exit code: 1 where anything does.

    Raises:
        Refusal: there is no index, it is not a view of this log, or the service does not let us look.
        Unavailable: Kafka, the index or the service is away.
    """
    follower = Follower.of(settings)
    with open_view(settings, url) as view:
        report = verify(view, follower, options, _say)
    print_report(report, as_json)
    return 0 if report.equal else 1


def open_view(settings: Settings, url: str | None) -> View:
    """The index: of the service at `url`, on the Qdrant server, or in the data folder; where a process holds that, the
    service on this machine is asked.

    Raises:
        Refusal, Unavailable: as `run`.
    """
    if url is not None:
        return _service(settings, url)
    if settings.qdrant.url is not None:
        return _on_server(settings.qdrant)
    folder = index_folder(settings)
    if not folder.exists():
        raise Refusal(f"there is no index in {settings.data_dir}; name its folder with --data-dir, or say --url")
    if _held(folder):
        return _service(settings, f"http://{settings.http.host}:{settings.http.port}")
    from hybrid_memory.index.edge import EdgeStore

    return StoreView(EdgeStore.open_existing(folder), moves=False)


def _on_server(settings: QdrantSettings) -> View:
    from hybrid_memory.index.server import ServerStore, open_generations  # its client takes a while to import

    generations = open_generations(settings)
    try:
        name = generations.current()
        if name not in generations.names():
            raise Refusal(f"there is no index {name} on the Qdrant server; hm sink makes it")
    finally:
        generations.close()
    return StoreView(ServerStore.open_existing(settings, name), moves=True)


def _held(folder: Path) -> bool:
    """Whether a process has the index open."""
    lock = FileLock(folder / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:
        return False  # opening it says what is wrong
    lock.release()
    return False


def _service(settings: Settings, url: str) -> View:
    if not re.match(r"https?://[^/\s]+$|https?://[^/\s]+/", url):
        raise Refusal(f"{url!r} is no address of a service; write it as http://host:8765")
    return ServiceView(url, settings.api_key.get_secret_value() if settings.api_key else None)


def _say(what: str) -> None:
    if sys.stderr.isatty():
        print(what, file=sys.stderr, flush=True)
