"""The connection's machine, played by a script: no sockets, no clock."""

from __future__ import annotations

from services.event_ingestor.domain.connection import decide, wake_at_ms
from services.event_ingestor.domain.connection_model import (
    Came,
    Close,
    Connection,
    Deliver,
    Disabled,
    Down,
    Effect,
    Event,
    Hydrate,
    Live,
    Lost,
    Open,
    Opened,
    OpenFailed,
    Phase,
    Refused,
    SendHeartbeat,
    Subscribe,
    Watch,
    Woken,
)
from services.event_ingestor.domain.frames import (
    Beat,
    ConnectionDetails,
    GatewayError,
    Notification,
    Reply,
    Wsc,
)

AGENTS = frozenset({"301", "302"})


class Played:
    """A machine whose time the test moves."""

    def __init__(self) -> None:
        self.state = Connection(heartbeat_ms=30_000)
        self.now_ms = 1_000

    def hear(self, event: Event) -> tuple[Effect, ...]:
        self.state, effects = decide(self.state, event, self.now_ms)
        return effects

    def frame(self, frame: object) -> tuple[Effect, ...]:
        return self.hear(Came(frame))  # type: ignore[arg-type]

    def wait(self, ms: int | None = None) -> tuple[Effect, ...]:
        due = wake_at_ms(self.state)
        assert due is not None
        self.now_ms = max(self.now_ms, due) if ms is None else self.now_ms + ms
        return self.hear(Woken())

    def greet(self, *, sequence: int = 1, recovered: bool | None = None, token: str = "A") -> tuple[Effect, ...]:
        self.hear(Opened())
        return self.frame(ConnectionDetails(status=200, wsc=Wsc(token=token, sequence=sequence), recovered=recovered))

    def accept(self, *, disabled: tuple[tuple[str, str], ...] = ()) -> tuple[Effect, ...]:
        assert self.state.pending is not None
        return self.frame(Reply(message_id=self.state.pending.message_id, status=200, wsc=None, disabled=disabled))


def live() -> Played:
    played = Played()
    played.hear(Watch(AGENTS))
    played.wait()
    played.greet()
    played.accept()
    return played


def notification(sequence: int = 0) -> Notification:
    return Notification(raw=b"{}", wsc=Wsc(token="A", sequence=sequence) if sequence else None)


def test_nothing_is_opened_before_somebody_is_to_be_watched():
    assert wake_at_ms(Connection()) is None


def test_connects_greets_subscribes_then_hydrates():
    played = Played()
    assert played.hear(Watch(AGENTS)) == ()
    assert played.wait() == (Open(""),)
    assert played.hear(Opened()) == ()
    details = ConnectionDetails(status=200, wsc=Wsc(token="A", sequence=1))
    assert played.frame(details) == (Subscribe("m1", AGENTS),)
    assert played.accept() == (Live(recovered=False), Disabled(()), Hydrate("subscribed"))
    assert played.frame(notification()) == (Deliver(b"{}"),)


def test_a_lost_connection_is_recovered_with_the_newest_cursor_without_subscribing_again():
    played = live()
    played.frame(notification(9))
    played.frame(notification(5))
    assert played.state.wsc == Wsc(token="A", sequence=9)
    assert played.hear(Lost()) == (Down("connection lost"),)
    assert played.wait() == (Open("A"),)
    assert played.greet(sequence=10, recovered=True) == (Live(recovered=True),)
    assert played.frame(notification()) == (Deliver(b"{}"),)


def test_a_second_cut_before_the_replay_came_asks_for_the_replay_again():
    played = live()
    played.frame(notification(5))
    played.hear(Lost())
    played.wait()
    played.greet(recovered=True, sequence=8, token="C")
    played.hear(Lost())
    assert played.wait() == (Open("A"),)
    played.greet(recovered=True, sequence=8, token="C")
    played.frame(notification(6))
    assert played.state.wsc == Wsc(token="A", sequence=6)
    played.frame(Beat(wsc=None))
    assert played.state.wsc == Wsc(token="C", sequence=8)


def test_a_gateway_that_counts_anew_after_recovery_is_followed():
    played = live()
    played.frame(notification(50))
    played.hear(Lost())
    played.wait()
    played.greet(recovered=True, sequence=1, token="C")
    played.frame(Beat(wsc=None))
    assert played.state.wsc == Wsc(token="C", sequence=1)


def test_a_failed_recovery_subscribes_on_the_same_connection_and_hydrates():
    played = live()
    played.hear(Lost())
    played.wait()
    assert played.greet(recovered=False, token="B") == (Subscribe("m2", AGENTS),)
    assert played.accept()[-1] == Hydrate("subscribed")


def test_a_cursor_past_its_window_or_refused_is_not_offered():
    late = live()
    late.hear(Lost())
    late.now_ms += 180_000
    assert late.wait() == (Open(""),)
    refused = live()
    refused.hear(Lost())
    refused.wait()
    assert refused.hear(OpenFailed(0, refused=True)) == (Down("cannot connect"),)
    assert refused.wait() == (Open(""),)


def test_a_server_error_keeps_the_cursor():
    played = live()
    played.hear(Lost())
    played.wait()
    played.hear(OpenFailed())
    assert played.wait() == (Open("A"),)


def test_tries_back_off_and_obey_the_server_and_begin_anew_after_health():
    played = live()
    waits = []
    for _ in range(6):
        played.hear(OpenFailed())
        waits.append(played.state.open_at_ms - played.now_ms)
        played.wait()
    assert waits == sorted(waits)
    assert waits[-1] == 30_000
    assert sum(waits[:5]) + waits[4] >= 35_000, "five tokens a minute are allowed"
    played.hear(OpenFailed(45_000))
    assert played.state.open_at_ms - played.now_ms == 45_000
    played.wait()
    played.greet()
    played.accept()
    played.now_ms += 61_000
    played.hear(Lost())
    assert played.state.open_at_ms == played.now_ms


def test_a_changed_roster_subscribes_again_and_an_unchanged_one_does_not():
    played = live()
    assert played.hear(Watch(AGENTS)) == ()
    more = AGENTS | {"303"}
    assert played.hear(Watch(more)) == (Subscribe("m2", more),)
    even_more = more | {"304"}
    assert played.hear(Watch(even_more)) == (), "one request at a time"
    assert played.accept()[-1] == Subscribe("m3", even_more)
    assert played.hear(Watch(frozenset())) == (Close("no monitored extensions"),)
    assert played.accept() == ()


def test_a_roster_that_changed_while_away_is_subscribed_after_recovery():
    played = live()
    played.hear(Lost())
    played.hear(Watch(AGENTS | {"303"}))
    played.wait()
    assert played.greet(recovered=True) == (Live(recovered=True), Subscribe("m2", AGENTS | {"303"}))


def test_an_empty_roster_closes_and_stays_away():
    played = live()
    assert played.hear(Watch(frozenset())) == (Close("no monitored extensions"),)
    played.hear(Lost())
    assert wake_at_ms(played.state) is None


def test_disabled_filters_are_told_and_asked_for_again():
    played = Played()
    played.hear(Watch(AGENTS))
    played.wait()
    played.greet()
    assert Disabled((("302", "SUB-412"),)) in played.accept(disabled=(("302", "SUB-412"),))
    played.frame(Beat(wsc=None))
    effects: list[Effect] = []
    while played.now_ms < 700_000 and not any(isinstance(e, Subscribe) for e in effects):
        effects += played.wait()
    assert Subscribe(effects[-1].message_id, AGENTS) == effects[-1]  # type: ignore[union-attr]


def test_filters_that_the_reply_silently_leaves_out_count_as_disabled():
    played = Played()
    played.hear(Watch(AGENTS))
    played.wait()
    played.greet()
    reply = Reply(message_id="m1", status=200, wsc=None, covered=frozenset({"301"}))
    assert Disabled((("302", "not covered"),)) in played.frame(reply)


def test_a_refused_subscription_is_repeated_on_the_same_connection():
    played = Played()
    played.hear(Watch(AGENTS))
    played.wait()
    played.greet()
    refusal = Reply(message_id="m1", status=429, wsc=None, error_code="CMN-301", retry_after_ms=60_000)
    assert played.frame(refusal) == (
        Down("subscription refused: 429 CMN-301"),
        Refused(len(AGENTS), 429, "CMN-301"),
    )
    assert played.wait(59_000) in ((), (SendHeartbeat("m2"),))
    played.now_ms += 1_000
    effects = played.hear(Woken())
    assert [type(effect) for effect in effects] == [Subscribe]


def test_a_connection_whose_token_was_killed_is_given_up():
    played = Played()
    played.hear(Watch(AGENTS))
    played.wait()
    played.greet()
    refusal = Reply(message_id="m1", status=401, wsc=None, error_code="OAU-213")
    reason = "subscription refused: 401 OAU-213"
    assert played.frame(refusal) == (Down(reason), Refused(len(AGENTS), 401, "OAU-213"), Close(reason))
    played.hear(Lost())
    assert played.wait() == (Open(""),)


def test_silence_after_opening_or_after_a_request_closes():
    greeting = Played()
    greeting.hear(Watch(AGENTS))
    greeting.wait()
    greeting.hear(Opened())
    assert greeting.wait() == (Close("no connection details"),)
    asked = Played()
    asked.hear(Watch(AGENTS))
    asked.wait()
    asked.greet()
    assert asked.wait() == (Close("no reply to the subscription"),)


def test_heartbeats_when_the_gateway_is_silent():
    played = live()
    assert played.wait(29_999) == ()
    assert played.wait(1) == (SendHeartbeat("m2"),)
    played.wait(20_000)
    played.frame(Beat(wsc=None))
    assert played.wait(29_999) == ()


def test_the_connection_is_renewed_before_its_absolute_limit_and_recovered():
    played = live()
    effects: tuple[Effect, ...] = ()
    while not any(isinstance(effect, Close) for effect in effects):
        effects = played.wait()
    assert effects == (Close("renewal"),)
    assert 0.9 * 86_400_000 < played.now_ms < 86_400_000
    assert played.frame(notification(33)) == (Deliver(b"{}"),), "what still comes is not lost"
    played.hear(Lost())
    assert played.wait() == (Open("A"),)


def test_a_gateway_error_closes_and_while_recovering_gives_the_cursor_up():
    played = live()
    assert played.frame(GatewayError(code="WSG-903", wsc=None)) == (Close("WSG-903"),)
    played.hear(Lost())
    played.wait()
    played.hear(Opened())
    played.frame(GatewayError(code="WSG-901", wsc=None))
    played.hear(Lost())
    assert played.wait() == (Open(""),)


def test_a_recovery_that_fills_the_buffer_hydrates_once():
    played = live()
    played.hear(Lost())
    played.wait()
    played.hear(Opened())
    played.frame(ConnectionDetails(status=200, wsc=Wsc(token="A", sequence=2), recovered=True, recovery_buffer=3))
    effects = [played.frame(notification()) for _ in range(5)]
    assert [len(e) for e in effects] == [1, 1, 2, 1, 1]
    assert effects[2][1] == Hydrate("recovery buffer full")


def test_replies_to_nobody_and_late_details_change_nothing():
    played = live()
    before = played.state
    assert played.frame(Reply(message_id="other", status=500, wsc=None)) == ()
    assert played.frame(ConnectionDetails(status=200, wsc=None)) == ()
    assert played.state == before
    assert played.state.phase is Phase.OPEN
