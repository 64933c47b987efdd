"""A language model as a writer: a small real HTTP server that speaks its API, replies of every kind, and time."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from services.chassis.clock import SystemClock
from services.chassis.testing.fake_publisher import FakePublisher
from services.contracts import topics
from services.insights.adapters.incoming import read_timer
from services.insights.adapters.language_model import LanguageModel
from services.insights.domain.inputs import TimerDue, Written
from services.insights.domain.outputs import WriteRequest
from services.insights.domain.writing import leaving
from tests.support.insights_call import CALL, ENDED, Call, said
from tests.support.insights_knowledge import sample_knowledge


class Endpoint(ThreadingHTTPServer):
    """`reply` is what the next requests get; `asked` what they held."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply: bytes | int = b""
        self.slow_s = 0.0
        self.asked: list[dict[str, Any]] = []
        self.headers: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def says(self, content: str) -> None:
        self.reply = json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode()


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append({"path": self.path, **json.loads(body)})
        self.server.headers.append(self.headers.get("Authorization", ""))
        time.sleep(self.server.slow_s)
        reply = self.server.reply
        self.send_response(reply if isinstance(reply, int) else 200)
        self.end_headers()
        self.wfile.write(reply if isinstance(reply, bytes) else b"no")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def request_for(text: str = "How long?", *, within_ms: int = 20_000) -> WriteRequest:
    return WriteRequest(
        about="a", kind="suggestion", question=text, material=(("1", "Three days."), ("2", "Twelve dollars.")),
        until=datetime.now(UTC) + timedelta(milliseconds=within_ms),
    )  # fmt: skip


async def written(endpoint: Endpoint, request: WriteRequest | None = None) -> Written:
    model = LanguageModel(
        url=endpoint.url, api_key="k", model="m", publisher=FakePublisher(), clock=SystemClock()
    )  # fmt: skip
    try:
        return await model.write(request or request_for())
    finally:
        await model.close()


async def test_a_cited_reply_is_taken_and_only_what_was_given_goes_out(endpoint: Endpoint) -> None:
    endpoint.says('```json\n{"text": "It takes three  days.", "cited": [1]}\n```')
    assert await written(endpoint) == Written(about="a", text="It takes three days.", cited=("1",))
    (asked,) = endpoint.asked
    assert (asked["path"], asked["model"], endpoint.headers) == ("/v1/chat/completions", "m", ["Bearer k"])
    assert asked["messages"][1]["content"] == "Question: How long?\n\n[1] Three days.\n[2] Twelve dollars."


@pytest.mark.parametrize(
    "content",
    [
        '{"text": "It takes a week.", "cited": []}', '{"text": "It takes a week.", "cited": [7]}',
        '{"text": "", "cited": [1]}', "It takes three days [1].", '{"text": 3, "cited": [1]}', '["text"]', "",
    ],
)  # fmt: skip
async def test_a_reply_that_cites_nothing_given_or_is_none_is_of_no_use(endpoint: Endpoint, content: str) -> None:
    endpoint.says(content)
    assert await written(endpoint) == Written(about="a", text="")


@pytest.mark.parametrize("reply", [500, 429, b"{broken", b'{"choices": []}'])
async def test_a_broken_endpoint_is_of_no_use(endpoint: Endpoint, reply: bytes | int) -> None:
    endpoint.reply = reply
    assert await written(endpoint) == Written(about="a", text="")


async def test_a_slow_reply_is_not_waited_for(endpoint: Endpoint) -> None:
    endpoint.says('{"text": "Late.", "cited": [1]}')
    endpoint.slow_s = 1.0
    assert await written(endpoint, request_for(within_ms=50)) == Written(about="a", text="")


async def test_nobody_there_is_of_no_use(endpoint: Endpoint) -> None:
    endpoint.server_close()
    assert await written(endpoint) == Written(about="a", text="")


async def test_the_reply_comes_by_the_calls_own_stream(endpoint: Endpoint) -> None:
    endpoint.says('{"text": "Three days.", "cited": [1]}')
    publisher = FakePublisher()
    model = LanguageModel(url=endpoint.url, api_key="", model="m", publisher=publisher, clock=SystemClock())
    model.ask(CALL, request_for())
    for task in list(model._asking):
        await task
    await model.close()
    ((key, value),) = [(m.key, m.value) for m in publisher.messages if m.topic is topics.INSIGHTS_TIMERS]
    assert key == CALL
    assert read_timer(value or b"") == (CALL, Written(about="a", text="Three days.", cited=("1",)))


def writing_call() -> Call:
    knowledge = sample_knowledge()
    policy = replace(knowledge.policy, model_suggestion_ms=1500, model_summary_ms=10_000)
    return Call(replace(knowledge, policy=policy))


QUESTION = "How do I reset my router? My card is 4111 1111 1111 1111."


def test_a_suggestion_waits_for_its_wording_and_cites_what_the_wording_cites() -> None:
    call = writing_call().take(said("customer", QUESTION, 0))
    assert call.suggested == []
    (request,) = call.asked
    assert "4111" not in request.question
    assert request.material[0][1].startswith("Reset your router / Reset the router: Hold the reset button")
    call.now += timedelta(milliseconds=800)
    call.take(Written(about=request.about, text="Hold reset for ten seconds.", cited=("1",)))
    call.take(Written(about=request.about, text="Again.", cited=("1",)), TimerDue())
    (suggestion,) = call.suggested
    assert (suggestion.text, suggestion.by_model) == ("Hold reset for ten seconds.", True)
    assert [cited.section for cited in suggestion.cited] == ["Reset the router"]
    assert suggestion.created_at == call.now
    assert call.row is not None
    assert call.row.due_at == call.row.looks_at


@pytest.mark.parametrize("reply", [Written(about="?", text=""), None])
def test_without_a_wording_the_passage_goes_out_as_found(reply: Written | None) -> None:
    call = writing_call().take(said("customer", QUESTION, 0))
    (request,) = call.asked
    if reply is not None:
        call.take(replace(reply, about=request.about))
    else:
        call.now = request.until
        call.take(TimerDue(), TimerDue())
    (suggestion,) = call.suggested
    assert not suggestion.by_model
    assert suggestion.text in suggestion.cited[0].passage
    assert len(suggestion.cited) == 1


def test_a_summary_is_worded_from_its_own_lines_or_goes_out_as_it_is() -> None:
    for cited, by_model in ((("1",), True), ((), False)):
        call = writing_call().take(said("customer", "Where is my parcel?", 0), ENDED)
        call.now += timedelta(milliseconds=call.knowledge.policy.summary_grace_ms)
        call.take(TimerDue())
        request = call.asked[-1]
        assert request.kind == "summary"
        assert request.material[0] == ("1", "The customer said: Where is my parcel?")
        call.take(Written(about=request.about, text="A parcel is missing.", cited=cited))
        (summary,) = call.summaries
        assert summary.digest.by_model is by_model
        assert (summary.digest.text == "A parcel is missing.") is by_model
        assert summary.digest.reason == "Where is my parcel?"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("my number is 4 1 1 1 and so on", "my number is [hidden] and so on"),
        ("write to ann.b@mail.example.com please", "write to [hidden] please"),
        ("it is four one one seven oh nine", "it is [hidden]"),
        ("a bill of 94 dollars, two hundred fifty megabits", "a bill of 94 dollars, two hundred fifty megabits"),
        ("the [payment card] ends", "the [payment card] ends"),
    ],
)
def test_what_leaves_holds_no_long_numbers_and_no_addresses(text: str, left: str) -> None:
    assert leaving(text) == left
