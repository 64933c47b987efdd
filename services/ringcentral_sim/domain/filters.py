"""Event filters of telephony sessions: parsing, `~` resolution, matching."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

_PATH = re.compile(
    r"^/restapi/v1\.0/account/(?P<account>~|\d+)(?:/extension/(?P<extension>~|\d+))?/telephony/sessions/?$"
)
_QUERY_KEYS = frozenset({"direction", "statusCode", "missedCall", "phoneNumber", "sipData", "withRecordings"})


@dataclass(frozen=True, slots=True)
class Filter:
    """A resolved filter; `extension_id` None means the whole account."""

    account_id: str
    extension_id: str | None
    query: tuple[tuple[str, str], ...] = ()
    raw_query: str = ""

    def text(self) -> str:
        """The filter as the reply shows it, with `~` resolved."""
        extension = f"/extension/{self.extension_id}" if self.extension_id else ""
        tail = f"?{self.raw_query}" if self.raw_query else ""
        return f"/restapi/v1.0/account/{self.account_id}{extension}/telephony/sessions{tail}"

    def matches(self, party: Mapping[str, Any]) -> bool:
        """Whether a notification about this party (wire form) is wanted."""
        if self.extension_id is not None and party.get("extensionId") != self.extension_id:
            return False
        return all(self._wanted(key, value, party) for key, value in self.query)

    def _wanted(self, key: str, value: str, party: Mapping[str, Any]) -> bool:
        match key:
            case "direction":
                return bool(party["direction"] == value)
            case "statusCode":
                return bool(party["status"]["code"] == value)
            case "missedCall":
                return bool(party["missedCall"]) is (value.lower() == "true")
            case "phoneNumber":
                number = unquote(value)
                return number in (party["from"].get("phoneNumber"), party["to"].get("phoneNumber"))
            case _:
                return True


def parse_filter(text: str, *, account_id: str, own_extension_id: str) -> Filter | None:
    """None when the filter is not one the simulator knows."""
    parts = urlsplit(text)
    found = _PATH.match(parts.path)
    query = tuple(parse_qsl(parts.query.replace("+", "%2B"), keep_blank_values=True))
    if found is None or any(key not in _QUERY_KEYS for key, _ in query):
        return None
    account = account_id if found["account"] == "~" else found["account"]
    extension = own_extension_id if found["extension"] == "~" else found["extension"]
    return Filter(account, extension, query, parts.query)
