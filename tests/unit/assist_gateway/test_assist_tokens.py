"""Tokens of an identity provider: what opens the door, what does not, and how keys are kept and renewed."""

from __future__ import annotations

import asyncio
import base64
import json
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from services.assist_gateway.adapters.key_set import KeySet, KeysUnavailable, UnknownKey, keys_of
from services.assist_gateway.adapters.provider import may_be_asked
from services.assist_gateway.adapters.tokens import BadToken, Tokens
from services.assist_gateway.app import tokens_of
from services.assist_gateway.config import AssistGatewaySettings
from services.assist_gateway.domain.access import Viewer
from services.chassis.errors import SettingError
from services.chassis.settings import load
from services.chassis.testing.fake_clock import FakeClock

ISSUER, AUDIENCE = "https://id.example/realms/floor", "earshot"
PROVIDED = {"ASSIST_GATEWAY_JWT_ISSUER": ISSUER, "ASSIST_GATEWAY_JWT_AUDIENCE": AUDIENCE}


@cache
def rsa_key(name: str = "a", bits: int = 2_048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=bits)


@cache
def ec_key(name: str = "a", curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve())


def jwk(key: Any, key_id: str, **fields: Any) -> dict[str, Any]:
    public = key.public_key()
    algorithm = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    entry: dict[str, Any] = json.loads(algorithm.to_jwk(public))
    return entry | {"kid": key_id, "use": "sig"} | fields


class Provider:
    """An identity provider whose set a test changes; counts how often it is asked."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.asked = 0
        self.down = False

    async def fetch(self) -> dict[str, Any]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.down:
            raise OSError
        return {"keys": self.keys}


def reader(provider: Provider | None = None, clock: FakeClock | None = None, **environ: str) -> Tokens:
    provider = provider or Provider(jwk(rsa_key(), "r"), jwk(ec_key(), "e"))
    return tokens_of(load(AssistGatewaySettings, PROVIDED | environ), clock or FakeClock(), provider.fetch)


NOW = int(FakeClock().now().timestamp())
GOOD: dict[str, Any] = {
    "sub": "u1", "role": "supervisor", "extension_id": "20", "iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 60,
}  # fmt: skip


def signed(key: Any = None, algorithm: str = "RS256", kid: str | None = "r", **claims: Any) -> str:
    told = {name: value for name, value in (GOOD | claims).items() if value is not None}
    return jwt.encode(told, key or rsa_key(), algorithm=algorithm, headers={"kid": kid} if kid else None)


def part(data: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()


def public_pem() -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return rsa_key().public_key().public_bytes(serialization.Encoding.PEM, form)


def hmac_with(secret: bytes) -> str:
    """HS256 with any secret: the library refuses to sign with what looks like a public key."""
    import hashlib
    import hmac

    body = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'r'})}.{part(GOOD)}"
    tag = base64.urlsafe_b64encode(hmac.new(secret, body.encode(), hashlib.sha256).digest()).rstrip(b"=")
    return f"{body}.{tag.decode()}"


def tampered() -> str:
    head, _, tail = signed().split(".")
    return f"{head}.{part(GOOD | {'role': 'admin'})}.{tail}"


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(signed(), id="RS256"),
        pytest.param(signed(ec_key(), "ES256", "e"), id="ES256"),
        pytest.param(signed(aud=["others", AUDIENCE]), id="one of several audiences"),
        pytest.param(signed(exp=NOW - 29), id="expired within the leeway"),
        pytest.param(signed(nbf=NOW + 29), id="begins within the leeway"),
        pytest.param(signed(kid=None), id="no key id, one key of the kind"),
        pytest.param(signed(iat=NOW + 99_999), id="issued by a wrong clock"),
        pytest.param(signed(extension_id=20), id="extension as a number"),
    ],
)
async def test_good_tokens(token: str) -> None:
    admitted = await reader().read(token)
    assert admitted.viewer == Viewer(subject="u1", role="supervisor", extension_id="20")


@pytest.mark.parametrize(
    ("token", "code"),
    [
        pytest.param("", "token_missing", id="none"),
        pytest.param("rubbish", "token_invalid", id="rubbish"),
        pytest.param("a.b.c", "token_invalid", id="rubbish in three parts"),
        pytest.param(signed(exp=NOW - 31), "token_expired", id="expired"),
        pytest.param(signed(exp=None), "token_invalid", id="never expires"),
        pytest.param(signed(exp="soon"), "token_invalid", id="expiry is no number"),
        pytest.param(signed(exp=float("inf")), "token_invalid", id="expires at infinity"),
        pytest.param(signed(nbf=NOW + 31), "token_invalid", id="not yet"),
        pytest.param(signed(iss="https://evil.example"), "token_invalid", id="wrong issuer"),
        pytest.param(signed(iss=ISSUER + "/"), "token_invalid", id="nearly the issuer"),
        pytest.param(signed(iss=None), "token_invalid", id="no issuer"),
        pytest.param(signed(aud="others"), "token_invalid", id="wrong audience"),
        pytest.param(signed(aud=[]), "token_invalid", id="empty audience"),
        pytest.param(signed(aud=None), "token_invalid", id="no audience"),
        pytest.param(signed(sub=None), "token_invalid", id="no subject"),
        pytest.param(signed(sub=""), "token_incomplete", id="empty subject"),
        pytest.param(signed(role=None), "token_incomplete", id="no role"),
        pytest.param(signed(role="god"), "token_incomplete", id="unknown role"),
        pytest.param(signed(extension_id=None), "token_incomplete", id="supervisor without extension"),
        pytest.param(signed(extension_id=True), "token_incomplete", id="extension is no id"),
        pytest.param(tampered(), "token_invalid", id="forged claims"),
        pytest.param(signed()[:-6] + "AAAAAA", "token_invalid", id="forged signature"),
        pytest.param(signed(rsa_key("b")), "token_invalid", id="another's key under a known id"),
        pytest.param(signed(rsa_key("b"), kid="x"), "token_invalid", id="unknown key"),
        pytest.param(signed(ec_key(), "ES256", "r"), "token_invalid", id="elliptic signature under the RSA key's id"),
        pytest.param(signed(kid="e"), "token_invalid", id="RSA signature under the elliptic key's id"),
        pytest.param(signed(algorithm="RS512"), "token_invalid", id="an algorithm that is not ours"),
        pytest.param(signed(algorithm="PS256"), "token_invalid", id="another padding"),
        pytest.param(
            f"{part({'alg': 'none', 'kid': 'r'})}.{part(GOOD)}.", "token_invalid", id="unsigned"
        ),
        pytest.param(
            f"{part({'alg': 'NoNe', 'kid': 'r'})}.{part(GOOD)}.", "token_invalid", id="unsigned, oddly written"
        ),
        pytest.param(hmac_with(public_pem()), "token_invalid", id="public key taken for a secret"),
        pytest.param(hmac_with(b""), "token_invalid", id="empty secret"),
        pytest.param(jwt.encode(GOOD, "k" * 32, algorithm="HS256"), "token_invalid", id="some local key"),
    ],
)  # fmt: skip
async def test_bad_tokens(token: str, code: str) -> None:
    with pytest.raises(BadToken) as bad:
        await reader().read(token)
    assert bad.value.code == code


async def test_with_a_local_key_no_other_algorithm_is_taken() -> None:
    local = tokens_of(load(AssistGatewaySettings, {"ASSIST_GATEWAY_JWT_KEY": "k" * 32}), FakeClock())
    claims = GOOD | {"iss": "any", "aud": "any"}
    assert (await local.read(jwt.encode(claims, "k" * 32, algorithm="HS256"))).viewer.role == "supervisor"
    for token in (
        signed(),
        jwt.encode(claims, "k" * 64, algorithm="HS512"),
        f"{part({'alg': 'none'})}.{part(claims)}.",
    ):
        with pytest.raises(BadToken, match="token_invalid"):
            await local.read(token)


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"realm_access": {"roles": ["offline_access", "leads"]}}, "supervisor"),
        ({"realm_access": {"roles": ["leads", "agent", "bosses"]}}, "admin"),
        ({"realm_access": {"roles": "agent"}}, "agent"),
        ({"realm_access": {"roles": ["admin"]}}, None),
        ({"realm_access": ["leads"]}, None),
        ({}, None),
        ({"realm_access.roles": "agent", "realm_access": {"roles": ["bosses"]}}, "agent"),
    ],
)
async def test_roles_and_extensions_by_the_providers_own_names(claims: dict[str, Any], role: str | None) -> None:
    tokens = reader(
        ASSIST_GATEWAY_ROLE_CLAIM="realm_access.roles", ASSIST_GATEWAY_EXTENSION_CLAIM="https://crm.example/ext",
        ASSIST_GATEWAY_ROLES='{"admin": ["bosses"], "supervisor": ["leads", "coaches"]}',
    )  # fmt: skip
    token = signed(**({"role": None, "extension_id": "99", "https://crm.example/ext": "20"} | claims))
    if role is None:
        with pytest.raises(BadToken, match="token_incomplete"):
            await tokens.read(token)
    else:
        assert (await tokens.read(token)).viewer == Viewer(subject="u1", role=role, extension_id="20")  # type: ignore[arg-type]


def keys_with(provider: Provider, clock: FakeClock) -> KeySet:
    return KeySet(provider.fetch, clock, max_age_ms=3_600_000, pause_ms=10_000)


async def test_a_new_key_is_found_when_a_token_names_it() -> None:
    provider, clock = Provider(jwk(rsa_key(), "old")), FakeClock()
    keys = keys_with(provider, clock)
    await keys.key("old", "RS256")
    provider.keys = [jwk(rsa_key("b"), "new")]
    clock.advance_ms(10_000)
    await keys.key("new", "RS256")
    with pytest.raises(KeysUnavailable):  # the withdrawn one: asked for only now and then
        await keys.key("old", "RS256")
    clock.advance_ms(10_000)
    with pytest.raises(UnknownKey):
        await keys.key("old", "RS256")
    assert provider.asked == 3


async def test_tokens_with_made_up_key_ids_do_not_make_the_provider_work() -> None:
    provider, clock = Provider(jwk(rsa_key(), "r")), FakeClock()
    keys = keys_with(provider, clock)
    for number in range(50):
        with pytest.raises((UnknownKey, KeysUnavailable)):
            await keys.key(f"made-up-{number}", "RS256")
    await keys.key("r", "RS256")
    assert provider.asked == 1


async def test_many_who_come_at_once_ask_once() -> None:
    provider = Provider(jwk(rsa_key(), "r"))
    keys = keys_with(provider, FakeClock())
    await asyncio.gather(*(keys.key("r", "RS256") for _ in range(20)))
    assert provider.asked == 1


async def test_who_goes_away_does_not_stop_the_question_of_others() -> None:
    provider = Provider(jwk(rsa_key(), "r"))
    keys = keys_with(provider, FakeClock())
    first, second = (asyncio.create_task(keys.key("r", "RS256")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert provider.asked == 1


async def test_keys_known_stay_good_while_the_provider_is_away_and_are_renewed_later() -> None:
    provider, clock = Provider(jwk(rsa_key(), "r")), FakeClock()
    keys = keys_with(provider, clock)
    await keys.key("r", "RS256")
    provider.down = True
    clock.advance_ms(3_600_001)
    for _ in range(3):
        await keys.key("r", "RS256")
        await asyncio.sleep(0.01)
    assert provider.asked == 2
    provider.down, provider.keys = False, [jwk(rsa_key("b"), "r2")]
    clock.advance_ms(10_000)
    await keys.key("r", "RS256")  # old keys are given while new ones are fetched
    await asyncio.sleep(0.01)
    with pytest.raises(KeysUnavailable):
        await keys.key("r", "RS256")


async def test_a_provider_that_is_away_is_asked_ever_less_often() -> None:
    provider, clock = Provider(), FakeClock()
    provider.down = True
    keys = keys_with(provider, clock)
    for _ in range(600):
        with pytest.raises(KeysUnavailable):
            await keys.key("r", "RS256")
        clock.advance_ms(1_000)
    assert provider.asked == 6  # after 0, 10, 30, 70, 150, 310 s; then every 5 minutes
    tokens = reader(provider)
    with pytest.raises(BadToken, match="keys_unavailable"):
        await tokens.read(signed())


def test_only_keys_for_signing_of_enough_strength_are_taken() -> None:
    entries = [
        jwk(rsa_key(), "r"), jwk(ec_key(), "e", alg="ES256"), jwk(rsa_key(), "for encryption", use="enc"),
        jwk(rsa_key(), "other algorithm", alg="RS512"), jwk(rsa_key("short", 1_024), "short"),
        jwk(ec_key("p384", ec.SECP384R1), "other curve"), {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"},
        {"kty": "RSA", "n": "!", "e": "AQAB", "kid": "broken"}, {"kid": "nothing"}, "rubbish",
    ]  # fmt: skip
    assert set(keys_of({"keys": entries})) == {("r", "RS256"), ("e", "ES256")}
    for rubbish in ({}, [], {"keys": None}, "x"):
        with pytest.raises(ValueError, match="JWKS"):
            keys_of(rubbish)


def test_keys_are_fetched_over_tls_or_from_this_machine_alone() -> None:
    assert may_be_asked("https://id.example/keys")
    assert may_be_asked("http://127.0.0.1:8080/keys")
    for url in ("http://id.example/keys", "file:///etc/passwd", "ftp://id.example", "", "//id.example"):
        assert not may_be_asked(url)


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({}, "ASSIST_GATEWAY_JWKS_URL"),
        ({"ASSIST_GATEWAY_JWKS_URL": "https://id.example/keys"}, "ASSIST_GATEWAY_JWT_ISSUER"),
        ({"ASSIST_GATEWAY_JWT_ISSUER": ISSUER}, "ASSIST_GATEWAY_JWT_AUDIENCE"),
        (PROVIDED | {"ASSIST_GATEWAY_JWKS_URL": "x", "ASSIST_GATEWAY_JWT_KEY": "k" * 32}, "ASSIST_GATEWAY_JWT_KEY"),
        (PROVIDED | {"ASSIST_GATEWAY_ROLES": '{"boss": ["x"]}'}, "ASSIST_GATEWAY_ROLES"),
        (PROVIDED | {"ASSIST_GATEWAY_TICKET_KEY": "short"}, "ASSIST_GATEWAY_TICKET_KEY"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(environ: dict[str, str], named: str) -> None:
    with pytest.raises(SettingError, match=named):
        load(AssistGatewaySettings, environ).check()
