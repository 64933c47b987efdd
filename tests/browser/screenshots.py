"""Make the README's pictures (`make screenshots`): several calls through the whole pipeline, seen in a real browser."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, expect

from services.cli.commands.token import make_token
from tests.browser.screens import DESK, PHONE, Screen, open_screen
from tests.support import chromium
from tests.support.brokers import running_broker
from tests.support.conversations import FOLDER
from tests.support.pipeline import Pipeline, running_pipeline

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
SUPERVISOR = "700200300"
CALLS = {
    "700200302": "billing_dispute",
    "700200303": "late_parcel",
    "700200304": "moving_house",
    "700200301": "broadband_outage",
}
"""Agents and what is said on their calls; the last one is looked at."""
INTO_THE_CALL_MS = 84_000
LARGEST_BYTES = 200_000


def main() -> None:
    """Play the calls, look at them, write `docs/images/*.png`."""
    if chromium.found() is None:
        sys.exit(chromium.MISSING)
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_broker(Path(folder) / "broker") as broker,
        running_pipeline(broker, Path(folder) / "pipeline") as pipeline,
        chromium.running_browser() as browser,
    ):

        def screen(role: str, extension_id: str) -> Screen:
            token = make_token(pipeline.stack.token_key, subject=extension_id, role=role, extension_id=extension_id)
            return open_screen(browser, f"http://127.0.0.1:{pipeline.stack.page_port}", token)

        supervisor, agent = screen("supervisor", SUPERVISOR), screen("agent", list(CALLS)[-1])
        call_id = _play(pipeline)
        _see(supervisor, agent, call_id)
        _see_afterwards(supervisor, call_id)


def _play(pipeline: Pipeline) -> str:
    """Start the calls; returns once the last one has gone on for a while."""
    for agent, conversation in CALLS.items():
        known = json.loads((FOLDER / f"{conversation}.json").read_text())
        audio = str(FOLDER / f"{conversation}.flac")
        call_id = pipeline.simulator.play(audio, agent=agent, holds=known["holds"])
    while (started := pipeline.simulator.audio_started_at(call_id)) is None:
        time.sleep(0.2)
    time.sleep(max(0.0, started.timestamp() + INTO_THE_CALL_MS / 1000 - time.time()))
    return call_id


def _see(supervisor: Screen, agent: Screen, call_id: str) -> None:
    expect(supervisor.page.locator("earshot-wall li")).to_have_count(len(CALLS))
    supervisor.page.set_viewport_size({"width": DESK["width"], "height": 340})
    _shoot(supervisor.page, "wall")
    supervisor.page.set_viewport_size(DESK)
    supervisor.go(f"#/calls/{call_id}")
    expect(supervisor.page.locator("earshot-transcript [data-utterance]").first).to_be_visible()
    supervisor.page.get_by_role("button", name="Listen in").click()
    expect(supervisor.page.get_by_role("button", name="Listening")).to_be_visible()
    supervisor.page.wait_for_timeout(2_000)
    _shoot(supervisor.page, "call")
    expect(agent.page.locator("earshot-suggestions article").first).to_be_visible()
    agent.page.set_viewport_size(PHONE)
    agent.page.emulate_media(color_scheme="dark")
    _shoot(agent.page, "agent-phone")


def _see_afterwards(supervisor: Screen, call_id: str) -> None:
    page = supervisor.page
    supervisor.go("#/finished")
    row = page.locator(f'earshot-finished [data-call="{call_id}"]')
    expect(row).to_contain_text("recorded", timeout=180_000)
    row.get_by_role("link").click()
    page.locator("earshot-transcript li").nth(8).get_by_role("button").click()
    expect(page.locator("earshot-transcript .current")).to_have_count(1)
    page.emulate_media(color_scheme="dark")
    _shoot(page, "finished")


def _shoot(page: Page, name: str) -> None:
    path = IMAGES / f"{name}.png"
    page.wait_for_timeout(400)
    page.screenshot(path=path, animations="disabled")
    size = path.stat().st_size
    print(f"{path.relative_to(IMAGES.parents[1])}: {size} bytes")
    if size > LARGEST_BYTES:
        sys.exit(f"{path.name} has more than {LARGEST_BYTES} bytes")


if __name__ == "__main__":
    main()
