"""`hm config`: a line a setting, for programs as for people."""

import pytest
from typer import Typer
from typer.testing import CliRunner

from hybrid_memory.runtime.commands import config
from hybrid_memory.runtime.settings import effective, load_settings


def test_every_setting_has_a_line_of_its_own(clean_environment: pytest.MonkeyPatch) -> None:
    clean_environment.setenv("HM_CLASSIFIER__MODEL", f"/models/{'x' * 300}[bold]")
    app = Typer()
    app.command()(config)
    lines = CliRunner().invoke(app).stdout.splitlines()[1:]
    assert [line.split()[0] for line in lines] == [name for name, _, _ in effective(load_settings())]
    assert f"/models/{'x' * 300}[bold]  environment HM_CLASSIFIER__MODEL" in "\n".join(lines)
