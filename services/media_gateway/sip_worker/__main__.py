"""Entry point: `python -m services.media_gateway.sip_worker --fd N`, N being the inherited socket."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys

from services.chassis import logs
from services.media_gateway.sip_worker.worker import Link, run


def main() -> int:
    """Serve the gateway on the inherited socket until it says stop or goes away."""
    parser = argparse.ArgumentParser(prog="python -m services.media_gateway.sip_worker")
    parser.add_argument("--fd", type=int, required=True, help="socket to the gateway, inherited")
    parser.add_argument("--log-level", default="INFO")
    arguments = parser.parse_args()
    # The SIP library writes plain lines to descriptor 1 before it can be told not to; ours keep the real one.
    sys.stdout = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    logs.configure(service="media_gateway.sip_worker", level=arguments.log_level)
    # The gateway decides when to stop: a signal to the process group must not cut calls that it drains.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return run(Link(socket.socket(fileno=arguments.fd)))


if __name__ == "__main__":
    raise SystemExit(main())
