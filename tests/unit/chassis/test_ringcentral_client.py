from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
import requests
from pydantic import SecretStr
from requests.adapters import BaseAdapter
from structlog.testing import capture_logs

from services.chassis.ringcentral import RateLimit, RingCentralClient, RingCentralRefused
from services.chassis.ringcentral.penalties import Penalties
from services.chassis.settings import RingCentralSettings
from services.chassis.testing.fake_clock import FakeClock

EXTENSIONS = "/restapi/v1.0/account/~/extension"
SECRETS = ("client-secret-77", "jwt-assertion-88", "AT-secret", "Y2xpZW50")


def reply(status: int, body: Any = None, headers: dict[str, str] | None = None) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
    response.headers.update({"Content-Type": "application/json"} | (headers or {}))
    return response


class FakeRingCentral(BaseAdapter):
    """Answers token requests itself and everything else from `answers`, which may be callables that raise."""

    def __init__(self, *answers: requests.Response | Callable[[], requests.Response]) -> None:
        super().__init__()
        self.answers = list(answers)
        self.token_answers: list[requests.Response] = []
        self.requests: list[requests.PreparedRequest] = []
        self.logins: list[requests.PreparedRequest] = []
        self.timeouts: list[Any] = []

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        self.timeouts.append(options["timeout"])
        if urlsplit(str(request.url)).path == "/restapi/oauth/token":
            self.logins.append(request)
            if self.token_answers:
                return self.token_answers.pop(0)
            return reply(200, {"access_token": f"AT-secret-{len(self.logins)}", "expires_in": 3600})
        self.requests.append(request)
        answer = self.answers.pop(0)
        response = answer() if callable(answer) else answer
        response.request = request
        return response

    def close(self) -> None:
        pass


def client_of(
    fake: FakeRingCentral, clock: FakeClock | None = None, state_dir: Path | None = None, **more: Any
) -> RingCentralClient:
    settings = RingCentralSettings.model_validate(
        {
            "RINGCENTRAL_SERVER_URL": "https://rc.test/",
            "RINGCENTRAL_CLIENT_ID": "client",
            "RINGCENTRAL_CLIENT_SECRET": "client-secret-77",
            "RINGCENTRAL_JWT": "jwt-assertion-88",
            "RINGCENTRAL_TIMEOUT_MS": 1500,
            "RINGCENTRAL_STATE_DIR": state_dir,
        }
    )
    return RingCentralClient(settings, clock=clock or FakeClock(), adapter=fake, **more)


def refused(call: Callable[[], Any]) -> RingCentralRefused:
    with pytest.raises(RingCentralRefused) as caught:
        call()
    return caught.value


def test_logs_in_by_jwt_once_and_sends_the_token_with_a_time_out():
    fake = FakeRingCentral(reply(200, {"id": 1}), reply(200, {"id": 2}))
    client = client_of(fake)
    assert [client.get(EXTENSIONS)["id"], client.get(EXTENSIONS)["id"]] == [1, 2]
    assert len(fake.logins) == 1
    form = parse_qs(str(fake.logins[0].body))
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    assert form["assertion"] == ["jwt-assertion-88"]
    assert fake.requests[0].headers["Authorization"] == "Bearer AT-secret-1"
    assert fake.timeouts == [1.5, 1.5, 1.5]


def test_logs_in_again_before_the_token_expires():
    clock = FakeClock()
    fake = FakeRingCentral(reply(200), reply(200))
    client = client_of(fake, clock)
    client.get(EXTENSIONS)
    clock.advance_ms(3_541_000)
    client.get(EXTENSIONS)
    assert [r.headers["Authorization"] for r in fake.requests] == ["Bearer AT-secret-1", "Bearer AT-secret-2"]


def test_401_logs_in_again_and_retries_once():
    fake = FakeRingCentral(reply(401, {"errors": [{"errorCode": "OAU-213"}]}), reply(200, {"ok": True}))
    assert client_of(fake).get(EXTENSIONS) == {"ok": True}
    assert len(fake.logins) == 2
    fake = FakeRingCentral(reply(401), reply(401, {"errorCode": "OAU-213"}))
    error = refused(lambda: client_of(fake).get(EXTENSIONS))
    assert (error.status, error.error_code, error.retryable, len(fake.requests)) == (401, "OAU-213", False, 2)


def test_the_login_tells_whose_credentials_these_are():
    fake = FakeRingCentral()
    fake.token_answers = [reply(200, {"access_token": "AT-secret-1", "owner_id": 700200300})]
    client = client_of(fake)
    assert [client.owner_id(), client.owner_id()] == ["700200300", "700200300"]
    assert (len(fake.logins), fake.requests) == (1, [])
    assert client_of(FakeRingCentral()).owner_id() == ""


def test_threads_share_one_login():
    gate = threading.Barrier(4)
    fake = FakeRingCentral(*[reply(200) for _ in range(4)])
    client = client_of(fake)

    def ask() -> None:
        gate.wait()
        client.get(EXTENSIONS)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fake.logins) == 1


def test_a_refused_login_is_held_back_then_tried_again():
    clock = FakeClock()
    fake = FakeRingCentral(reply(200, {"ok": True}))
    fake.token_answers = [reply(400, {"error": "invalid_grant", "errors": [{"errorCode": "OAU-140"}]})]
    client = client_of(fake, clock)
    first = refused(lambda: client.get(EXTENSIONS))
    second = refused(lambda: client.get(EXTENSIONS))
    assert (first.error_code, second.error_code, len(fake.logins)) == ("OAU-140", "OAU-140", 1)
    assert not first.retryable
    assert 0 < second.retry_after_ms <= 30_000
    clock.advance_ms(30_000)
    assert client.get(EXTENSIONS) == {"ok": True}


def test_requests_that_take_another_way_share_the_penalties():
    clock, subscription = FakeClock(), "/restapi/v1.0/subscription/"
    groups = reply(200, headers={"X-Rate-Limit-Group": "medium"})
    fake = FakeRingCentral(groups, reply(429, headers={"X-Rate-Limit-Group": "medium", "Retry-After": "60"}))
    client = client_of(fake, clock)
    client.get(EXTENSIONS)
    client.punished("medium", 5_000)
    assert (client.held_ms("POST", subscription), refused(lambda: client.get(EXTENSIONS)).retry_after_ms) == (
        5_000,
    ) * 2
    clock.advance_ms(5_000)
    assert client.held_ms("POST", subscription) == 0
    refused(lambda: client.get(EXTENSIONS))
    assert client.held_ms("POST", subscription) == 60_000
    client.punished("medium", 2_000)
    assert client.held_ms("POST", subscription) == 60_000


def test_a_penalty_outlives_the_process_where_there_is_a_folder_for_it(tmp_path: Path):
    clock, limited = FakeClock(), reply(429, headers={"Retry-After": "60", "X-Rate-Limit-Group": "light"})
    refused(lambda: client_of(FakeRingCentral(limited), clock, tmp_path).get(EXTENSIONS))
    clock.advance_ms(59_000)
    successor, stranger = FakeRingCentral(reply(200)), FakeRingCentral(reply(200))
    client = client_of(successor, clock, tmp_path)
    assert (refused(lambda: client.get(EXTENSIONS)).retry_after_ms, successor.requests) == (1_000, [])
    client_of(stranger, clock, tmp_path, jwt=SecretStr("another")).get(EXTENSIONS)
    clock.advance_ms(1_000)
    client.get(EXTENSIONS)
    assert not any(secret in file.name + file.read_text() for file in tmp_path.iterdir() for secret in SECRETS)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"light": 7}', b'{"light": "soon"}'])
def test_an_unreadable_memory_of_penalties_is_none(tmp_path: Path, content: bytes):
    file = tmp_path / "penalties.json"
    file.write_bytes(content)
    penalties = Penalties(FakeClock(), file=file)
    assert penalties.remaining_ms("GET /x") == 0
    penalties.punish({"Retry-After": "5"})
    assert Penalties(FakeClock(), file=file).remaining_ms("GET /x") == 5_000


def test_429_silences_its_group_for_the_penalty_and_no_other():
    clock = FakeClock()
    light, heavy = {"X-Rate-Limit-Group": "light"}, {"X-Rate-Limit-Group": "heavy"}
    fake = FakeRingCentral(
        reply(200, {"n": 1}, heavy),
        reply(429, {"errors": [{"errorCode": "CMN-301"}]}, light | {"Retry-After": "12"}),
        reply(200, {"n": 2}, heavy),
        reply(200, {"n": 3}, light),
    )
    client = client_of(fake, clock)
    sessions, calls = "/restapi/v1.0/account/~/telephony/sessions/", "/restapi/v1.0/account/~/active-calls"
    client.get(calls)
    error = refused(lambda: client.get(sessions + "s-a0d1z1"))
    assert (error.status, error.error_code, error.retry_after_ms, error.retryable) == (429, "CMN-301", 12_000, True)
    clock.advance_ms(5_000)
    blocked = refused(lambda: client.get(sessions + "s-b0d2z2"))
    assert (blocked.status, blocked.retry_after_ms, len(fake.requests)) == (429, 7_000, 2)
    unknown = refused(lambda: client.get("/restapi/v1.0/account/~/device/801/sip-info"))
    assert unknown.status == 429
    assert client.get(calls) == {"n": 2}
    clock.advance_ms(7_000)
    assert client.get(sessions + "s-b0d2z2") == {"n": 3}


def test_429_without_group_or_time_silences_everything_for_30_s():
    clock = FakeClock()
    fake = FakeRingCentral(reply(429), reply(200))
    client = client_of(fake, clock)
    assert refused(lambda: client.get(EXTENSIONS)).retry_after_ms == 30_000
    clock.advance_ms(29_000)
    assert refused(client.websocket_token).retry_after_ms == 1_000
    clock.advance_ms(1_000)
    client.get(EXTENSIONS)


@pytest.mark.parametrize(
    ("body", "code", "parameter"),
    [
        (
            {"errors": [{"errorCode": "CMN-102", "message": "+15550100111", "parameterName": "partyId"}]},
            "CMN-102",
            "partyId",
        ),
        ({"errorCode": "TAS-102", "message": "Incorrect State"}, "TAS-102", ""),
        ({"error": "invalid_grant", "errors": [{"errorCode": "OAU-140"}]}, "OAU-140", ""),
        ({"error": "invalid_client"}, "invalid_client", ""),
        (b"<html>gone</html>", "", ""),
        ({"errors": [{"errorCode": "has spaces AT-secret"}]}, "", ""),
        ([], "", ""),
    ],
)
def test_error_codes_from_every_shape(body: Any, code: str, parameter: str):
    error = refused(lambda: client_of(FakeRingCentral(reply(404, body))).get(EXTENSIONS))
    assert (error.status, error.error_code, error.parameter, error.retryable) == (404, code, parameter, False)
    assert "+1555" not in str(error)


def _time_out() -> requests.Response:
    raise requests.ReadTimeout("no answer to Bearer AT-secret-1")


@pytest.mark.parametrize(("answer", "status"), [(reply(503, headers={"Retry-After": "3"}), 503), (_time_out, 0)])
def test_5xx_and_time_outs_are_retryable_and_not_retried_here(answer: Any, status: int):
    fake = FakeRingCentral(answer)
    error = refused(lambda: client_of(fake).post(EXTENSIONS, {"a": 1}))
    assert (error.status, error.retryable, len(fake.requests)) == (status, True, 1)
    assert error.retry_after_ms == (3_000 if status else 0)


def test_query_values_are_encoded_and_bodies_are_json():
    fake = FakeRingCentral(reply(200), reply(204), reply(200, {"id": "9"}), reply(204))
    client = client_of(fake)
    client.get(EXTENSIONS, {"name": "b&c=d e", "phone": "+1"})
    assert client.post(EXTENSIONS, {"addedExtensions": []}) == {}
    assert client.put(EXTENSIONS + "/9", {"name": "é"}) == {"id": "9"}
    assert client.delete(EXTENSIONS + "/9") == {}
    assert fake.requests[0].url == "https://rc.test" + EXTENSIONS + "?name=b%26c%3Dd+e&phone=%2B1"
    assert orjson.loads(fake.requests[1].body or b"") == {"addedExtensions": []}
    assert [r.method for r in fake.requests] == ["GET", "POST", "PUT", "DELETE"]


def test_pages_follow_the_next_page_on_the_configured_server():
    following = {"nextPage": {"uri": "https://platform.elsewhere" + EXTENSIONS + "?page=2&perPage=2"}}
    fake = FakeRingCentral(
        reply(200, {"records": [{"id": 1}, {"id": 2}], "navigation": following}),
        reply(200, {"records": [{"id": 3}], "navigation": {}}),
    )
    assert [record["id"] for record in client_of(fake).pages(EXTENSIONS, {"perPage": "2"})] == [1, 2, 3]
    assert fake.requests[1].url == "https://rc.test" + EXTENSIONS + "?page=2&perPage=2"


def test_pages_end_when_a_server_points_back():
    back = {"nextPage": {"uri": EXTENSIONS + "?page=1"}}
    fake = FakeRingCentral(*[reply(200, {"records": [{"id": n}], "navigation": back}) for n in (1, 2, 3)])
    assert [record["id"] for record in client_of(fake).pages(EXTENSIONS, {"page": "1"})] == [1]


@pytest.mark.parametrize(
    ("token_answer", "answer"),
    [
        (reply(401, {"error": "invalid_client"}), None),
        (reply(200, b"AT-secret in no JSON", {"Content-Type": "text/plain"}), None),
        (reply(200, {"token_type": "bearer"}), None),
        (None, reply(403, {"errors": [{"errorCode": "CMN-401", "message": "Bearer AT-secret-1"}]})),
        (None, reply(429, {"message": "Bearer AT-secret-1"})),
        (None, reply(302, None, {"Location": "https://elsewhere.test/?t=AT-secret-1"})),
        (None, reply(200, b"no json AT-secret-1")),
        (None, _time_out),
    ],
)
def test_no_secret_in_errors_and_logs(token_answer: Any, answer: Any):
    fake = FakeRingCentral(answer) if answer is not None else FakeRingCentral()
    fake.token_answers = [token_answer] if token_answer is not None else []
    with capture_logs() as logs:
        error = refused(lambda: client_of(fake).get(EXTENSIONS))
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(error.args) + repr(logs)
    assert [secret for secret in SECRETS if secret in shown] == []
    assert error.__context__ is None or error.__suppress_context__


def test_close_gives_the_session_back_once():
    fake = FakeRingCentral(reply(200), reply(200))
    client = client_of(fake)
    client.get(EXTENSIONS)
    client.close()
    client.close()
    assert str(fake.requests[-1].url) == "https://rc.test/restapi/oauth/revoke"
    assert parse_qs(str(fake.requests[-1].body)) == {"token": ["AT-secret-1"]}
    assert len(fake.requests) == 2


def test_identity_of_the_pool_logs_in_with_its_own_jwt_and_hears_of_its_limits() -> None:
    told: list[RateLimit] = []
    limits = {"X-Rate-Limit-Group": "Light", "X-Rate-Limit-Limit": "50", "X-Rate-Limit-Remaining": "49",
              "X-Rate-Limit-Window": "60"}  # fmt: skip
    fake = FakeRingCentral(reply(200, {}, limits), reply(429, {}, {**limits, "Retry-After": "3"}), reply(200, {}))
    client = client_of(fake, jwt=SecretStr("jwt-of-another"), on_limits=told.append)

    client.get(EXTENSIONS)
    refused(lambda: client.get(EXTENSIONS))

    assert parse_qs(str(fake.logins[0].body))["assertion"] == ["jwt-of-another"]
    assert [(t.group, t.limit, t.remaining, t.window_ms, t.penalty_ms) for t in told] == [
        ("light", 50, 49, 60_000, 0),
        ("light", 50, 49, 60_000, 3_000),
    ]


def test_penalty_that_begins_while_a_login_is_waited_for_is_kept() -> None:
    clock = FakeClock()
    fake = FakeRingCentral(reply(401), reply(200, {}))
    client = client_of(fake, clock)
    client._penalties.learn("GET /account/{}/extension", {"X-Rate-Limit-Group": "light"})
    log_in = client._login._log_in

    def slow_login() -> tuple[str, float]:
        client._penalties.punish({"X-Rate-Limit-Group": "light", "Retry-After": "60"})
        return log_in()

    client._login._log_in = slow_login

    assert refused(lambda: client.get(EXTENSIONS)).status == 429
    assert fake.requests == []
