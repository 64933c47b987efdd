"""HTTP digest as RingCentral's registrar speaks it: MD5 without qop, opaque or algorithm (RFC 2617, the old form).

Nonces carry their time of issue and are signed, so the server keeps no list of them.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from enum import Enum

from sipmessage import AuthChallenge, AuthCredentials, AuthParameters

_STAMP_BYTES = 8


class Verdict(Enum):
    """What a set of credentials is worth."""

    ACCEPTED = "accepted"
    STALE = "stale"
    REFUSED = "refused"


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def digest_response(*, username: str, realm: str, password: str, method: str, uri: str, nonce: str) -> str:
    """The `response` value that proves knowledge of `password`."""
    return _md5(f"{_md5(f'{username}:{realm}:{password}')}:{nonce}:{_md5(f'{method}:{uri}')}")


def make_nonce(secret: bytes, now: float) -> str:
    """A nonce that `nonce_age_s` recognises later; `now` in seconds on any one clock."""
    stamp = int(now * 1000).to_bytes(_STAMP_BYTES, "big")
    return urlsafe_b64encode(stamp + hmac.digest(secret, stamp, "sha256")[:16]).decode()


def nonce_age_s(secret: bytes, nonce: str, now: float) -> float | None:
    """Seconds since the nonce was made, or None when it is not one of ours."""
    try:
        raw = urlsafe_b64decode(nonce)
    except ValueError:
        return None
    stamp = raw[:_STAMP_BYTES]
    if not hmac.compare_digest(raw[_STAMP_BYTES:], hmac.digest(secret, stamp, "sha256")[:16]):
        return None
    return now - int.from_bytes(stamp, "big") / 1000


def challenge(realm: str, nonce: str, *, stale: bool = False) -> AuthChallenge:
    """The `WWW-Authenticate` value: realm and nonce, nothing more unless the nonce had merely expired."""
    extra = {"stale": "true"} if stale else {}
    return AuthChallenge("Digest", AuthParameters(realm=realm, nonce=nonce, **extra))


def check(
    credentials: AuthCredentials,
    *,
    method: str,
    username: str,
    password: str,
    realm: str,
    secret: bytes,
    now: float,
    lifetime_s: float,
) -> Verdict:
    """Judge `credentials` for `username` (the authorization id) at `realm`."""
    given = credentials.parameters
    if credentials.scheme.lower() != "digest" or given is None:
        return Verdict.REFUSED
    nonce = given.get("nonce", "")
    age_s = nonce_age_s(secret, nonce, now)
    if age_s is None:
        return Verdict.STALE
    expected = digest_response(
        username=username,
        realm=realm,
        password=password,
        method=method,
        uri=given.get("uri", ""),
        nonce=nonce,
    )
    proven = (
        given.get("username") == username
        and given.get("realm") == realm
        and hmac.compare_digest(given.get("response", ""), expected)
    )
    if not proven:
        return Verdict.REFUSED
    return Verdict.ACCEPTED if age_s <= lifetime_s else Verdict.STALE
