"""`python -m services.ringcentral_sim`: options override RINGCENTRAL_SIM_* variables."""

from __future__ import annotations

import argparse
import sys

from pydantic import ValidationError

from services.ringcentral_sim.config import SimulatorSettings
from services.ringcentral_sim.serve import serve

ABOUT = """A RingCentral to run and test against: REST and WebSocket or webhook events, SIP and RTP.
When everything listens, one JSON line on stdout names the addresses; logs go to stderr.
Play a call:  curl -X POST HTTP/sim/calls -d '{"audio": "call.flac"}'   (left agent, right customer)
Watch it:     curl HTTP/sim/state
Log in with the client id, client secret and JWT below; further users: sim-jwt-lead, sim-jwt-agent."""


def parser() -> argparse.ArgumentParser:
    """One option per setting, each with its variable and default."""
    made = argparse.ArgumentParser(
        prog="python -m services.ringcentral_sim",
        usage="%(prog)s [--option VALUE ...]",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, field in SimulatorSettings.model_fields.items():
        variable = f"RINGCENTRAL_SIM_{name.upper()}"
        text = f"{field.description} (env {variable}, default {field.default!r})".replace("%", "%%")
        made.add_argument(f"--{name.replace('_', '-')}", dest=name, metavar="VALUE", help=text)
    return made


def main(argv: list[str] | None = None) -> int:
    """Exit 2 with one line that names the setting when one is bad."""
    given = {k: v for k, v in vars(parser().parse_args(argv)).items() if v is not None}
    try:
        settings = SimulatorSettings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        print(f"RINGCENTRAL_SIM_{str(first['loc'][0]).upper()}: {first['msg']}", file=sys.stderr)
        return 2
    return serve(settings)


if __name__ == "__main__":
    sys.exit(main())
