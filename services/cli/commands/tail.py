"""`earshot tail`: live transcripts in the terminal."""

from __future__ import annotations

import sys
import time
from typing import Any

import click
import msgspec
from rich.console import Console

from services.chassis.consumer import Incoming
from services.chassis.errors import EarshotError
from services.chassis.records import decode
from services.chassis.settings import KafkaSettings
from services.chassis.topic_view import TopicView
from services.cli.adapters.live_view import LiveView
from services.contracts.topics import ASSIST_SUGGESTIONS, TRANSCRIPTS_FINAL, TRANSCRIPTS_PARTIAL, Topic


@click.command()
@click.option("--call", "call_id", help="Only this call (telephonySessionId); default: all.")
@click.option("--since", "since_s", default=0, show_default=True, help="Begin so many seconds back.")
@click.option("--json", "as_json", is_flag=True, help="One JSON record a line: finals and suggestions.")
def tail(call_id: str | None, since_s: int, as_json: bool) -> None:
    """Show transcripts and suggestions while they come, until Ctrl-C.

    Reads the topics directly, with the rights of KAFKA_BOOTSTRAP_SERVERS's user; texts are redacted already.
    """
    console = Console(highlight=False)
    with LiveView(console) as view:

        def take(message: Incoming) -> None:
            if message.value is None or (call_id is not None and message.key != call_id):
                return
            record: msgspec.Struct = decode(message.topic, message.value)
            if not as_json:
                view.show(record)
            elif message.topic is not TRANSCRIPTS_PARTIAL:
                click.echo(message.value.decode())

        topics: list[Topic[Any]] = [TRANSCRIPTS_PARTIAL, TRANSCRIPTS_FINAL, ASSIST_SUGGESTIONS]
        reader = TopicView(KafkaSettings(), topics=topics, on_record=take, since_ms=since_s * 1000, name="tail")
        reader.start()
        try:
            while reader.error is None:
                time.sleep(0.2)
        except KeyboardInterrupt:
            return
        except EarshotError as error:
            click.echo(str(error), err=True)
            sys.exit(1)
        finally:
            reader.stop()
