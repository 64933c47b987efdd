"""Registrar and digest: who gets in, for how long, and who takes the calls."""

from __future__ import annotations

from sipmessage import AuthCredentials, AuthParameters, Message, Request

from services.ringcentral_sim.sip import digest
from services.ringcentral_sim.sip.accounts import SipAccount
from services.ringcentral_sim.sip.digest import Verdict
from services.ringcentral_sim.sip.options import SipOptions
from services.ringcentral_sim.sip.registrar import Outcome, Registrar

SECRET = b"0123456789abcdef"
ACCOUNT = SipAccount(device_id="d1", auth_id="801", user_name="1555", password="pw", domain="sip.example.com")


def credentials(nonce: str, *, password: str = "pw", username: str = "801") -> AuthCredentials:
    proof = digest.digest_response(
        username=username,
        realm=ACCOUNT.domain,
        password=password,
        method="REGISTER",
        uri="sip:sip.example.com",
        nonce=nonce,
    )
    return AuthCredentials(
        "Digest",
        AuthParameters(username=username, realm=ACCOUNT.domain, nonce=nonce, uri="sip:sip.example.com", response=proof),
    )


def register(
    contact: str = "<sip:1555@10.0.0.5:4000;ob>",
    *,
    instance: str | None = "a",
    expires: int | None = 3600,
    authorization: AuthCredentials | None = None,
) -> Request:
    suffix = f';reg-id=1;+sip.instance="<urn:uuid:{instance}>"' if instance else ""
    request = Message.parse(
        b"REGISTER sip:sip.example.com SIP/2.0\r\nTo: <sip:1555@sip.example.com>\r\n"
        + f"Contact: {contact}{suffix if contact != '*' else ''}\r\n\r\n".encode()
    )
    assert isinstance(request, Request)
    request.expires = expires
    request.authorization = authorization
    return request


class Bench:
    def __init__(self, **options: int) -> None:
        self.registrar: Registrar[str] = Registrar([ACCOUNT], SipOptions(**options), SECRET)  # type: ignore[arg-type]

    def register(self, flow: str = "flow", now: float = 0, **request: object) -> Outcome:
        proof = credentials(digest.make_nonce(SECRET, now))
        return self.registrar.register(register(authorization=proof, **request), flow, now)  # type: ignore[arg-type]

    def taker(self, now: float = 0) -> str | None:
        binding = self.registrar.newest("d1", now)
        return binding.flow if binding else None


def test_the_challenge_is_realm_and_nonce_and_nothing_else() -> None:
    outcome = Bench().registrar.register(register(), "flow", 5.0)
    [(name, value)] = outcome.headers
    assert (outcome.code, name) == (401, "WWW-Authenticate")
    nonce = digest.make_nonce(SECRET, 5.0)
    assert value == f'Digest realm="sip.example.com", nonce="{nonce}"'


def test_the_digest_matches_the_worked_example_of_rfc_2069() -> None:
    # RFC 2069 §2.4 as corrected by its erratum 749.
    assert (
        digest.digest_response(
            username="Mufasa",
            realm="testrealm@host.com",
            password="CircleOfLife",
            method="GET",
            uri="/dir/index.html",
            nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
        )
        == "1949323746fe6a43ef61f9606e7febea"
    )


def test_wrong_password_and_wrong_name_are_forbidden() -> None:
    bench = Bench()
    for proof in (
        credentials(digest.make_nonce(SECRET, 0), password="no"),
        credentials(digest.make_nonce(SECRET, 0), username="1555"),
    ):
        assert bench.registrar.register(register(authorization=proof), "flow", 0).code == 403
    assert bench.taker() is None


def test_an_old_or_foreign_nonce_is_challenged_again() -> None:
    bench = Bench(nonce_lifetime_s=10)
    for nonce in (digest.make_nonce(SECRET, 0), digest.make_nonce(b"another secret", 100), "rubbish"):
        outcome = bench.registrar.register(register(authorization=credentials(nonce)), "flow", 100)
        assert outcome.code == 401
        assert "stale=true" in outcome.headers[0][1]


def test_basic_credentials_are_refused() -> None:
    verdict = digest.check(
        AuthCredentials("Basic", token="abc"),
        method="REGISTER",
        username="801",
        password="pw",
        realm="r",
        secret=SECRET,
        now=0,
        lifetime_s=10,
    )
    assert verdict is Verdict.REFUSED


def test_expires_is_shortened_but_never_lengthened() -> None:
    bench = Bench(max_expires_s=60)
    for asked, given in ((3600, 60), (None, 60), (20, 20)):
        assert bench.register(expires=asked).headers == (
            (
                "Contact",
                f'<sip:1555@10.0.0.5:4000;ob>;reg-id=1;+sip.instance="<urn:uuid:a>";expires={given}',
            ),
        )


def test_a_binding_lapses_when_it_expires() -> None:
    bench = Bench(max_expires_s=60)
    bench.register(now=0)
    assert bench.taker(59.9) == "flow"
    assert bench.taker(60) is None


def test_the_newest_takes_the_calls_and_a_refresh_does_not_take_them_back() -> None:
    bench = Bench()
    bench.register("old", instance="a")
    answer = bench.register("new", instance="b", contact="<sip:1555@10.0.0.6:1>")
    assert bench.taker() == "new"
    assert [value.endswith(";q=0") for _, value in answer.headers] == [False, True]
    bench.register("old", instance="a")
    assert bench.taker() == "new"
    bench.register("old, reconnected", instance="a")
    assert bench.taker() == "old, reconnected"


def test_an_instance_that_comes_back_replaces_itself() -> None:
    bench = Bench()
    for port in range(10):
        assert bench.register(f"flow {port}", contact=f"<sip:1555@10.0.0.5:{port + 1}>").code == 200
    assert bench.taker() == "flow 9"


def test_the_sixth_instance_is_refused_until_one_leaves() -> None:
    bench = Bench()
    for instance in "abcde":
        assert bench.register(instance, instance=instance).code == 200
    assert bench.register("f", instance="f").phrase == "Too Many Contacts"
    assert bench.register("a", instance="a", expires=0).code == 200
    assert bench.register("f", instance="f").code == 200


def test_a_star_clears_all_and_a_closed_flow_clears_its_own() -> None:
    bench = Bench()
    bench.register("a", instance="a")
    bench.register("b", instance="b")
    bench.registrar.drop_flow("b")
    assert bench.taker() == "a"
    assert bench.register(contact="*", expires=0).headers == ()
    assert bench.taker() is None


def test_a_contact_that_cannot_be_read_is_a_bad_request() -> None:
    assert Bench().register(contact="nonsense", instance=None).code == 400
