"""A whole call that no telephony event over a WebSocket told of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from services.cli.adapters.stack import free_port
from tests.support.conversations import excerpt
from tests.support.pipeline import Pipeline

pytestmark = pytest.mark.timeout(300)


def by_webhook() -> dict[str, str]:
    port = str(free_port())
    return {
        "EVENT_INGESTOR_MODE": "webhook",
        "EVENT_INGESTOR_WEBHOOK_HOST": "127.0.0.1",
        "EVENT_INGESTOR_WEBHOOK_PORT": port,
        "EVENT_INGESTOR_WEBHOOK_URL": f"http://127.0.0.1:{port}/hooks/ringcentral",
        "EVENT_INGESTOR_WEBHOOK_VERIFICATION_TOKEN": "a-verification-token-for-tests",
    }


def by_presence() -> dict[str, str]:
    return {"EVENT_INGESTOR_MODE": "presence"}


@pytest.mark.parametrize(
    ("detection", "counted"),
    [
        pytest.param(by_webhook, 'earshot_ingestor_events_total{source="webhook"}', id="webhook"),
        pytest.param(by_presence, 'earshot_ingestor_events_total{source="presence"}', id="presence"),
    ],
)
def test_a_call_is_heard_whole_however_it_is_detected(
    pipeline: Pipeline, tmp_path: Path, detection: Callable[[], dict[str, str]], counted: str
) -> None:
    """Nothing is compared with the lists of active calls meanwhile: those would tell of it, too."""
    stack = pipeline.stack
    stack.restart("event_ingestor", {**detection(), "EVENT_INGESTOR_RECONCILE_MS": "0"})
    try:
        stack.wait_until_ready()
        call = pipeline.play(excerpt("broadband_outage", tmp_path, at_most_ms=20_000))
        call.wait_until_complete()
        metrics = httpx.get(f"{stack.services['event_ingestor'].health_url}/metrics").text
    finally:
        stack.restart("event_ingestor")
        stack.wait_until_ready()
    assert counted in metrics
    found, result = call.problems()
    assert [p for p in found if p != "no suggestion was made"] == []
    assert result["outcome"] == "covered"
