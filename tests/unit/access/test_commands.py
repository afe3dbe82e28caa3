"""`hm keys`: a key is shown once, and everything else is said in a sentence."""

import json
import shlex
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from hybrid_memory.cli.main import main
from hybrid_memory.runtime.access.key_file import read_keys
from hybrid_memory.runtime.access.keys import hash_of

Keys = Callable[..., str]


@pytest.fixture
def folder(clean_environment: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    clean_environment.setenv("HM_DATA_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def keys(folder: Path, capsys: pytest.CaptureFixture[str]) -> Keys:
    """Runs `hm keys`; what it prints on standard output, or on standard error where it refuses."""

    def run(*arguments: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as end:
            main(["keys", *arguments])
        assert end.value.code == code
        out, err = capsys.readouterr()
        return out.strip() if code == 0 else err.strip()

    return run


def test_a_key_is_printed_alone_and_kept_as_a_hash(keys: Keys, folder: Path) -> None:
    key = keys("create", "agent", "--user", "ada", "--user", "bob", "--days", "7")
    (entry,) = read_keys(folder / "keys.yaml")
    assert entry.hash == hash_of(key)
    assert entry.users == frozenset({"ada", "bob"})
    assert entry.created is not None
    assert entry.expires is not None
    assert (entry.expires - entry.created).days == 7
    assert key[16:] not in (folder / "keys.yaml").read_text()
    assert stat.S_IMODE((folder / "keys.yaml").stat().st_mode) == 0o600


def test_nothing_that_opens_is_listed(keys: Keys) -> None:
    assert "hm keys create" in keys("list")
    key = keys("create", "agent", "--user", "ada")
    made = json.loads(keys("create", "ops", "--all-users", "--scope", "admin", "--json"))
    assert made.keys() == {"key", "id", "name", "scopes", "users", "created"}
    table, rows = keys("list"), json.loads(keys("list", "--json"))
    assert [(row["name"], row["state"], row["users"]) for row in rows] == [
        ("agent", "active", ["ada"]),
        ("ops", "active", "all"),
    ]
    assert "read, write for ada" in table
    assert "sha256" not in table + json.dumps(rows)
    assert [secret for secret in (key[16:], made["key"][16:]) if secret in table + json.dumps(rows)] == []


@pytest.mark.parametrize("by", ["id", "key"])
def test_a_revoked_key_stays_listed(keys: Keys, folder: Path, by: str) -> None:
    key = keys("create", "agent", "--all-users")
    keys("create", "other", "--all-users")
    said = keys("revoke", key if by == "key" else key.split("_")[1])
    assert key[16:] not in said
    first, second = read_keys(folder / "keys.yaml")
    assert (first.revoked is not None, second.revoked) == (True, None)
    keys("revoke", key)
    assert read_keys(folder / "keys.yaml")[0] == first, "the moment of the first time stays"
    assert keys("list").count("revoked") == 1


def test_an_entry_for_the_settings(keys: Keys, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = json.loads(keys("create", "agent", "--all-users", "--no-file", "--json"))
    assert made["entry"]["hash"] == hash_of(made["key"])
    assert not (folder / "keys.yaml").exists()
    monkeypatch.setenv("HM_HTTP__KEYS", json.dumps([made["entry"]]))
    assert made["entry"]["id"] in keys("list")


def test_a_setting_can_be_pasted(keys: Keys, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, line = keys("create", "ada's phone", "--user", "ada", "--no-file").splitlines()
    (pasted,) = shlex.split(line)
    name, _, value = pasted.partition("=")
    monkeypatch.setenv(name, value)
    (row,) = json.loads(keys("list", "--json"))
    assert (row["id"], row["name"], row["from"]) == (key.split("_")[1], "ada's phone", "HM_HTTP__KEYS")
    assert key[16:] not in value
    assert f"key {row['id']} comes from HM_HTTP__KEYS: take it out there" in keys("revoke", key, code=2)


def test_another_file(keys: Keys, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys("create", "a", "--all-users", "--file", str(folder / "other.json"))
    monkeypatch.setenv("HM_HTTP__KEYS_FILE", str(folder / "other.json"))
    keys("create", "b", "--all-users")
    assert [entry.name for entry in read_keys(folder / "other.json")] == ["a", "b"]
    assert not (folder / "keys.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "a"), "--all-users"),
        (("create", "a", "--user", "ada", "--all-users"), "--user"),
        (("create", "a", "--user", "ada", "--scope", "root"), "read, write, admin"),
        (("create", "a", "--user", "ada", "--scope", "admin"), "admin"),
        (("create", "a", "--user", "x" * 257), "users"),
        (("create", "", "--all-users"), "name"),
        (("create", "a", "--all-users", "--file", "/proc/nowhere/keys.yaml"), "cannot be written"),
        (("revoke", "000000000000"), "hm keys list"),
        (("revoke", "hm_000000000000_s3cret"), "hm keys list"),
    ],
)
def test_what_cannot_be(keys: Keys, folder: Path, arguments: tuple[str, ...], words: str) -> None:
    said = keys(*arguments, code=2)
    assert said.startswith("hm: ")
    assert words in said
    assert "s3cret" not in said
    assert not (folder / "keys.yaml").exists()


def test_help_has_examples(keys: Keys) -> None:
    assert "hm keys revoke 3f9c5a01b7de" in keys("--help")
    assert "hm keys create ada-phone --user ada" in keys("create", "--help")
