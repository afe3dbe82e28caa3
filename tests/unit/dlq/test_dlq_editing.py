"""The editor: what it is given, what is made of what it leaves, and when nothing is."""

from pathlib import Path

import pytest

from hybrid_memory.dlq.editing import compact, edit, laid_out
from hybrid_memory.runtime.errors import Refusal


def editor(monkeypatch: pytest.MonkeyPatch, folder: Path, *lines: str) -> None:
    script = folder / "editor with a space.sh"
    script.write_text("#!/bin/sh\n" + "\n".join(lines) + "\n")
    script.chmod(0o755)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"'{script}' --wait")


def test_json_is_laid_out_and_made_compact_again() -> None:
    assert laid_out('{"a":"ä"}'.encode()) == '{\n  "a": "ä"\n}\n'.encode()
    assert compact(laid_out(b'{"a":[1]}')) == b'{"a":[1]}'
    assert laid_out(b"{\xff") == compact(b"{\xff") == b"{\xff"


def test_the_editor_changes_the_value(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    editor(monkeypatch, tmp_path, 'sed -i "s/bad/good/" "$2"')
    value, file = edit(b'{"text":"bad"}')
    assert value == b'{"text":"good"}'
    file.unlink()


@pytest.mark.parametrize(
    ("lines", "said"),
    [(["exit 3"], "code 3; nothing was sent"), ([': > "$2"'], "nothing was left of the value; nothing was sent")],
)
def test_a_failure_or_nothing_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lines: list[str], said: str
) -> None:
    editor(monkeypatch, tmp_path, *lines)
    with pytest.raises(Refusal, match=said):
        edit(b"{}")


def test_without_an_editor_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    with pytest.raises(Refusal, match="set EDITOR"):
        edit(b"{}")
    monkeypatch.setenv("EDITOR", "no-such-editor-here")
    with pytest.raises(Refusal, match="cannot be started"):
        edit(b"{}")
