"""The `hm` program: what it lists, loads and says."""

import resource
import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points

import pytest

from hybrid_memory.cli.discovery import GROUP
from hybrid_memory.cli.main import explain, main
from hybrid_memory.cli.summary import summary_of
from hybrid_memory.local.errors import BrokerError
from hybrid_memory.runtime.errors import Refusal, Unavailable

HEAVY = ("torch", "transformers", "sentence_transformers", "qdrant_edge", "fastapi", "confluent_kafka", "pydantic")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert isinstance(end.value.code, int)
    return end.value.code


def test_help_lists_every_command_with_its_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    out = capsys.readouterr().out
    for entry in entry_points(group=GROUP):
        (line,) = [line for line in out.splitlines() if line.startswith(f"  {entry.name} ")]
        assert line.split(maxsplit=1)[1], f"{entry.name} has no help"
    assert "Examples:" in out


def test_help_imports_no_component() -> None:
    code = (
        "import sys\nfrom hybrid_memory.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print('LOADED', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1].split() == ["LOADED"]


def test_help_takes_less_than_half_a_second() -> None:
    def seconds() -> float:
        """Of its own processor time: other tests run beside."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "hybrid_memory.cli", "--help"], capture_output=True, timeout=60, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(5)) < 0.5


def test_a_summary_is_the_one_that_the_command_itself_shows(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("up", "broker"):
        (entry,) = entry_points(group=GROUP, name=name)
        assert summary_of(entry)
        run(name, "--help")
        assert " ".join(summary_of(entry).split()[:4]) in " ".join(capsys.readouterr().out.split())


def test_a_summary_that_cannot_be_read_is_empty() -> None:
    assert summary_of(EntryPoint("x", "somewhere.else:x", GROUP)) == ""
    assert summary_of(EntryPoint("x", "hybrid_memory.local.commands:absent", GROUP)) == ""


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("hm ")


def test_a_wrong_command_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("brokr") == 2
    assert "Did you mean 'broker'" in capsys.readouterr().err


def test_a_refusal_is_one_sentence_and_code_2(
    capsys: pytest.CaptureFixture[str], clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("HM_HTTP__PRT", "1")
    assert run("up") == 2
    err = capsys.readouterr().err
    assert err.startswith("hm: setting HM_HTTP__PRT is not known")
    assert err.count("\n") == 1


def test_debug_shows_the_traceback(clean_environment: pytest.MonkeyPatch) -> None:
    clean_environment.setenv("HM_HTTP__PRT", "1")
    with pytest.raises(Refusal):
        main(["--debug", "up"])


@pytest.mark.parametrize(
    ("error", "sentence", "code"),
    [
        (Refusal("the port is taken"), "the port is taken", 2),
        (Unavailable("Kafka is away"), "Kafka is away", 2),
        (BrokerError("it died"), "it died", 1),
        (ModuleNotFoundError("no fastapi", name="fastapi"), "pip install '.[all]' in the folder of hybrid-memory", 2),
        (KeyError("x"), "unexpected fault: KeyError: 'x'; to see where, run: hm --debug COMMAND", 1),
    ],
)
def test_every_fault_has_a_sentence_and_a_code(error: Exception, sentence: str, code: int) -> None:
    said, exit_code = explain(error)
    assert sentence in said
    assert exit_code == code


def test_a_missing_package_is_named_with_the_way_to_install_it() -> None:
    code = "import sys; sys.modules['typer'] = None\nfrom hybrid_memory.cli import main\nmain(['--help'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(
        "hm: this needs the package typer, which is not installed; install it with: pip install"
    )
    assert done.stderr.count("\n") == 1
