"""`earshot demo`: one call through the whole pipeline, at real speed, and what came of it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console

from services.chassis.errors import EarshotError
from services.cli.adapters.audio_file import BadCallFile, open_conversation
from services.cli.adapters.call_follower import CallFollower
from services.cli.adapters.embedded_broker import EmbeddedBrokerError
from services.cli.adapters.live_view import LiveView
from services.cli.adapters.running_stack import RunningStack
from services.cli.adapters.simulator import Simulator
from services.cli.adapters.stack import Stack
from services.cli.commands.token import make_token
from services.cli.domain.conversation import Conversation
from services.cli.domain.result import problems_of, result_of

CONVERSATIONS = Path(__file__).resolve().parents[3] / "tests" / "data" / "conversations"
RUN_DIR = Path(".run") / "demo"
GRACE_S = 45.0
"""Longest wait for the last records after the call's audio has ended."""


@click.command()
@click.option(
    "--call", "call_file", type=click.Path(path_type=Path), help="Stereo WAV or FLAC, agent left, customer right."
)
@click.option("--conversation", default="broadband_outage", show_default=True, help="One of tests/data/conversations.")
@click.option("--once", is_flag=True, help="No terminal needed; exit 0 when all is as it should be, else 1.")
@click.option(
    "--against", metavar="URL", help="Start nothing: play the call through the stack that this simulator belongs to."
)
@click.option(
    "--run-dir", type=click.Path(path_type=Path), default=RUN_DIR, show_default=True, envvar="EARSHOT_RUN_DIR",
    help="Where the result goes.",
)  # fmt: skip
def demo(call_file: Path | None, conversation: str, once: bool, against: str | None, run_dir: Path) -> None:
    """Start everything, play one conversation as a call, and show it being understood.

    Needs no container engine and no account: the broker is an embedded one unless KAFKA_BOOTSTRAP_SERVERS names
    yours, and RingCentral is the simulator. Writes .run/demo/result.json; logs are in .run/demo/logs.

    With --against, the broker is KAFKA_BOOTSTRAP_SERVERS, and the simulator needs the call's file, by the same name,
    in its RINGCENTRAL_SIM_AUDIO_ROOT.
    """
    console = Console(highlight=False, force_terminal=False if once else None)
    try:
        call = open_conversation(call_file or CONVERSATIONS / f"{conversation}.flac")
    except BadCallFile as error:
        click.echo(str(error), err=True)
        sys.exit(2)

    def say(step: str) -> None:
        console.print(f"[dim]· {step}[/dim]")

    stack = RunningStack(against, say) if against else Stack(run_dir, say)
    try:
        stack.start()
        well = _play(stack, call, console, run_dir)
        if not once and not against and sys.stdin.isatty():
            console.print("\nEverything still runs; the page stays open. Ctrl-C stops it.")
            while stack.died() is None:
                time.sleep(0.5)
    except KeyboardInterrupt:
        console.print("\nstopping")
        well = True
    except (EarshotError, EmbeddedBrokerError) as error:
        click.echo(str(error), err=True)
        well = False
    finally:
        stack.stop()
    sys.exit(0 if well else 1)


def _play(stack: Stack | RunningStack, call: Conversation, console: Console, run_dir: Path) -> bool:
    simulator = Simulator(stack.simulator_url)
    if isinstance(stack, Stack):
        token = make_token(stack.token_key, subject="demo", role="admin")
        console.print(f"\nThe page: http://127.0.0.1:{stack.page_port}/#token={token}", soft_wrap=True)
    console.print(f"The call: {Path(call.path).name}, {call.duration_ms / 1000:.0f} s at real speed\n")
    with LiveView(console) as view:
        follower = CallFollower(stack.settings, view.show)
        follower.start()
        try:
            call_id = simulator.play(stack.audio_name(call.path))
            log = follower.follow(call_id)
            _wait(stack, simulator, call_id, log.is_complete, call)
            result = result_of(log, call, simulator.audio_started_at(call_id))
            problems = problems_of(result, call, log)
        finally:
            follower.stop()
    run_dir.mkdir(parents=True, exist_ok=True)
    path = run_dir / "result.json"
    path.write_bytes(orjson.dumps(result | {"problems": problems}, option=orjson.OPT_INDENT_2))
    _report(console, result, problems, path)
    return not problems


def _wait(
    stack: Stack | RunningStack, simulator: Simulator, call_id: str, is_complete: Any, call: Conversation
) -> None:
    """Until nothing more is to come, or the longest wait is over; raises EarshotError when a process died."""
    deadline = time.monotonic() + call.duration_ms / 1000 + GRACE_S
    while not is_complete() and time.monotonic() < deadline:
        died = stack.died()
        if died is not None:
            raise EarshotError(died)
        time.sleep(0.2)


def _report(console: Console, result: dict[str, Any], problems: list[str], path: Path) -> None:
    console.print("\n[bold]What came of it[/bold]")
    if result["wer"] is not None:
        rates = ", ".join(f"{speaker} {100 * rate:.1f} %" for speaker, rate in result["wer"].items())
        console.print(f"  word error rate       {rates}")
    for kind in ("partial", "final"):
        latency = result["latency_ms"][kind]
        console.print(f"  spoken to {kind:<8}    p50 {latency['p50']} ms, p95 {latency['p95']} ms")
    console.print(
        f"  audio                 {result['audio']['received_ms']} ms received, {result['audio']['lost_ms']} ms lost"
    )
    console.print(f"  legs, suggestions     {result['legs']}, {len(result['suggestions'])}")
    console.print(f"  wrong speakers        {result['speakers_swapped']}")
    console.print(f"  recording             {result['recording']}", soft_wrap=True)
    console.print(f"  result                {path}")
    for problem in problems:
        console.print(f"  [red]not as it should be:[/red] {problem}")
