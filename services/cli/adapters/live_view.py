"""The transcript in the terminal while it is spoken: finished lines scroll, what is being said stands below."""

from __future__ import annotations

import threading

import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from services.contracts import records

STYLES = {"agent": "cyan", "customer": "yellow", "mixed": "magenta", "unknown": "white"}


class LiveView:
    """`show` takes records from any thread. Without a terminal, partials are left out."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._open: dict[str, records.Utterance] = {}
        self._seen: set[str] = set()
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None

    def __enter__(self) -> LiveView:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, record: msgspec.Struct) -> None:
        """Show a record of the call."""
        with self._lock:
            match record:
                case records.Utterance(is_final=True):
                    self._open.pop(record.leg_id, None)
                    new = record.utterance_id not in self._seen
                    self._seen.add(record.utterance_id)
                    if new and record.text:  # without text: a partial that is taken back
                        self._console.print(_line(record), soft_wrap=self._live is None)
                case records.Utterance():
                    if record.utterance_id not in self._seen:
                        self._open[record.leg_id] = record
                case records.Suggestion():
                    cite = record.citations[0]
                    plain = self._live is None
                    self._console.print(Text(f"          ↳ help   {record.text}", style="green"), soft_wrap=plain)
                    source = f"            from   {cite.title} ({cite.url or cite.source})"
                    self._console.print(Text(source, style="green dim"), soft_wrap=plain)
                case _:
                    return
            if self._live is not None:
                partials = sorted(self._open.values(), key=lambda u: u.start_ms)
                self._live.update(Group(*[_line(u) for u in partials]), refresh=True)


def _line(utterance: records.Utterance) -> Text:
    minutes, seconds = divmod(utterance.start_ms / 1000, 60)
    style = STYLES[utterance.role]
    text = Text(f"[{int(minutes)}:{seconds:04.1f}] ", style="dim")
    text.append(f"{utterance.role:<9}", style=f"bold {style}")
    text.append(
        utterance.text + ("" if utterance.is_final else " …"), style=style if utterance.is_final else f"{style} dim"
    )
    return text
