"""The console in a real browser on the running pipeline: one call, watched by its supervisor, its agent and others.

The call is played once; what the pages showed of it while it lasted is noted, and the tests look at the notes.
"""

from __future__ import annotations

import functools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Page, expect

from services.cli.commands.token import make_token
from services.cli.domain.transcript import CallLog
from tests.browser.screens import AXE, UI, Screen, open_screen
from tests.support import chromium
from tests.support.conversations import FOLDER
from tests.support.pipeline import Pipeline
from tests.support.tcp_relay import TcpRelay

AGENT, ANOTHER_AGENT, SUPERVISOR = "700200301", "700200302", "700200300"
AUDIBLE_RMS = 0.003
"""About -50 dBFS: speech is far above it, silence far below."""

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(chromium.found() is None, reason=chromium.MISSING),
    pytest.mark.skipif(not AXE.is_file(), reason="the console's packages are not here: run `make ui`"),
]


@dataclass(slots=True)
class Notes:
    """What the pages showed while the call lasted, and what the topics hold of it."""

    supervisor: Screen
    agent: Screen
    stranger: Screen
    crm: Page
    log: CallLog
    violations: dict[str, list[str]] = field(default_factory=dict)
    rms: float = 0.0
    tile: str = ""
    suggestion_id: str = ""
    messages_before_cut: int = 0
    live_script: list[tuple[str, str]] = field(default_factory=list)


def until(true: Callable[[], bool], what: str, within_s: float = 45.0) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, f"not seen: {what}"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def crm_page(pipeline: Pipeline) -> Iterator[str]:
    """The address of the example page, on an origin of its own."""
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(UI / "example"))
    server = ThreadingHTTPServer(("127.0.0.1", pipeline.crm_port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{pipeline.crm_port}/crm.html"
    server.shutdown()


@pytest.fixture(scope="module")
def notes(pipeline: Pipeline, crm_page: str) -> Iterator[Notes]:
    """The call, from its beginning to its recording."""

    def token(role: str, extension_id: str) -> str:
        return make_token(pipeline.stack.token_key, subject=extension_id, role=role, extension_id=extension_id)

    gateway = f"http://127.0.0.1:{pipeline.stack.page_port}"
    relay = TcpRelay(pipeline.stack.page_port)
    with chromium.running_browser() as browser:
        supervisor = open_screen(browser, f"http://127.0.0.1:{relay.port}", token("supervisor", SUPERVISOR))
        agent = open_screen(browser, gateway, token("agent", AGENT))
        stranger = open_screen(browser, gateway, token("agent", ANOTHER_AGENT))
        crm = browser.new_context().new_page()
        crm.goto(f"{crm_page}#gateway={gateway}&token={token('agent', AGENT)}")
        for screen in (supervisor, agent, stranger):
            expect(screen.page.get_by_role("status").first).to_have_text("Live")

        call = pipeline.play(FOLDER / "broadband_outage.flac", agent=AGENT)
        made = Notes(supervisor, agent, stranger, crm, call.log)
        try:
            _watch(made, relay)
            pipeline.simulator.hang_up(call.log.call_id)
            call.wait_until_complete()
            _watch_the_end(made)
            yield made
        finally:
            relay.close()


def _watch(notes: Notes, relay: TcpRelay) -> None:
    """What the pages show while the call lasts."""
    call_id = notes.log.call_id
    desk = notes.supervisor.page
    tile = desk.locator(f'earshot-wall [data-call="{call_id}"]')
    expect(tile).to_contain_text("Both sides heard")
    notes.tile = tile.inner_text()
    notes.stranger.go(f"#/calls/{call_id}")
    tile.get_by_role("link").click()
    desk.get_by_role("button", name="Listen in").click()
    until(lambda: _sounding(notes), "audio of the call in the supervisor's page")

    suggestion = notes.agent.page.locator("earshot-suggestions article").last
    suggestion.wait_for()
    notes.suggestion_id = suggestion.get_attribute("data-suggestion") or ""
    suggestion.get_by_role("button", name="Accept").click()
    expect(desk.locator(f'[data-suggestion="{notes.suggestion_id}"] .accepted')).to_be_visible()

    finals = len(notes.log.finals())
    relay.cut()
    notes.messages_before_cut = len(notes.supervisor.traffic.received)
    expect(desk.get_by_text("Connection lost, reconnecting…")).to_be_visible()
    until(lambda: len(notes.log.finals()) > finals, "words said while the supervisor's page was cut off")
    relay.mend()
    expect(desk.get_by_role("status").first).to_have_text("Live")
    notes.violations["the supervisor's live call"] = notes.supervisor.violations()
    notes.violations["the agent's own call"] = notes.agent.violations()
    notes.supervisor.go("#/")
    tile.wait_for()
    notes.violations["the wall"] = notes.supervisor.violations()
    notes.supervisor.go(f"#/calls/{call_id}")


def _watch_the_end(notes: Notes) -> None:
    """The live view once all is said, then the finished call."""
    desk = notes.supervisor.page
    spoken = {final.utterance_id for final in notes.log.finals() if final.text}
    until(lambda: spoken <= {utterance_id for utterance_id, _ in notes.supervisor.script()}, "all finals on the page")
    notes.live_script = notes.supervisor.script()
    notes.supervisor.go("#/finished")
    row = desk.locator(f'earshot-finished [data-call="{notes.log.call_id}"]')
    expect(row).to_contain_text("recorded")
    notes.violations["the finished calls"] = notes.supervisor.violations()
    row.get_by_role("link").click()
    desk.get_by_role("button", name="Play", exact=True).wait_for()


def _sounding(notes: Notes) -> bool:
    rms = notes.supervisor.page.evaluate("() => window.soundRms?.() ?? 0")
    notes.rms = max(notes.rms, rms)
    return notes.rms > AUDIBLE_RMS


def test_the_wall_shows_whose_call_it_is_and_what_is_heard_of_it(notes: Notes) -> None:
    assert notes.tile.splitlines()[0] == "Agent Ann", "the name that the roster has"
    assert "Both sides heard" in notes.tile
    assert "+1555" not in notes.tile


def test_words_appear_while_they_are_said(notes: Notes) -> None:
    lengths = notes.agent.page.evaluate("() => window.lengths")
    growing = [seen for seen in lengths.values() if len(seen) >= 2 and seen[0] < seen[-1]]
    assert growing, lengths


def test_the_transcript_is_what_the_topics_hold_nothing_missing_nothing_twice(notes: Notes) -> None:
    finals = {final.utterance_id: " ".join(final.text.split()) for final in notes.log.finals() if final.text}
    shown = [(utterance_id, text) for utterance_id, text in notes.live_script if text]
    assert sorted(utterance_id for utterance_id, _ in shown) == sorted(finals)
    assert dict(shown) == finals


def test_a_dropped_connection_is_resumed_and_not_begun_anew(notes: Notes) -> None:
    traffic = notes.supervisor.traffic
    asked = [message for message in traffic.sent if message["type"] == "resume"]
    assert len(asked) == 1
    assert asked[0]["calls"][notes.log.call_id] == "full"
    after = traffic.received[notes.messages_before_cut :]
    assert "resumed" in [message["type"] for message in after]
    assert not [message for message in after if message["type"] == "snapshot" and message["complete"]]
    told = Counter(
        message["record"]["utterance_id"]
        for message in traffic.received
        if message["type"] == "utterance" and message["record"]["is_final"]
    )
    assert set(told.values()) == {1}


def test_an_accepted_suggestion_has_its_source_and_is_seen_by_the_supervisor(notes: Notes) -> None:
    [accepted] = [s for s in notes.log.suggestions.values() if s.suggestion_id == notes.suggestion_id]
    assert accepted.citations[0].passage
    actions = {
        message["record"]["action"]
        for message in notes.supervisor.traffic.received
        if message["type"] == "feedback" and message["record"]["suggestion_id"] == notes.suggestion_id
    }
    assert "accepted" in actions


def test_an_agent_is_refused_anothers_call(notes: Notes) -> None:
    page = notes.stranger.page
    expect(page.get_by_role("heading", name="This call is not to be seen")).to_be_visible()
    assert page.locator("earshot-transcript").count() == 0
    refusals = [message for message in notes.stranger.traffic.received if message["type"] == "error"]
    assert [refusal["code"] for refusal in refusals] == ["not_permitted"]
    others = [m for m in notes.stranger.traffic.received if m.get("call_id") == notes.log.call_id]
    assert others == refusals


def test_listening_in_is_heard_in_the_page(notes: Notes) -> None:
    assert notes.rms > AUDIBLE_RMS


def test_the_recording_plays_and_the_transcript_follows_it(notes: Notes) -> None:
    page = notes.supervisor.page
    turn = page.locator("earshot-transcript li").nth(1)
    turn.get_by_role("button").click()
    expect(turn.locator(".current")).to_have_count(1)
    audio = page.locator("earshot-player audio")
    began_s = audio.evaluate("audio => audio.currentTime")
    until(lambda: audio.evaluate("audio => audio.currentTime") > began_s + 0.3, "the recording playing on")
    page.get_by_role("button", name="Pause").click()
    page.get_by_label("Position in the recording").fill("0")
    expect(turn.locator(".current")).to_have_count(0)


def test_the_finished_call_has_its_summary(notes: Notes) -> None:
    page = notes.supervisor.page
    assert notes.log.summary is not None
    expect(page.get_by_role("region", name="Summary")).to_contain_text(notes.log.summary.reason_for_call)


def test_axe_finds_nothing(notes: Notes) -> None:
    notes.violations["the finished call"] = notes.supervisor.violations()
    notes.violations["a refused call"] = notes.stranger.violations()
    assert {where: found for where, found in notes.violations.items() if found} == {}
    assert len(notes.violations) == 6


def test_all_can_be_reached_by_keyboard(notes: Notes) -> None:
    page = notes.agent.page
    notes.agent.go("#/")
    page.get_by_role("link", name="Last day").wait_for()
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("() => document.activeElement.shadowRoot?.activeElement?.textContent.trim()"))
    assert {"Skip to the content", "My call", "Last day"} <= set(reached)
    page.get_by_role("link", name="Last day").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your calls of the last day")).to_be_focused()


def test_another_systems_page_shows_the_agents_call(notes: Notes) -> None:
    page = notes.crm
    expect(page.locator("earshot-call").get_by_role("heading", name="Your call")).to_be_visible()
    expect(page.locator("earshot-suggestions article").first).to_be_visible()
    shown = page.locator("earshot-transcript [data-utterance]")
    assert shown.count() == len([final for final in notes.log.finals() if final.text])


def test_no_page_had_an_error(notes: Notes) -> None:
    assert [*notes.supervisor.errors, *notes.agent.errors, *notes.stranger.errors] == []
