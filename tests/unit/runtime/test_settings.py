"""Settings: what is read from where, and what is refused."""

from pathlib import Path

import pytest

from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import effective, load_settings


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("HM_")]:
        monkeypatch.delenv(name)


def test_environment_is_read_by_section(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HM_HTTP__PORT", "9000")
    monkeypatch.setenv("HM_KAFKA__SASL_MECHANISM", "PLAIN")
    monkeypatch.setenv("HM_KAFKA__BOOTSTRAP_SERVERS", "broker:9092")
    monkeypatch.setenv("USE_CLASSIFIER_SERVICE", "true")
    monkeypatch.setenv("HM_HTTP__CORS_ORIGINS", "https://a.example, https://b.example")
    settings = load_settings()
    assert settings.http.port == 9000
    assert settings.http.host == "127.0.0.1"
    assert settings.kafka == {"sasl.mechanism": "PLAIN", "bootstrap.servers": "broker:9092"}
    assert settings.use_classifier_service
    assert settings.http.cors_origins == ("https://a.example", "https://b.example")


def test_the_command_line_beats_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HM_HTTP__PORT", "9000")
    monkeypatch.setenv("HM_HTTP__WAIT_MS", "5")
    settings = load_settings(http={"port": 9001, "host": None})
    assert (settings.http.port, settings.http.wait_ms) == (9001, 5)


def test_a_secret_is_read_from_a_file_and_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    monkeypatch.setenv("HM_KAFKA__SASL_PASSWORD_FILE", str(secret))
    settings = load_settings()
    assert settings.kafka["sasl.password"] == "hunter2"
    shown = list(effective(settings))
    assert ("HM_KAFKA__SASL_PASSWORD", "**********", f"file {secret}") in shown
    assert "hunter2" not in f"{settings!r} {settings} {shown}"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("HM_HTP__PORT", "1", "did you mean HM_HTTP__PORT"),
        ("HM_HTTP__PORT", "many", "HM_HTTP__PORT"),
        ("HM_HTTP__PORT", "70000", "HM_HTTP__PORT"),
        ("HM_KAFKA__SASL_PASSWORD_FILE", "/nowhere/at/all", "HM_KAFKA__SASL_PASSWORD_FILE"),
        ("HM_LOG__LEVEL", "loud", "HM_LOG__LEVEL"),
        ("HM_TOPIC_PREFIX", "a b", "HM_TOPIC_PREFIX"),
        ("HM_MEM0__API_KEY", "m0-\u00e9", "HM_MEM0__API_KEY: a key has neither blanks"),
        ("HM_MEM0__API_KEY", "m0-a\nm0-b", "HM_MEM0__API_KEY: a key has neither blanks"),
        ("HM_MEM0__URL", "https://api.mem0.ai/v1", "HM_MEM0__URL: give scheme and host alone"),
        ("HM_MEM0__URL", "https://me:secret@api.mem0.ai", "HM_MEM0__URL: give scheme and host alone"),
        ("HM_MEM0__URL", "https://api.mem0.ai:port", "HM_MEM0__URL: Port could not be cast"),
        ("HM_MEM0__OSS__QDRANT_URL", "qdrant:6333", "HM_MEM0__OSS__QDRANT_URL: it must begin with http://"),
        ("HM_QDRANT__URL", "banana", "HM_QDRANT__URL: it must begin with http:// or https://"),
        ("HM_QDRANT__URL", "http://", "HM_QDRANT__URL: it must begin with http:// or https://"),
        ("HM_MEM0__OSS__NAME", "my shop", "HM_MEM0__OSS__NAME: a name is at most 100 letters"),
    ],
)
def test_what_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Refusal, match=words) as refused:
        load_settings()
    assert "secret" not in str(refused.value)


def test_blanks_and_slashes_that_say_nothing_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HM_MEM0__API_KEY", " m0-key\n")
    monkeypatch.setenv("HM_MEM0__URL", "https://mem0.example/")
    mem0 = load_settings().mem0
    assert mem0.api_key is not None
    assert (mem0.api_key.get_secret_value(), mem0.url) == ("m0-key", "https://mem0.example")
    monkeypatch.setenv("HM_MEM0__API_KEY", " ")
    assert load_settings().mem0.api_key is None


def test_without_a_kafka_the_message_says_what_to_do() -> None:
    with pytest.raises(Refusal, match=r"HM_KAFKA__BOOTSTRAP_SERVERS.*hm up"):
        _ = load_settings().bootstrap_servers


def test_settings_cannot_be_changed() -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.data_dir = Path()  # type: ignore[misc]


def test_a_classifier_service_is_expected_to_improve_on_the_rules(clean_environment: pytest.MonkeyPatch) -> None:
    assert not load_settings().expect_stream
    clean_environment.setenv("USE_CLASSIFIER_SERVICE", "true")
    assert load_settings().expect_stream
    clean_environment.setenv("HM_EXPECT_STREAM", "false")
    assert not load_settings().expect_stream
