"""The command line: help that teaches, one line for a bad setting, options over environment."""

from __future__ import annotations

import pytest

from services.ringcentral_sim.__main__ import main, parser
from services.ringcentral_sim.config import SimulatorSettings


def test_help_names_every_setting_with_its_variable(capsys):
    with pytest.raises(SystemExit) as done:
        main(["--help"])
    assert done.value.code == 0
    text = capsys.readouterr().out
    for name, field in SimulatorSettings.model_fields.items():
        assert f"RINGCENTRAL_SIM_{name.upper()}" in text
        assert field.description


@pytest.mark.parametrize(
    ("argv", "line"),
    [(["--port", "many"], "RINGCENTRAL_SIM_PORT"), (["--start-audio", "soon"], "RINGCENTRAL_SIM_START_AUDIO")],
)
def test_a_bad_setting_gives_one_line_and_exit_status_two(capsys, argv, line):
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert error.startswith(line)
    assert error.count("\n") == 1


def test_environment_and_options(monkeypatch):
    monkeypatch.setenv("RINGCENTRAL_SIM_PORT", "9001")
    assert SimulatorSettings().port == 9001
    given = {k: v for k, v in vars(parser().parse_args(["--port", "9002"])).items() if v is not None}
    assert SimulatorSettings(**given).port == 9002
