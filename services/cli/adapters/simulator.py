"""The simulator's control surface, as the demo uses it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx

from services.chassis.clock import parse_utc
from services.chassis.errors import Fatal


class Simulator:
    """Starts a call and asks how it goes."""

    def __init__(self, base_url: str) -> None:
        self._client = httpx.Client(base_url=base_url, timeout=10.0)

    def device_is_registered(self) -> bool:
        """Whether a supervisor's device is registered now."""
        registrations: dict[str, bool] = self._client.get("/sim/state").json()["registrations"]
        return any(registrations.values())

    def play(self, audio: str, **options: object) -> str:
        """Start a call that plays the file; its telephonySessionId. Raises Fatal with the simulator's reason.

        `options` are further fields of the simulator's request, such as `flow`.
        """
        reply = self._client.post("/sim/calls", json={"audio": audio, **options})
        if reply.status_code != 201:
            raise Fatal(f"the simulator does not play it: {reply.json().get('error', reply.status_code)}")
        return str(reply.json()["telephonySessionId"])

    def hang_up(self, call_id: str) -> None:
        """The customer hangs up now."""
        self._client.post(f"/sim/calls/{call_id}/hangup").raise_for_status()

    def call(self, call_id: str) -> dict[str, Any]:
        """How the call stands."""
        view: dict[str, Any] = self._client.get(f"/sim/calls/{call_id}").json()
        return view

    def audio_started_at(self, call_id: str) -> datetime | None:
        """When the conversation began to sound."""
        started = self.call(call_id)["audioStartedAt"]
        return parse_utc(started) if started else None
