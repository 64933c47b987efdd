"""The command line: help that teaches, one line for a bad setting, options over environment."""

from __future__ import annotations

import json

import pytest

from services.ringcentral_sim.__main__ import main, parser
from services.ringcentral_sim.config import SimulatorSettings
from services.ringcentral_sim.domain.errors import PLAIN_SHAPES
from services.ringcentral_sim.domain.faults import KINDS


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


@pytest.mark.parametrize("shape", PLAIN_SHAPES)
async def test_every_fault_may_be_begun_with_or_be_switched_on_later(make_lab, shape):
    wanted = {
        "chances": {kind: {"share": 0.5, "every_s": 60, "for_s": 5} for kind in KINDS},
        "error_shape": shape,
        "invite": "late",
        "late_offer": True,
        "two_media_lines": True,
        "monitoring_headers": "reordered",
        "offline_devices": ["801000000001"],
    }
    begun, switched = await make_lab(faults=json.dumps(wanted)), await make_lab()
    await switched.http.post("/sim/faults", json=wanted)
    shown = [(await lab.http.get("/sim/state")).json()["faults"] for lab in (begun, switched)]
    assert shown[0]["chances"] == shown[1]["chances"]
    assert set(shown[0]["chances"]) == set(KINDS)
    for name in wanted.keys() - {"chances"}:
        assert shown[0][name] == shown[1][name] == wanted[name]
