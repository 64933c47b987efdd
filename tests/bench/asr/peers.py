"""The open streaming servers that the transcriber is compared with, over WebSocket, on the same core and audio.

They are looked for in the virtual environment that PEERS names (`pip install whisper-live whisperlivekit` there); where
they are not installed they are left out. Both are given the transcriber's own tiny.en weights.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import websockets

from services.transcriber.adapters.weights import model_folder
from tests.bench.asr.feed import Due, Feed
from tests.bench.asr.figures import error_rate, sight, text_of
from tests.bench.asr.material import Call, calls, legs_of
from tests.bench.asr.screen import Shown

PEERS = Path(os.environ.get("PEERS", "/opt/peers"))
WARM_UP_MS = 10_000
START_S = 120.0
DRAIN_S = 25.0
SERVE_WHISPER_LIVE = """
import sys
from whisper_live.server import TranscriptionServer
TranscriptionServer().run(
    "127.0.0.1", port=int(sys.argv[1]), backend="faster_whisper", faster_whisper_custom_model_path=sys.argv[2],
    single_model=True, max_clients=100, max_connection_time=100000, cache_path=sys.argv[3],
)
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """How one server is started and spoken to."""

    package: str
    command: Callable[[int, str, str], list[str]]
    path: str
    hello: Callable[[str], str | None]
    audio: Callable[[np.ndarray], bytes]
    goodbye: bytes
    states: Callable[[dict[str, Any]], tuple[list[str], str] | None]
    ready: Callable[[dict[str, Any]], bool]


def _whisper_live_state(message: dict[str, Any]) -> tuple[list[str], str] | None:
    segments = message.get("segments")
    if segments is None:
        return None
    done = [f"{s['start']} {s['text']}" for s in segments if s.get("completed")]
    return done, " ".join(s["text"] for s in segments if not s.get("completed"))


def _kit_state(message: dict[str, Any]) -> tuple[list[str], str] | None:
    if "lines" not in message:
        return None
    text = " ".join(line.get("text") or "" for line in message["lines"])
    return [text], message.get("buffer_transcription") or ""


PEER = {
    "whisperlive": Peer(
        package="whisper_live",
        command=lambda port, model, folder: ["-c", SERVE_WHISPER_LIVE, str(port), model, folder],
        path="/",
        hello=lambda uid: json.dumps(
            {"uid": uid, "language": "en", "task": "transcribe", "model": "tiny.en", "use_vad": True}
        ),
        audio=lambda samples: samples.astype("<f4").tobytes(),
        goodbye=b"END_OF_AUDIO",
        states=_whisper_live_state,
        ready=lambda message: message.get("message") == "SERVER_READY",
    ),
    "whisperlivekit": Peer(
        package="whisperlivekit",
        command=lambda port, model, folder: [
            "-m", "whisperlivekit.basic_server", "--host", "127.0.0.1", "--port", str(port), "--model_dir", model,
            "--backend", "faster-whisper", "--backend-policy", "localagreement", "--language", "en", "--pcm-input",
        ],
        path="/asr",
        hello=lambda _: None,
        audio=lambda samples: (samples * 32767).astype("<i2").tobytes(),
        goodbye=b"",
        states=_kit_state,
        ready=lambda message: message.get("type") == "config",
    ),
}  # fmt: skip


def python() -> Path:
    """The interpreter of the peers' environment."""
    return PEERS / "bin" / "python"


def missing(name: str) -> str:
    """Why a peer is not measured; empty where it can be."""
    if not python().is_file():
        return f"{python()} is not there: PEERS names a virtual environment with the peers"
    probe = [
        str(python()),
        "-c",
        f"import importlib.util as u; raise SystemExit(u.find_spec('{PEER[name].package}') is None)",
    ]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        return f"{PEER[name].package} is not installed in {PEERS}"
    return ""


def play(name: str, *, legs: int, seconds: int, only: int | None = None) -> dict[str, Any]:
    """So many legs at real time against one server on this process's cores; or the one of a number."""
    until_ms = WARM_UP_MS + seconds * 1000
    found = calls() if only is None else [Call("alone", (legs_of(calls())[only],))]
    feed = Feed(found, legs=legs, until_ms=until_ms, runs_on=False, from_start=only is not None)
    messages = list(feed)
    with _server(PEER[name]) as (port, process):
        seen, core = asyncio.run(_talk(PEER[name], port, messages, process.pid))
    whole = [
        (leg.leg.text, text_of(seen.get(leg_id, ())))
        for leg_id, leg in feed.playing.items()
        if leg.began_ms + leg.leg.duration_ms <= until_ms
    ]
    return {
        "legs": legs,
        **sight(feed.playing, seen, from_ms=WARM_UP_MS, until_ms=until_ms).figures(),
        "core": core,
        **({"whole_legs": error_rate(whole)} if whole else {}),
    }


@contextmanager
def _server(peer: Peer) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
        port = 21_000 + os.getpid() % 9_000
        command = [str(python()), *peer.command(port, str(model_folder("")), folder)]
        env = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=env, cwd=folder)
        try:
            _wait_for(port, process, Path(folder) / "log")
            yield port, process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    import socket

    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise RuntimeError("the server stopped: " + log.read_text(errors="replace")[-800:])
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.5)
    raise RuntimeError("the server does not listen: " + log.read_text(errors="replace")[-800:])


async def _talk(peer: Peer, port: int, messages: Sequence[Due], pid: int) -> tuple[dict[str, list[Shown]], float]:
    by_leg: dict[str, list[Due]] = defaultdict(list)
    for due in messages:
        leg_id = next(value for key, value in due.message.headers if key == "leg_id")
        by_leg[leg_id.decode() if isinstance(leg_id, bytes) else leg_id].append(due)
    seen: dict[str, list[Shown]] = defaultdict(list)
    ready = asyncio.Barrier(len(by_leg) + 1)
    began: list[float] = []
    tasks = [
        asyncio.create_task(_leg(peer, port, leg_id, dues, seen[leg_id], ready, began))
        for leg_id, dues in by_leg.items()
    ]
    await ready.wait()
    used_s, since_s = _cpu_s(pid), time.monotonic()
    last_s = since_s + messages[-1].at_ms / 1000
    await asyncio.sleep(max(0.0, last_s - time.monotonic()))
    core = (_cpu_s(pid) - used_s) / (time.monotonic() - since_s)
    await asyncio.gather(*tasks)
    return dict(seen), round(core, 3)


async def _leg(
    peer: Peer, port: int, leg_id: str, dues: Sequence[Due], shown: list[Shown], ready: asyncio.Barrier,
    began: list[float],
) -> None:  # fmt: skip
    uri = f"ws://127.0.0.1:{port}{peer.path}"
    async with websockets.connect(uri, max_size=None, ping_interval=None, open_timeout=60) as socket:
        if (hello := peer.hello(leg_id)) is not None:
            await socket.send(hello)
        while not peer.ready(json.loads(await socket.recv())):
            pass
        await ready.wait()
        if not began:
            began.append(time.monotonic())
        listening = asyncio.create_task(_listen(peer, socket, shown, began))
        up = soxr.ResampleStream(8_000, 16_000, 1, dtype="float32")
        for due in dues:
            await asyncio.sleep(max(0.0, began[0] + due.at_ms / 1000 - time.monotonic()))
            samples = np.frombuffer(due.message.value or b"", dtype="<i2").astype(np.float32) / 32768
            await socket.send(peer.audio(up.resample_chunk(samples)))
        await socket.send(peer.goodbye)
        try:
            await asyncio.wait_for(listening, DRAIN_S)
        except TimeoutError:
            listening.cancel()


async def _listen(peer: Peer, socket: Any, shown: list[Shown], began: list[float]) -> None:
    """Each state as what is final anew, and what is not yet final."""
    done: list[str] = []
    final_words: list[str] = []
    last: tuple[str, ...] = ()
    try:
        async for text in socket:
            state = peer.states(json.loads(text))
            if state is None:
                continue
            at_ms = int((time.monotonic() - began[0]) * 1000)
            final, rest = state
            if peer.package == "whisper_live":
                new = [segment for segment in final if segment not in done]
                done += new
                fresh = [word for segment in new for word in segment.split()[1:]]
            else:
                words = " ".join(final).split()
                fresh = words[len(final_words) :]
            final_words += fresh
            if fresh:
                shown.append(Shown(at_ms, f"final-{len(final_words)}", True, tuple(fresh)))
            now = tuple(rest.split())
            if now != last or fresh:
                last = now
                shown.append(Shown(at_ms, "open", False, now))
    except websockets.ConnectionClosed:
        pass
    if last:  # what never became final was still shown
        shown.append(Shown(int((time.monotonic() - began[0]) * 1000), "open", True, last))


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(arguments: list[str]) -> int:
    """One step; its figures as JSON."""
    only = int(arguments[3]) if len(arguments) > 3 else None
    print(json.dumps(play(arguments[0], legs=int(arguments[1]), seconds=int(arguments[2]), only=only)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
