"""`earshot`: see `earshot --help`."""

from __future__ import annotations

import os
import sys

import click

from services.chassis import logs
from services.cli.commands.demo import demo
from services.cli.commands.doctor import doctor
from services.cli.commands.groups import groups
from services.cli.commands.tail import tail
from services.cli.commands.token import token
from services.cli.commands.topics import topics


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Live call supervision, transcription and agent assist for RingCentral, on Kafka.

    Start with `earshot demo`. Against a deployment, `earshot doctor` says what is missing and `earshot tail`
    shows transcripts as they are spoken; both read the same environment variables as the services.
    """
    logs.configure(service="cli", level=os.environ.get("LOG_LEVEL", "ERROR"), stream=sys.stderr)


for command in (demo, doctor, groups, tail, token, topics):
    main.add_command(command)

if __name__ == "__main__":
    main()
