"""The settings about who may: read at their depth, and shown without what opens anything."""

from pathlib import Path

import pytest

from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import effective, load_settings
from tests.unit.access.issuer import SECRET


def shown() -> dict[str, tuple[str, str]]:
    return {name: (value, origin) for name, value, origin in effective(load_settings())}


def test_a_token_secret_from_a_file(clean_environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    clean_environment.setenv("HM_HTTP__JWT__SECRET_FILE", str(tmp_path / "secret"))
    clean_environment.setenv("HM_HTTP__JWT__ISSUER", "https://issuer.example")
    secret = load_settings().http.jwt.secret
    assert secret is not None
    assert secret.get_secret_value() == SECRET
    assert shown()["HM_HTTP__JWT__SECRET"] == ("**********", f"file {tmp_path / 'secret'}")
    assert shown()["HM_HTTP__JWT__ISSUER"] == ("https://issuer.example", "environment HM_HTTP__JWT__ISSUER")


def test_the_key_file_is_a_path_and_no_value_of_the_keys(clean_environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clean_environment.setenv("HM_HTTP__KEYS_FILE", str(tmp_path / "not yet"))
    http = load_settings().http
    assert (http.keys_file, http.keys) == (tmp_path / "not yet", None)
    assert shown()["HM_HTTP__KEYS"] == ("None", "default")
    assert shown()["HM_HTTP__KEYS_FILE"][1] == "environment HM_HTTP__KEYS_FILE"


@pytest.mark.parametrize(
    ("name", "value", "near"),
    [
        ("HM_HTTP__JWT__SECRT", "x", "HM_HTTP__JWT__SECRET"),
        ("HM_HTTP__JWT__SECRET", "x" * 31, "HM_HTTP__JWT__SECRET: it is shorter than 32 bytes"),
        ("HM_HTTP__JWT__LEEWAY_SECONDS", "3600", "LEEWAY_SECONDS"),
        ("HM_HTTP__RATE_PER_SECOND", "-1", "RATE_PER_SECOND"),
        ("HM_HTTP__INSECURE", "perhaps", "INSECURE"),
    ],
)
def test_what_is_wrong_is_named(clean_environment: pytest.MonkeyPatch, name: str, value: str, near: str) -> None:
    clean_environment.setenv(name, value)
    with pytest.raises(Refusal, match=near):
        load_settings()
