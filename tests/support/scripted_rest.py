"""RingCentral's REST answers by script, in the place of its client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from services.chassis.ringcentral import RingCentralClient, RingCentralRefused


class ScriptedRest:
    """Replies by path; what is missing is refused with 404."""

    def __init__(self, replies: Mapping[str, Any]) -> None:
        self.replies = dict(replies)
        self.asked: list[str] = []

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        self.asked.append(path)
        reply = self.replies.get(path, RingCentralRefused(404, "CMN-102"))
        if callable(reply):
            reply = reply()
        if isinstance(reply, RingCentralRefused):
            raise reply
        return cast(dict[str, Any], reply)

    def pages(self, path: str, query: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        yield from self.get(path, query)["records"]

    def client(self) -> RingCentralClient:
        return cast(RingCentralClient, self)
