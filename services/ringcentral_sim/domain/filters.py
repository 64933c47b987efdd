"""Event filters of telephony sessions and of extensions' presence: parsing, `~` resolution, matching."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

_PATH = re.compile(
    r"^/restapi/v1\.0/account/(?P<account>~|\d+)(?:/extension/(?P<extension>~|\d+))?/telephony/sessions/?$"
)
_PRESENCE = re.compile(r"^/restapi/v1\.0/account/(?P<account>~|\d+)/extension/(?P<extension>~|\d+)/presence/?$")
_QUERY_KEYS = frozenset({"direction", "statusCode", "missedCall", "phoneNumber", "sipData", "withRecordings"})
_PRESENCE_KEYS = frozenset({"detailedTelephonyState", "sipData"})
Subject = Literal["telephony/sessions", "presence"]
PERMISSION: Mapping[Subject, str] = {"telephony/sessions": "CallControl", "presence": "ReadPresence"}
"""The app permission that each needs."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A resolved filter; `extension_id` None means the whole account."""

    account_id: str
    extension_id: str | None
    query: tuple[tuple[str, str], ...] = ()
    raw_query: str = ""
    subject: Subject = "telephony/sessions"

    @property
    def detailed(self) -> bool:
        """Whether presence names the calls; asking for SIP data asks for that as well."""
        return any(key in _PRESENCE_KEYS and value.lower() == "true" for key, value in self.query)

    @property
    def sip_data(self) -> bool:
        """Whether the calls come with their SIP dialog's tags."""
        return any(key == "sipData" and value.lower() == "true" for key, value in self.query)

    def text(self) -> str:
        """The filter as the reply shows it, with `~` resolved."""
        extension = f"/extension/{self.extension_id}" if self.extension_id else ""
        tail = f"?{self.raw_query}" if self.raw_query else ""
        return f"/restapi/v1.0/account/{self.account_id}{extension}/{self.subject}{tail}"

    def matches(self, party: Mapping[str, Any]) -> bool:
        """Whether a session notification about this party (wire form) is wanted."""
        if self.subject != "telephony/sessions":
            return False
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
    subject: Subject = "telephony/sessions"
    found, keys = _PATH.match(parts.path), _QUERY_KEYS
    if found is None:
        subject, found, keys = "presence", _PRESENCE.match(parts.path), _PRESENCE_KEYS
    query = tuple(parse_qsl(parts.query.replace("+", "%2B"), keep_blank_values=True))
    if found is None or any(key not in keys for key, _ in query):
        return None
    account = account_id if found["account"] == "~" else found["account"]
    extension = own_extension_id if found["extension"] == "~" else found["extension"]
    return Filter(account, extension, query, parts.query, subject)
