"""The company's extensions, as the extension list tells them (Medium; app permission ReadAccounts)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

EXTENSIONS = "/restapi/v1.0/account/~/extension"


class ExtensionsRest(Protocol):
    """What is used of REST; raises RingCentralRefused."""

    def pages(self, path: str, query: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """The records of a list."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """One of the account's extensions. The list gives ids as numbers, everything else as text: here it is text.

    `number` is "" for those that have none; `admin` is what `permissions.admin.enabled` says.
    """

    extension_id: str
    number: str
    type: str
    status: str
    admin: bool = False


def read_extensions(rest: ExtensionsRest, *, per_page: int = 1000) -> list[Extension]:
    """All extensions of every type and status. Names are left where they are."""
    return [_extension(record) for record in rest.pages(EXTENSIONS, {"perPage": str(per_page)}) if record.get("id")]


def _extension(record: Mapping[str, Any]) -> Extension:
    admin = (record.get("permissions") or {}).get("admin") or {}
    return Extension(
        extension_id=str(record["id"]),
        number=str(record.get("extensionNumber") or ""),
        type=str(record.get("type") or ""),
        status=str(record.get("status") or ""),
        admin=admin.get("enabled") is True,
    )
