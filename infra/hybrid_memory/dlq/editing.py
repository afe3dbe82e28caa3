"""Opens a value in the person's own editor."""

import json
import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from hybrid_memory.runtime.errors import Refusal


def edit(value: bytes | None) -> tuple[bytes, Path]:
    """What the person makes of the value, and the file that holds it, so that nothing typed is lost.

    JSON is laid out for the editor, and made compact again. A value that was not is given back as it was left.

    Raises:
        Refusal: there is no editor, it failed, or nothing was left.
    """
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "")
    if not command:
        raise Refusal("--edit needs an editor; set EDITOR, say to nano")
    handle, name = tempfile.mkstemp(prefix="hm-dead-letter-", suffix=".json")
    path = Path(name)
    with os.fdopen(handle, "wb") as stream:
        stream.write(laid_out(value or b""))
    try:
        code = subprocess.run([*command, name], check=False).returncode
    except OSError as error:
        raise Refusal(f"the editor {command[0]} cannot be started: {error.strerror}; set EDITOR") from None
    edited = path.read_bytes()
    if code != 0 or not edited.strip():
        path.unlink()
        why = f"the editor ended with code {code}" if code else "nothing was left of the value"
        raise Refusal(f"{why}; nothing was sent")
    return compact(edited), path


def laid_out(value: bytes) -> bytes:
    """JSON on lines of its own; anything else as it is."""
    try:
        return json.dumps(json.loads(value), indent=2, ensure_ascii=False).encode() + b"\n"
    except (ValueError, RecursionError):
        return value


def compact(value: bytes) -> bytes:
    """JSON without white space; anything else as it is."""
    try:
        return json.dumps(json.loads(value), separators=(",", ":"), ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return value
