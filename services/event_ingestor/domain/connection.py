"""The subscription over one WebSocket at a time, as a state machine without I/O.

    OFFLINE --Open--> OPENING --Opened--> GREETING --ConnectionDetails--> OPEN --Lost--> OFFLINE

Nothing is sent before ConnectionDetails. A connection lost within the recovery window is opened again with the
newest `wsc`: when the gateway says Successful, the subscription lives on and the missed events follow; otherwise a
new subscription is made on the same connection, and what was missed is read by REST (`Hydrate`). A subscription
replaces the connection's former one, so a changed roster means subscribing again, and reading once more by REST.
Before the gateway's absolute time limit the connection is renewed by closing and recovering it.

`decide` takes what happened and the monotonic time in ms; `wake_at_ms` says when it wants to be asked again.
"""

from __future__ import annotations

from dataclasses import replace

from services.event_ingestor.domain.connection_model import (
    Came,
    Close,
    Connection,
    Decision,
    Deliver,
    Disabled,
    Down,
    Event,
    Hydrate,
    Live,
    Lost,
    Open,
    Opened,
    OpenFailed,
    Pending,
    Phase,
    Refused,
    SendHeartbeat,
    Subscribe,
    Watch,
    Woken,
)
from services.event_ingestor.domain.filters import unserved
from services.event_ingestor.domain.frames import Beat, ConnectionDetails, Frame, GatewayError, Notification, Reply

REPLY_WITHIN_MS = 10_000
# Each try costs a token of the auth group, five a minute: this stays below.
RETRY_MS = (0, 1_000, 4_000, 10_000, 20_000, 30_000)
RESUBSCRIBE_MS = (5_000, 15_000, 60_000)
DISABLED_AGAIN_MS = 600_000
RENEW_AT = 0.95
REPLAY_MS = 10_000
HEALTHY_MS = 60_000


def wake_at_ms(state: Connection) -> int | None:
    """When `decide` wants a Woken; None: never."""
    match state.phase:
        case Phase.OFFLINE:
            return state.open_at_ms if state.extensions else None
        case Phase.GREETING:
            return state.greet_until_ms
        case Phase.OPEN:
            times = [state.renew_at_ms, state.beat_at_ms]
            times += [state.subscribe_at_ms] if state.subscribe_at_ms is not None and state.pending is None else []
            times += [state.pending.until_ms] if state.pending is not None else []
            return min(times)
        case Phase.OPENING | Phase.CLOSING:
            return None


def decide(state: Connection, event: Event, now_ms: int) -> Decision:
    """The next state and what is to be done, in order."""
    match event:
        case Woken():
            return _woken(state, now_ms)
        case Watch(extensions):
            return _watch(replace(state, extensions=extensions), now_ms)
        case Opened():
            return replace(state, phase=Phase.GREETING, greet_until_ms=now_ms + REPLY_WITHIN_MS), ()
        case OpenFailed(retry_after_ms, refused):
            lost = replace(state, wsc=None) if refused and state.offered else state
            return _offline(lost, now_ms, retry_after_ms), (Down("cannot connect"),)
        case Lost():
            reason = "connection lost" if state.phase is not Phase.CLOSING else "reconnecting"
            return _offline(state, now_ms, 0), (Down(reason),)
        case Came(frame):
            return _came(replace(cursor(state, frame), beat_at_ms=now_ms + state.heartbeat_ms), frame, now_ms)


def cursor(state: Connection, frame: Frame) -> Connection:
    """The recovery cursor after a frame: the highest sequence of the connection.

    The greeting of a recovered connection may already count the events that are still to be sent again. Were its
    cursor taken at once, a second cut would lose them: it is taken when the next other frame proves that they came.
    """
    if isinstance(frame, ConnectionDetails):
        return state
    seen = [wsc for wsc in (None if state.wsc_stale else state.wsc, frame.wsc) if wsc is not None]
    waiting = state.wsc_next
    if not isinstance(frame, Notification):
        seen += [waiting] if waiting is not None else []
        waiting = None
    if not seen:
        return state
    return replace(state, wsc=max(seen, key=lambda wsc: wsc.sequence), wsc_stale=False, wsc_next=waiting)


def _offline(state: Connection, now_ms: int, retry_after_ms: int) -> Connection:
    healthy = state.lost_at_ms is None and now_ms - state.opened_at_ms >= HEALTHY_MS
    tries = 0 if healthy else state.tries
    wait_ms = RETRY_MS[min(tries, len(RETRY_MS) - 1)]
    return replace(
        state,
        phase=Phase.OFFLINE,
        pending=None,
        subscribe_at_ms=None,
        tries=tries + 1,
        lost_at_ms=now_ms if state.lost_at_ms is None else state.lost_at_ms,
        open_at_ms=now_ms + max(wait_ms, retry_after_ms),
    )


def _closing(state: Connection, reason: str) -> Decision:
    return replace(state, phase=Phase.CLOSING), (Close(reason),)


def _watch(state: Connection, now_ms: int) -> Decision:
    if state.phase is not Phase.OPEN:
        return state, (Down("no monitored extensions"),) if not state.extensions else ()
    if not state.extensions:
        return _closing(replace(state, wsc=None), "no monitored extensions")
    if state.extensions == state.subscribed or state.pending is not None:
        return state, ()
    return _subscribe(state, now_ms)


def _woken(state: Connection, now_ms: int) -> Decision:
    due = wake_at_ms(state)
    if due is None or now_ms < due:
        return state, ()
    if state.phase is Phase.OFFLINE:
        lost_at_ms = state.lost_at_ms if state.lost_at_ms is not None else now_ms
        wsc = state.wsc if now_ms - lost_at_ms < state.recovery_ms else None
        opening = replace(state, phase=Phase.OPENING, wsc=wsc, offered=wsc is not None)
        return opening, (Open(wsc.token if wsc is not None else ""),)
    if state.phase is Phase.GREETING:
        return _closing(state, "no connection details")
    if state.pending is not None and now_ms >= state.pending.until_ms:
        return _closing(state, "no reply to the subscription")
    if now_ms >= state.renew_at_ms:
        return _closing(state, "renewal")
    if state.subscribe_at_ms is not None and state.pending is None and now_ms >= state.subscribe_at_ms:
        return _subscribe(state, now_ms)
    beat = replace(state, requests=state.requests + 1, beat_at_ms=now_ms + state.heartbeat_ms)
    return beat, (SendHeartbeat(f"m{beat.requests}"),)


def _subscribe(state: Connection, now_ms: int) -> Decision:
    number = state.requests + 1
    pending = Pending(message_id=f"m{number}", extensions=state.extensions, until_ms=now_ms + REPLY_WITHIN_MS)
    asked = replace(state, requests=number, pending=pending, subscribe_at_ms=None)
    return asked, (Subscribe(pending.message_id, pending.extensions),)


def _came(state: Connection, frame: Frame, now_ms: int) -> Decision:
    match frame:
        case Notification(raw=raw):
            return _notified(state, raw, now_ms)
        case ConnectionDetails() if state.phase is Phase.GREETING:
            return _greeted(state, frame, now_ms)
        case Reply() if state.phase is Phase.OPEN and state.pending and frame.message_id == state.pending.message_id:
            return _replied(replace(state, pending=None), state.pending, frame, now_ms)
        case GatewayError(code=code) if state.phase in (Phase.GREETING, Phase.OPEN):
            useless = state.phase is Phase.GREETING and state.offered
            return _closing(replace(state, wsc=None) if useless else state, code)
        case Beat() | Reply() | ConnectionDetails() | GatewayError():
            return state, ()


def _notified(state: Connection, raw: bytes, now_ms: int) -> Decision:
    if state.replayed_left == 0 or now_ms > state.replayed_until_ms:
        return state, (Deliver(raw),)
    left = state.replayed_left - 1
    # The whole buffer came again: older events may have fallen out of it.
    return replace(state, replayed_left=left), (Deliver(raw), *((Hydrate("recovery buffer full"),) if not left else ()))


def _greeted(state: Connection, details: ConnectionDetails, now_ms: int) -> Decision:
    if details.status >= 300:
        return _closing(replace(state, wsc=None), f"greeted with {details.status}")
    opened = replace(
        state,
        phase=Phase.OPEN,
        wsc_stale=False,
        wsc_next=None,
        opened_at_ms=now_ms,
        recovery_ms=details.recovery_ms,
        renew_at_ms=now_ms + int(details.absolute_ms * RENEW_AT),
        lost_at_ms=None,
    )
    if not (state.offered and details.recovered and state.subscribed):
        return _subscribe(replace(opened, wsc=details.wsc, subscribed=None), now_ms)
    recovered = replace(
        opened,
        wsc_stale=True,
        wsc_next=details.wsc,
        replayed_left=details.recovery_buffer,
        replayed_until_ms=now_ms + REPLAY_MS,
    )
    again, effects = _watch(recovered, now_ms)
    return again, (Live(recovered=True), *effects)


def _replied(state: Connection, pending: Pending, reply: Reply, now_ms: int) -> Decision:
    if not 200 <= reply.status < 300:
        wait_ms = max(RESUBSCRIBE_MS[min(state.refusals, len(RESUBSCRIBE_MS) - 1)], reply.retry_after_ms)
        waiting = replace(state, refusals=state.refusals + 1, subscribe_at_ms=now_ms + wait_ms)
        reason = f"subscription refused: {reply.status} {reply.error_code}".rstrip()
        told = (Down(reason), Refused(len(pending.extensions), reply.status, reply.error_code))
        if reply.status != 401:
            return waiting, told
        closing, effects = _closing(replace(waiting, wsc=None), reason)  # the token that opened it is dead
        return closing, (*told, *effects)
    disabled = unserved(pending.extensions, reply.covered, reply.disabled)
    live = replace(
        state,
        subscribed=pending.extensions,
        refusals=0,
        subscribe_at_ms=now_ms + DISABLED_AGAIN_MS if disabled else None,
        replayed_left=0,
    )
    again, effects = _watch(live, now_ms)
    return again, (Live(recovered=False), Disabled(disabled), Hydrate("subscribed"), *effects)
