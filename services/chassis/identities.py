"""Supervisor identities as a setting names them: a JWT each, and the devices to use where not all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class SupervisorIdentity:
    """One supervisor; `device_ids` empty: all devices of its extension."""

    jwt: SecretStr
    device_ids: tuple[str, ...] = ()


def read_identities(text: str) -> tuple[SupervisorIdentity, ...]:
    """JWTs separated by commas, a JSON list of JWTs or of `{"jwt", "device_ids"}`, or `@FILE` that holds either.

    Raises ValueError, which never holds a JWT.
    """
    text = text.strip()
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8").strip()
        except OSError:
            raise ValueError("names a file that cannot be read") from None
    if not text.startswith("["):
        return _distinct([SupervisorIdentity(SecretStr(jwt)) for part in text.split(",") if (jwt := part.strip())])
    try:
        entries = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ValueError("is neither a JSON list nor JWTs separated by commas") from None
    return _distinct([_identity(entry) for entry in entries])


def _identity(entry: Any) -> SupervisorIdentity:
    if isinstance(entry, str) and entry:
        return SupervisorIdentity(SecretStr(entry))
    if isinstance(entry, dict) and isinstance(entry.get("jwt"), str) and entry["jwt"]:
        devices = entry.get("device_ids", [])
        if isinstance(devices, list):
            return SupervisorIdentity(SecretStr(entry["jwt"]), tuple(str(device) for device in devices))
    raise ValueError('each identity is a JWT or {"jwt": "...", "device_ids": ["..."]}')


def _distinct(found: list[SupervisorIdentity]) -> tuple[SupervisorIdentity, ...]:
    if len({identity.jwt.get_secret_value() for identity in found}) != len(found):
        raise ValueError("names a JWT twice")
    return tuple(found)
