"""The flows that can be played. `ivr`, `internal` and `outbound` have the order of three real calls; of the others
only the statuses and reasons are documented, and their order is inferred.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.ringcentral_sim.domain.flows import Flow, Role, Step

_CALLER = Role("customer", "pstn", "customer", "Outbound", "customer", "agent")
_AGENT = Role("agent", "agent", "agent", "Inbound", "customer", "agent")
_QUEUE_AGENT = Role("agent", "agent", "agent", "Inbound", "customer", "agent", queue=True)
_MENU = Role("menu", "menu", "none", "Inbound", "customer", "menu")
_SECOND = Role("second", "colleague", "agent", "Inbound", "customer", "second")
_DIRECT = (
    Step(0, "customer", "Setup"),
    Step(40, "agent", "Setup"),
    Step(80, "customer", "Answered"),
    Step(140, "agent", "Proceeding"),
    Step(900, "agent", "Answered"),
)
_BY_MENU = (
    Step(0, "customer", "Setup"),
    Step(40, "menu", "Setup"),
    Step(80, "customer", "Answered"),
    Step(1500, "menu", "Disconnected"),
)
_RINGING = _DIRECT[:4]

_ALL = (
    Flow("inbound", (_CALLER, _AGENT), _DIRECT),
    Flow(
        "ivr",
        (_CALLER, _MENU, _AGENT),
        (*_BY_MENU, Step(1540, "agent", "Setup"), Step(1640, "agent", "Proceeding"), Step(2400, "agent", "Answered")),
    ),
    Flow(
        "outbound",
        (
            Role("agent", "agent", "agent", "Outbound", "agent", "customer"),
            Role("customer", "pstn", "customer", "Inbound", "agent", "customer"),
        ),
        (
            Step(0, "agent", "Setup"),
            Step(60, "customer", "Proceeding"),
            Step(120, "agent", "Proceeding"),
            Step(1200, "customer", "Answered"),
            Step(1240, "agent", "Answered"),
        ),
    ),
    Flow(
        "internal",
        (Role("customer", "colleague", "customer", "Outbound", "customer", "agent"), _AGENT),
        _DIRECT,
        closing=("customer", "agent"),
        holder="customer",
    ),
    Flow(
        "queue_simulring",
        (
            _CALLER,
            _MENU,
            Role("other", "colleague", "none", "Inbound", "customer", "other", queue=True),
            _QUEUE_AGENT,
            Role("another", "colleague", "none", "Inbound", "customer", "another", queue=True),
        ),
        (
            *_BY_MENU,
            Step(1540, "other", "Setup"),
            Step(1550, "agent", "Setup"),
            Step(1560, "another", "Setup"),
            Step(1640, "other", "Proceeding"),
            Step(1650, "agent", "Proceeding"),
            Step(1660, "another", "Proceeding"),
            Step(3400, "agent", "Answered", "AgentAnswered"),
            Step(3430, "other", "Disconnected"),
            Step(3440, "another", "Disconnected"),
        ),
    ),
    Flow(
        "mute",
        (_CALLER, _AGENT),
        _DIRECT,
        (Step(0, "agent", "Answered", muted=True), Step(2000, "agent", "Answered", muted=False)),
    ),
    Flow(
        "conference",
        (_CALLER, _AGENT, Role("third", "colleague", "none", "Inbound", "agent", "third")),
        _DIRECT,
        (Step(0, "third", "Setup"), Step(100, "third", "Proceeding"), Step(900, "third", "Answered")),
        closing=("third", "agent", "customer"),
    ),
    Flow(
        "third_party",
        (_CALLER, _AGENT, Role("third", "pstn", "none", "Inbound", "agent", "third")),
        _DIRECT,
        (
            Step(0, "third", "Setup"),
            Step(100, "third", "Proceeding"),
            Step(900, "third", "Answered"),
            Step(12_000, "third", "Disconnected"),
        ),
        closing=("third", "agent", "customer"),
    ),
    Flow(
        "blind_transfer",
        (_CALLER, _AGENT, _SECOND),
        _DIRECT,
        (
            Step(0, "agent", "Disconnected", "BlindTransfer"),
            Step(40, "second", "Setup"),
            Step(140, "second", "Proceeding"),
            Step(900, "second", "Answered"),
        ),
        closing=("second", "customer"),
    ),
    Flow(
        "attended_transfer",
        (
            _CALLER,
            _AGENT,
            Role("asking", "agent", "agent", "Outbound", "agent", "second", person="agent", line="second"),
            Role("asked", "colleague", "agent", "Inbound", "agent", "second", person="second", line="second"),
            _SECOND,
        ),
        _DIRECT,
        (
            Step(0, "agent", "Hold"),
            Step(400, "asking", "Setup"),
            Step(440, "asked", "Setup"),
            Step(480, "asking", "Answered"),
            Step(540, "asked", "Proceeding"),
            Step(1600, "asked", "Answered"),
            Step(6000, "second", "Answered", "AttendedTransfer"),
            Step(6030, "agent", "Gone", "AttendedTransfer", peer="asking"),
            Step(6060, "asked", "Gone", "AttendedTransfer", peer="second"),
            Step(6090, "asking", "Disconnected", "AttendedTransfer"),
        ),
        closing=("second", "customer"),
    ),
    Flow(
        "park",
        (
            _CALLER,
            _AGENT,
            Role("picking", "colleague", "none", "Outbound", "second", "second", person="second", line="second"),
            _SECOND,
        ),
        _DIRECT,
        (
            Step(0, "agent", "Parked", "ParkLocation", park="801"),
            Step(4000, "picking", "Setup"),
            Step(4100, "picking", "Proceeding"),
            Step(4600, "second", "Answered", "Pickup"),
            Step(4630, "agent", "Disconnected", "Pickup"),
            Step(4660, "picking", "Gone", "Pickup", peer="second"),
        ),
        closing=("second", "customer"),
    ),
    Flow(
        "missed",
        (_CALLER, _AGENT),
        (
            *_RINGING,
            Step(2000, "agent", "Disconnected", "NoAnswer", missed=True),
            Step(2040, "customer", "Disconnected"),
        ),
        plays=False,
    ),
    Flow(
        "abandoned",
        (_CALLER, _AGENT),
        (
            *_RINGING,
            Step(3000, "customer", "Disconnected"),
            Step(3040, "agent", "Disconnected", "Cancelled", missed=True),
        ),
        plays=False,
        closing=("customer", "agent"),
    ),
    Flow(
        "voicemail",
        (_CALLER, _AGENT),
        (*_RINGING, Step(8000, "agent", "VoiceMail", "NoAnswer", missed=True)),
        closing=("customer", "agent"),
    ),
)

FLOWS: Mapping[str, Flow] = {flow.name: flow for flow in _ALL}
