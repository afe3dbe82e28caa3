"""A whole system on a temporary folder and free ports, for as long as something needs it: the demo, the benchmark."""

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from hybrid_memory.local.broker import Broker
from hybrid_memory.local.download import Progress
from hybrid_memory.local.mortal import dies_with_parent
from hybrid_memory.local.ports import LOOPBACK, free_port
from hybrid_memory.local.readiness import not_ready
from hybrid_memory.local.up_plan import BROKER, SERVE, hm
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.settings import Settings

LOG_FILE = "serve.log"
_POLL_SECONDS = 0.05
_STOP_SECONDS = 30.0
# What the person has set of these holds here too; their Kafka, ports, topics and folders are not for it.
_KEPT = ("HM_CACHE_DIR", "HM_EMBEDDER__", "HM_LOG__", "HM_SINK__")


@dataclass(frozen=True, slots=True)
class Stack:
    """Where a running throw-away system is reached, and its processes by name (`broker`, `serve`)."""

    settings: Settings
    url: str
    pids: Mapping[str, int]

    @property
    def bootstrap_servers(self) -> str:
        """HOST:PORT of its Kafka."""
        return self.settings.bootstrap_servers


@contextmanager
def throwaway_stack(
    settings: Settings,
    *,
    env: Mapping[str, str] | None = None,
    say: Callable[[str], None] | None = None,
    progress: Progress | None = None,
    deadline: float = 120.0,
) -> Iterator[Stack]:
    """A real broker with its topics and a real `hm serve`, ready; stopped, and its folder removed, at the end.

    `env` is added to the environment of `hm serve`; `say` is told what is waited for; `progress` is shown where Kafka
    has to be downloaded. Of `settings`, folders, ports, Kafka and topics are replaced by its own.

    Raises:
        Refusal: a part refused to start, ended, or was not ready within `deadline` seconds; the sentence says why.
        BrokerError: the broker did not start.
    """
    say = say or _nothing
    with _ended_by_sigterm(), ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hm-", ignore_cleanup_errors=True)))
        ours = _own(settings, folder, free_port())
        broker_port = int(ours.bootstrap_servers.rpartition(":")[2])
        broker = Broker(folder / "kafka", cache_dir=settings.cache_dir, port=broker_port, progress=progress)
        stack.callback(broker.stop)
        say("starting Kafka and the service side by side; loading the model takes longest")
        url = f"http://{LOOPBACK}:{free_port()}"
        serve = _start_serve(ours, url, env or {})
        stack.callback(_stop, serve)
        broker.start()
        _make_topics(ours, deadline)
        _await_ready(url, serve, folder / LOG_FILE, deadline)
        assert broker.pid is not None
        yield Stack(ours, url, {BROKER: broker.pid, SERVE: serve.pid})


def _own(settings: Settings, folder: Path, broker_port: int) -> Settings:
    """These settings, on a folder and a Kafka of its own."""
    kafka = {"bootstrap.servers": f"{LOOPBACK}:{broker_port}"}
    return settings.model_copy(update={"data_dir": folder, "kafka": kafka, "topic_prefix": ""})


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends what is inside by an exception, so that it cleans up; only the main thread can see to it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _start_serve(settings: Settings, url: str, env: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HM_") or name.startswith(_KEPT)}
    ours = {
        "HM_KAFKA__BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "HM_DATA_DIR": str(settings.data_dir),
        "HM_HTTP__HOST": LOOPBACK,
        "HM_HTTP__PORT": url.rpartition(":")[2],
    }
    with (settings.data_dir / LOG_FILE).open("wb") as log:
        return subprocess.Popen(
            # Its own process group: Ctrl-C is for us, who stop it before its broker.
            dies_with_parent(hm("serve"), signal.SIGTERM),
            env={**kept, **ours, **env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,
        )


def _make_topics(settings: Settings, deadline: float) -> None:
    from hybrid_memory.runtime.topics import apply_topics

    end = time.monotonic() + deadline
    while True:
        try:
            apply_topics(settings)
            return
        except Unavailable as error:
            if time.monotonic() > end:
                raise Refusal(f"the topics could not be made within {deadline:.0f} s: {error}") from None
            time.sleep(_POLL_SECONDS)


def _await_ready(url: str, serve: "subprocess.Popen[bytes]", log: Path, deadline: float) -> None:
    end = time.monotonic() + deadline
    while not_ready(url) is not None:
        if serve.poll() is not None:
            raise Refusal(f"hm serve ended with code {serve.returncode}: {_last_line(log)}")
        if time.monotonic() > end:
            raise Refusal(f"hm serve was not ready within {deadline:.0f} s; it last said: {_last_line(log)}")
        time.sleep(_POLL_SECONDS)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "(nothing)")


def _nothing(_: str) -> None:
    return None
