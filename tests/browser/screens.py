"""Pages of a real browser on the running gateway, and what is read from them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, ViewportSize, WebSocket

UI = Path(__file__).resolve().parents[2] / "services" / "assist_gateway" / "ui"
AXE = UI / "node_modules" / "axe-core" / "axe.min.js"
DESK: ViewportSize = {"width": 1360, "height": 850}
PHONE: ViewportSize = {"width": 390, "height": 844}

MEASURE_SOUND = """
(() => {
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target === this.context.destination) {
      const meter = new AnalyserNode(this.context, { fftSize: 2048 });
      connect.call(this, meter);
      window.soundRms = () => {
        const wave = new Float32Array(meter.fftSize);
        meter.getFloatTimeDomainData(wave);
        return Math.sqrt(wave.reduce((sum, sample) => sum + sample * sample, 0) / wave.length);
      };
    }
    return connect.call(this, target, ...rest);
  };
})();
"""
"""Measures what goes to the loudspeaker, whatever plays it: `soundRms()`, 0 to 1."""

WATCH_GROWTH = """
(() => {
  window.lengths = {};
  const look = () => {
    const view = document.querySelector("earshot-console")?.shadowRoot?.querySelector("earshot-call-view");
    const script = view?.shadowRoot?.querySelector("earshot-transcript")?.shadowRoot;
    for (const line of script?.querySelectorAll("[data-utterance]") ?? []) {
      const seen = (window.lengths[line.dataset.utterance] ??= []);
      if (seen.at(-1) !== line.innerText.length) seen.push(line.innerText.length);
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})();
"""
"""Notes how long each utterance on the page is, whenever that changes: `lengths`, by utterance."""


@dataclass
class Traffic:
    """What a page and the gateway said to each other, in order."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    received: list[dict[str, Any]] = field(default_factory=list)

    def note(self, socket: WebSocket) -> None:
        """Listen to a WebSocket of the page."""
        socket.on("framesent", lambda text: self.sent.extend(_messages(text)))
        socket.on("framereceived", lambda text: self.received.extend(_messages(text)))

    def types(self) -> list[str]:
        """The kinds of message that came."""
        return [message["type"] for message in self.received]


@dataclass(slots=True)
class Screen:
    """One viewer's page."""

    page: Page
    traffic: Traffic
    errors: list[str]
    base: str

    def go(self, address: str) -> None:
        """To another view of the console, as a link would."""
        self.page.evaluate("address => { location.hash = address; }", address)

    def script(self) -> list[tuple[str, str]]:
        """The utterances on the page, in order: id and text."""
        lines = self.page.locator("earshot-transcript [data-utterance]").evaluate_all(
            "lines => lines.map(line => [line.dataset.utterance, line.textContent])"
        )
        return [(utterance_id, " ".join(text.split())) for utterance_id, text in lines]

    def violations(self) -> list[str]:
        """What axe finds, at a desk and on a phone, light and dark; a page that must be moved sideways is one too."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(AXE.read_text())
        found: list[str] = []
        for scheme, size in (("light", DESK), ("dark", DESK), ("light", PHONE), ("dark", PHONE)):
            self.page.set_viewport_size(size)
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            result = self.page.evaluate("() => axe.run()")
            where = f"{scheme}, {size['width']} px"
            for violation in result["violations"]:
                nodes = [f"{node['target']}: {node['failureSummary']}" for node in violation["nodes"]]
                found.append(f"{where}: {violation['id']}: {nodes}")
            if self.page.evaluate("() => document.documentElement.scrollWidth > window.innerWidth"):
                found.append(f"{where}: scrolls sideways")
        self.page.set_viewport_size(DESK)
        self.page.emulate_media(color_scheme="light", reduced_motion="no-preference")
        return found


def open_screen(browser: Browser, base: str, token: str, address: str = "") -> Screen:
    """The console as the token's holder sees it."""
    context = browser.new_context(viewport=DESK, bypass_csp=False, locale="en-US")
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.add_init_script(MEASURE_SOUND)
    page.add_init_script(WATCH_GROWTH)
    screen = Screen(page, Traffic(), [], base)
    page.on("websocket", screen.traffic.note)
    page.on("pageerror", lambda error: screen.errors.append(str(error)))
    page.goto(f"{base}/#token={token}")
    if address:
        screen.go(address)
    return screen


def _messages(text: str | bytes) -> list[dict[str, Any]]:
    if isinstance(text, bytes):
        return []
    return [json.loads(line) for line in text.split("\n") if line]
