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
Log in with the client id, client secret and JWT below; further users: sim-jwt-lead, sim-jwt-agent.

Make it fail: curl -X POST HTTP/sim/faults -d '{"chances": {"ws_cut": {"every_s": 600, "for_s": 9}}}'
              (what was injected: HTTP/sim/state; all kinds: services/ringcentral_sim/domain/faults.py)
Play a day:   --media paper --speed 20, then curl -X POST HTTP/sim/floor -d '{"seed": 1, "agents": 300, "calls": 2000}'
              (progress: HTTP/sim/floor; what really happened to each call: HTTP/sim/floor/calls)
With --speed 20 every setting, window, penalty and delay below is in simulated seconds, of which 20 pass in a real one.
What a client reads (Retry-After, X-Rate-Limit-Window, expires_in, ConnectionDetails, all times of day) is in real
seconds. A webhook's expiresIn and the time it has to answer are real as well. Mind --ws-idle-timeout-s: a client
that sends a heartbeat each real minute is silent for 20 simulated ones."""


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
