"""The key file: whole or not at all, nobody else's to read or write, and read again when it changes."""

import json
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hybrid_memory.runtime.access.caller import READ_WRITE
from hybrid_memory.runtime.access.errors import NotAccepted
from hybrid_memory.runtime.access.key_file import change_keys, parse_entries, plain, read_keys
from hybrid_memory.runtime.access.keys import KeyEntry, make_key
from hybrid_memory.runtime.access.watched_keys import WatchedKeys
from hybrid_memory.runtime.errors import Refusal

NOW = datetime.now(UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "keys.yaml"


def add(path: Path, *entries: KeyEntry) -> None:
    change_keys(path, lambda before: (*before, *entries))


def revoke(path: Path) -> None:
    change_keys(path, lambda before: [entry.model_copy(update={"revoked": NOW}) for entry in before])


@pytest.mark.parametrize("name", ["keys.yaml", "keys.json"])
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    odd = make_key("no: [yes]", READ_WRITE, frozenset({"no", "1e5", "ä/b", "null", "2026-01-01"}), expires=NOW)
    add(tmp_path / name, odd.entry)
    add(tmp_path / name, make_key("second", READ_WRITE, "all").entry)
    first, second = read_keys(tmp_path / name)
    assert first == odd.entry
    assert second.users == "all"
    if name.endswith("json"):
        assert json.loads((tmp_path / name).read_text())["keys"][0]["name"] == "no: [yes]"


def test_it_is_nobody_elses(path: Path) -> None:
    add(path, make_key("a", READ_WRITE, "all").entry)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    add(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_others_may_write_is_refused(path: Path) -> None:
    add(path)
    path.chmod(0o620)
    with pytest.raises(Refusal, match="chmod 600"):
        read_keys(path)


def test_a_change_that_fails_leaves_it_as_it_was(path: Path) -> None:
    add(path, make_key("a", READ_WRITE, "all").entry)
    before = path.read_bytes()

    def fails(_: object) -> tuple[KeyEntry, ...]:
        raise Refusal("no")

    with pytest.raises(Refusal):
        change_keys(path, fails)
    assert path.read_bytes() == before
    assert {file.name for file in path.parent.iterdir()} <= {"keys.yaml", ".keys.yaml.lock"}


def test_processes_that_make_keys_at_once_lose_none(path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from hybrid_memory.runtime.access.caller import READ_WRITE\n"
        "from hybrid_memory.runtime.access.key_file import change_keys\n"
        "from hybrid_memory.runtime.access.keys import make_key\n"
        "for n in range(10):\n"
        "    new = make_key(f'{sys.argv[2]}-{n}', READ_WRITE, 'all').entry\n"
        "    change_keys(pathlib.Path(sys.argv[1]), lambda before: (*before, new))\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(path), str(n)]) for n in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert {entry.name for entry in read_keys(path)} == {f"{p}-{n}" for p in range(3) for n in range(10)}


def test_a_link_stays_a_link(tmp_path: Path, path: Path) -> None:
    add(path)
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    add(link, make_key("a", READ_WRITE, "all").entry)
    assert link.is_symlink()
    assert len(read_keys(path)) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("keys: [", "neither YAML nor JSON"),
        ("[" * 10_000, "neither YAML nor JSON"),
        ("\x00", "neither YAML nor JSON"),
        ("keys: 7", "wrong at keys"),
        ("version: 2", "wrong at version"),
        ("keys: [{id: x}]", r"wrong at keys\.0"),
        ("- 1", "wrong at its top"),
        ("keys: !!python/object/apply:os.system ['true']", "neither YAML nor JSON"),
    ],
)
def test_a_file_that_is_none(path: Path, content: str, words: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(Refusal, match=words):
        read_keys(path)


def test_entries_from_a_setting() -> None:
    entry = make_key("a", READ_WRITE, frozenset({"ada"})).entry
    assert parse_entries(json.dumps([plain(entry)])) == (entry,)
    assert parse_entries("[]") == ()
    with pytest.raises(Refusal, match="HM_HTTP__KEYS is wrong at 0"):
        parse_entries('[{"id": "x"}]')


@pytest.mark.parametrize("text", ["", "{", "7", "0", "{}", "null", '{"key": "hm_", "entry": {}}'])
def test_a_setting_that_is_no_list_is_not_taken_for_no_keys(text: str) -> None:
    with pytest.raises(Refusal, match=r"HM_HTTP__KEYS must be a JSON list of entries: \[\{…\}\]"):
        parse_entries(text)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_revoked_key_stops_within_a_second(path: Path) -> None:
    clock, new = Clock(), make_key("a", READ_WRITE, "all")
    add(path, new.entry)
    keys = WatchedKeys(path, clock=clock)
    assert (await keys.ring()).caller(new.key, NOW)
    revoke(path)
    clock.now = 1.0
    with pytest.raises(NotAccepted):
        (await keys.ring()).caller(new.key, NOW)


async def test_a_key_that_is_made_later_is_known_within_a_second(path: Path) -> None:
    clock, new = Clock(), make_key("a", READ_WRITE, "all")
    keys = WatchedKeys(path, clock=clock)
    assert not keys.guarded
    add(path, new.entry)
    clock.now = 1.0
    assert (await keys.ring()).caller(new.key, NOW)
    assert keys.guarded, "the first key closes what stood open"


@pytest.mark.parametrize("how", ["revoked", "emptied", "removed"])
async def test_no_keys_left_opens_nothing(path: Path, how: str) -> None:
    clock, new = Clock(), make_key("a", READ_WRITE, "all")
    add(path, new.entry)
    keys = WatchedKeys(path, clock=clock)
    if how == "removed":
        path.unlink()
    elif how == "revoked":
        revoke(path)
    else:
        change_keys(path, lambda _: ())
    clock.now = 1.0
    with pytest.raises(NotAccepted):
        (await keys.ring()).caller(new.key, NOW)
    assert keys.guarded


async def test_while_it_cannot_be_read_the_keys_are_as_they_were(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock, new = Clock(), make_key("a", READ_WRITE, "all")
    add(path, new.entry)
    keys = WatchedKeys(path, clock=clock)
    path.write_text("keys: [")
    clock.now = 1.0
    assert (await keys.ring()).caller(new.key, NOW)
    assert "neither YAML nor JSON" in caplog.text
    revoke_all = make_key("b", READ_WRITE, "all").entry
    path.unlink()
    add(path, revoke_all)
    clock.now = 2.0
    with pytest.raises(NotAccepted):
        (await keys.ring()).caller(new.key, NOW)


async def test_keys_of_the_settings_count_beside_the_file(path: Path) -> None:
    fixed, filed = make_key("fixed", READ_WRITE, "all"), make_key("filed", READ_WRITE, "all")
    add(path, filed.entry)
    ring = await WatchedKeys(path, (fixed.entry,)).ring()
    assert {ring.caller(new.key, NOW).name for new in (fixed, filed)} == {
        f"key:{new.entry.id}" for new in (fixed, filed)
    }
