"""Installing Kafka from a repository on this machine, with small files in place of the jars."""

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hybrid_memory.local.kafka_files import MANIFEST, ensure_installed, install
from hybrid_memory.local.kafka_lock import KafkaLock, PinnedFile, kafka_lock
from hybrid_memory.local.ports import free_port
from hybrid_memory.local.progress import lines
from hybrid_memory.runtime.errors import Refusal


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """The folder that the repository serves."""
    return tmp_path / "remote"


@pytest.fixture
def lock(remote: Path) -> KafkaLock:
    files = []
    for name in ("alpha", "beta", "gamma"):
        contents = name.encode() * 10_000
        path = remote / "org" / "example" / name / "1.0" / f"{name}-1.0.jar"
        path.parent.mkdir(parents=True)
        path.write_bytes(contents)
        files.append(PinnedFile(f"org.example:{name}:1.0", len(contents), hashlib.sha256(contents).hexdigest()))
    return KafkaLock("0.0", tuple(files))


@pytest.fixture
def repository(remote: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(remote))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_it_installs_with_progress_and_then_finds_it_there(tmp_path: Path, lock: KafkaLock, repository: str) -> None:
    seen: list[tuple[int, int]] = []
    files = install(
        tmp_path / "cache", lambda done, total, _: seen.append((done, total)), repository=repository, lock=lock
    )
    assert [path.name for path in map(Path, files.class_path.split(":"))] == [file.name for file in lock.files]
    assert seen[-1] == (lock.size, lock.size)
    assert seen == sorted(seen)
    assert sorted(path.name for path in files.folder.iterdir()) == sorted(
        [MANIFEST, *(file.name for file in lock.files)]
    )
    assert ensure_installed(tmp_path / "cache", lock=lock) == files


@pytest.mark.parametrize(
    ("name", "damage"),
    [("beta-1.0.jar", "cut"), ("beta-1.0.jar", "remove"), (MANIFEST, "cut"), (MANIFEST, "remove")],
)
def test_a_damaged_install_is_refused_and_mended(
    tmp_path: Path, lock: KafkaLock, repository: str, name: str, damage: str
) -> None:
    cache = tmp_path / "cache"
    folder = install(cache, repository=repository, lock=lock).folder
    if damage == "cut":
        (folder / name).write_bytes((folder / name).read_bytes()[:100])
    else:
        (folder / name).unlink()
    with pytest.raises(Refusal, match=rf"Kafka in {folder} is damaged \({name}.*hm broker install"):
        ensure_installed(cache, lock=lock)
    install(cache, repository=repository, lock=lock)
    assert ensure_installed(cache, lock=lock).folder == folder


def test_mending_sees_other_contents_of_the_same_size(tmp_path: Path, lock: KafkaLock, repository: str) -> None:
    folder = install(tmp_path, repository=repository, lock=lock).folder
    jar = folder / lock.files[0].name
    jar.write_bytes(b"x" * lock.files[0].size)
    install(tmp_path, repository=repository, lock=lock)
    assert lock.files[0].is_whole(jar)


def test_a_file_that_is_not_there_fails_with_its_coordinate(
    tmp_path: Path, remote: Path, lock: KafkaLock, repository: str
) -> None:
    (remote / "org/example/beta/1.0/beta-1.0.jar").unlink()
    with pytest.raises(
        Refusal, match=r"org\.example:beta:1\.0 could not be downloaded \(the repository does not have it"
    ):
        install(tmp_path, repository=repository, lock=lock)
    with pytest.raises(Refusal, match=r"org\.example:beta"):
        ensure_installed_from(tmp_path, lock, repository)


def ensure_installed_from(cache: Path, lock: KafkaLock, repository: str) -> None:
    assert not (cache / "kafka-0.0").exists(), "a failed download leaves nothing in place"
    install(cache, repository=repository, lock=lock)


def test_another_file_than_the_pinned_one_is_refused(
    tmp_path: Path, remote: Path, lock: KafkaLock, repository: str
) -> None:
    (remote / "org/example/beta/1.0/beta-1.0.jar").write_bytes(b"not beta")
    with pytest.raises(Refusal, match=r"org\.example:beta:1\.0 .*8 bytes came that are not the pinned 40000"):
        install(tmp_path, repository=repository, lock=lock)


def test_an_interrupted_download_goes_on_where_it_stopped(
    tmp_path: Path, remote: Path, lock: KafkaLock, repository: str
) -> None:
    beta = remote / "org/example/beta/1.0/beta-1.0.jar"
    beta.rename(beta.with_suffix(".away"))
    with pytest.raises(Refusal):
        install(tmp_path, repository=repository, lock=lock)
    part = tmp_path / "kafka-0.0.part"
    kept = {path.name for path in part.glob("*.jar")}
    assert kept
    beta.with_suffix(".away").rename(beta)
    for name in kept:  # no longer to be had
        (remote / "org/example" / name.split("-")[0] / "1.0" / name).unlink()
    install(tmp_path, repository=repository, lock=lock)
    assert not part.exists()


def test_two_at_once_do_not_hurt_each_other(tmp_path: Path, lock: KafkaLock, repository: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        installs = [pool.submit(install, tmp_path, repository=repository, lock=lock) for _ in range(4)]
        assert len({future.result(60) for future in installs}) == 1
    assert ensure_installed(tmp_path, lock=lock)


def test_a_repository_that_is_away_is_said_so(tmp_path: Path, lock: KafkaLock) -> None:
    with pytest.raises(Refusal, match=r"could not be downloaded \(ConnectionError\)"):
        install(tmp_path, repository=f"http://127.0.0.1:{free_port()}", lock=lock)


def test_a_cache_that_cannot_be_written_is_refused(tmp_path: Path, lock: KafkaLock) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refusal, match="cannot be put into"):
        install(tmp_path / "file" / "cache", lock=lock)


def test_the_lock_of_the_product_is_read_back_as_it_is_written() -> None:
    lock = kafka_lock()
    assert KafkaLock.from_json(lock.to_json()) == lock
    assert lock.files[-1].name.endswith(".jar")
    assert any(file.coordinate == f"org.apache.kafka:kafka_2.13:{lock.version}" for file in lock.files)


def test_progress_without_a_terminal_is_a_line_now_and_then() -> None:
    written: list[str] = []
    now = iter([0.0, 0.0, 1.0, 3.0, 3.0, 3.1])
    show = lines("downloading", written.append, lambda: next(now))
    for done in (0, 1_000_000, 2_000_000, 4_000_000):
        show(done, 4_000_000, "a.jar")
    assert written == [
        "downloading: 0.0 of 4.0 MB (a.jar)",
        "downloading: 2.0 of 4.0 MB (a.jar)",
        "downloading: 4.0 of 4.0 MB (a.jar)",
    ]
