"""The transcriber at real time in a process of its own: `python -m tests.bench.asr.paced '{"legs": 24, ...}'`.

Chunks arrive when they were spoken; the handler, the pool's thread and CTranslate2's share the core that the process
was started on. There is no broker in between: records are encoded and timed where they would be sent.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import resource
import sys
import time
from datetime import datetime, timedelta
from typing import Any

import structlog

from services.chassis.errors import Backpressure
from services.transcriber.adapters import metrics
from services.transcriber.adapters.chunk_handler import ChunkHandler
from services.transcriber.adapters.decode_pool import DecodePool
from services.transcriber.adapters.silero import SileroModel
from services.transcriber.adapters.transcript_writer import TranscriptWriter
from services.transcriber.app import leg_limits
from services.transcriber.config import TranscriberSettings
from tests.bench.asr.engines import load_engine
from tests.bench.asr.feed import EPOCH, PLACE, Feed
from tests.bench.asr.figures import error_rate, sight, text_of
from tests.bench.asr.material import calls
from tests.bench.asr.screen import Screen

WARM_UP_MS = 10_000
DRAIN_S = 30.0
POLL_S = 0.02


class FeedClock:
    """A ``Clock`` on which the feed began at its epoch, and that goes ``slower`` times as slowly as others."""

    def __init__(self, slower: float = 1.0) -> None:
        """Begin now."""
        self._began_s = time.monotonic()
        self._slower = slower

    def ms(self) -> int:
        """Since the feed began."""
        return int((time.monotonic() - self._began_s) / self._slower * 1000)

    def now(self) -> datetime:
        """Wall clock, UTC."""
        return EPOCH + timedelta(milliseconds=self.ms())

    def monotonic_s(self) -> float:
        """Seconds that never go back."""
        return (time.monotonic() - self._began_s) / self._slower


def play(*, model: str, legs: int, seconds: int, settings: TranscriberSettings, slower: float = 1.0) -> dict[str, Any]:
    """Play so many legs for so long; latencies of the words that ended after the warm-up.

    Where all goes ``slower``, the core is as if it were faster: latencies, seconds and ``core`` are that one's.
    """
    engine = load_engine(model)
    detectors = SileroModel()
    until_ms = WARM_UP_MS + seconds * 1000
    feed = Feed(calls(), legs=legs, until_ms=until_ms)
    messages = list(feed)
    gc.collect()
    gc.freeze()
    clock = FeedClock(slower)
    screen = Screen(clock.ms)
    pool = DecodePool(
        engine, threads=1, wall_ms=lambda: int(clock.now().timestamp() * 1000), batch=settings.decode_batch
    )
    handler = ChunkHandler(
        detectors=detectors.detector, pool=pool, publisher=screen,
        writer=TranscriptWriter(screen, engine.identity, clock), clock=clock, limits=leg_limits(settings),
    )  # fmt: skip
    handler.assigned(*PLACE, "")
    used_s, behind_ms = 0.0, 0
    for due in messages:
        while (ahead_ms := due.at_ms - clock.ms()) > 0:
            pool.wait(min(POLL_S, ahead_ms / 1000))
            handler.idle()
        if not used_s and due.at_ms >= WARM_UP_MS:
            used_s, began_ms = time.process_time(), clock.ms()
        behind_ms = max(behind_ms, clock.ms() - due.at_ms)
        _handle(handler, pool, due.message)
        handler.idle()
    core = (time.process_time() - used_s) / (clock.ms() - began_ms) * 1000 / slower
    deadline_s = time.monotonic() + DRAIN_S
    while pool.load()[0] and time.monotonic() < deadline_s:
        pool.wait(POLL_S)
        handler.idle()
    pool.wait(0.5)
    handler.idle()
    pool.close()
    handler.idle()
    whole = [
        (leg.leg.text, text_of(screen.seen.get(leg_id, ())))
        for leg_id, leg in feed.playing.items()
        if leg.began_ms + leg.leg.duration_ms <= until_ms
    ]
    return {
        "legs": legs,
        **sight(feed.playing, screen.seen, from_ms=WARM_UP_MS, until_ms=until_ms).figures(),
        "core": round(core, 3),
        "most_behind_ms": behind_ms,
        "batches_mean": _mean_batch(),
        "full_windows": int(metrics.FULL_WINDOWS._value.get()),
        "max_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        **({"whole_legs": error_rate(whole)} if whole else {}),
    }


def _mean_batch() -> float:
    samples = {s.name: s.value for family in metrics.DECODE_BATCH.collect() for s in family.samples if not s.labels}
    return round(samples["earshot_decode_batch_sum"] / max(1.0, samples["earshot_decode_batch_count"]), 2)


def _handle(handler: ChunkHandler, pool: DecodePool, message: Any) -> None:
    while True:
        try:
            handler.handle(message)
            return
        except Backpressure:
            pool.wait(POLL_S)
            handler.idle()


def main(arguments: list[str]) -> int:
    """One step; its figures as JSON on standard output."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    options = json.loads(arguments[0])
    settings = TranscriberSettings(**options.pop("settings", {}))
    core = options.pop("core", None)
    if core is not None:
        os.sched_setaffinity(0, {core})
    print(json.dumps(play(settings=settings, **options)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
