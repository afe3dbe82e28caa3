"""The wheel: what is in it, and that an application needs no more than the base dependencies."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.e2e.programs import ROOT

_USE = """
import sys
from hybrid_memory.client import AsyncMemoryClient, Memory, MemoryClient, NotDelivered
MemoryClient("127.0.0.1:1").close()
heavy = ("torch", "transformers", "qdrant_client", "qdrant_edge", "faust", "fastapi", "numpy")
print([name for name in heavy if name in sys.modules])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [wheel] = folder.glob("*.whl")
    return wheel


def test_what_the_wheel_holds(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert all(name.startswith(("hybrid_memory/", "hybrid_memory-")) for name in names)
    assert not [name for name in names if "tests/" in name or "/test_" in name or name.endswith(".pyc")]
    assert "hybrid_memory/__init__.py" not in names
    components = {name.split("/")[1] for name in names if name.startswith("hybrid_memory/")}
    assert components >= {
        "schemas",
        "runtime",
        "local",
        "cli",
        "client",
        "ingest",
        "classifier",
        "index",
        "sink",
        "query",
    }
    assert {f"hybrid_memory/{component}/py.typed" for component in components} <= set(names)
    # What is in the source tree is in the wheel: data files are easily forgotten.
    for kind in ("*.yaml", "*.json", "*.jsonl"):
        ours = {
            str(file.relative_to(floor))
            for floor in ROOT.iterdir()
            if (floor / "hybrid_memory").is_dir()
            for file in (floor / "hybrid_memory").rglob(kind)
        }
        assert ours
        assert ours <= set(names)
    assert "hybrid_memory/local/kafka_lock.json" in names


def test_an_application_needs_the_base_dependencies_alone(wheel: Path, tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"], check=True, timeout=60)
    install: list[str | Path] = [uv, "pip", "install", "--quiet", "--python", python, wheel]
    done = subprocess.run(install, capture_output=True, text=True, timeout=100, check=False)
    if done.returncode and ("error sending request" in done.stderr or "network" in done.stderr.lower()):
        pytest.skip(f"no package index and no cache: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr
    use = subprocess.run([python, "-I", "-c", _USE], capture_output=True, text=True, timeout=60, check=False)
    assert use.returncode == 0, use.stderr
    assert use.stdout.strip() == "[]"
    # The program is there too, and says what it lacks in a sentence.
    hm = subprocess.run([python.with_name("hm"), "up"], capture_output=True, text=True, timeout=60, check=False)
    assert hm.returncode == 2
    assert "pip install" in hm.stderr
    assert "Traceback" not in hm.stderr
