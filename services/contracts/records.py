"""Wire models: one frozen struct a record; generated from schemas/ by schemas/generate.py; edit the schemas, not this file."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, field


class Acceptance(Struct, frozen=True, kw_only=True):
    """What became of the suggestions of one article or rule."""

    kind: Literal["knowledge", "rule"]
    """Of which kind."""
    source: str
    """The article's file or the rule's name."""
    title: str = ""
    """As it was shown."""
    made: Annotated[int, Meta(ge=0)] = 0
    """Suggestions made."""
    shown: Annotated[int, Meta(ge=0)] = 0
    """Of these shown on a screen."""
    accepted: Annotated[int, Meta(ge=0)] = 0
    """Of these accepted."""
    dismissed: Annotated[int, Meta(ge=0)] = 0
    """Of these dismissed."""
    reasons: tuple[str, ...] = ()
    """Reasons given with dismissals, each once."""


class Alert(Struct, frozen=True, kw_only=True):
    """Something that a supervisor should look at now."""

    alert_id: Annotated[str, Meta(min_length=1)]
    """Derived from call, rule and cause."""
    call_id: Annotated[str, Meta(min_length=1)]
    """The call: RingCentral's telephonySessionId, opaque."""
    severity: Literal["info", "warning", "critical"]
    """How much."""
    rule: str
    """Rule that fired."""
    category: str = ""
    """Its category."""
    role: Literal["agent", "customer", "mixed", "unknown"] = "unknown"
    """Who speaks: right, or declared unknown; never guessed. `mixed` is a session-supervised stream."""
    utterance_id: str = ""
    """What fired it."""
    agent_extension_id: str = ""
    """The agent."""
    at: Annotated[datetime, Meta(tz=True)]
    """When. RFC 3339, UTC."""
    title: str = ""
    """What it is about, as the rules file words it."""
    at_ms: Annotated[int, Meta(ge=0)] = 0
    """When, on the call's media clock."""
    reason: Literal["said", "not_said", "sentiment", "dynamics"] = "said"
    """What kind of condition fired."""


class AudioChunk(Struct, frozen=True, kw_only=True):
    """The headers of an audio chunk; its value is the audio itself. All values travel as UTF-8 text. `end` closes the leg; its value may be empty."""

    call_id: Annotated[str, Meta(min_length=1)]
    """The call: RingCentral's telephonySessionId, opaque."""
    leg_id: Annotated[str, Meta(min_length=1)]
    """One supervised audio stream: `<party_id>~<8 hex of the SIP Call-ID>`."""
    party_id: str = ""
    """The monitored party."""
    role: Literal["agent", "customer", "mixed", "unknown"] = "unknown"
    """Who speaks: right, or declared unknown; never guessed. `mixed` is a session-supervised stream."""
    role_source: Literal["party_supervision", "session_supervision", "unknown"] = "unknown"
    """How the role is known: the monitored party of a supervision request that this leg answers, the session-level request, or not at all."""
    queue_id: str | None = None
    """Extension id of the queue by which the call came; left out where it came by none, or by one that the orchestrator does not know as a queue."""
    sequence: Annotated[int, Meta(ge=0)]
    """0, 1, 2 … within the leg."""
    codec: Literal["pcmu", "pcm_s16le"]
    """Encoding of the value: G.711 µ-law, or signed 16-bit little-endian samples."""
    sample_rate_hz: Literal[8000, 16000]
    """8000 for G.711."""
    media_time_ms: Annotated[int, Meta(ge=0)]
    """Start of the chunk on the call's media clock."""
    duration_ms: Annotated[int, Meta(ge=0)]
    """Length of the audio."""
    captured_at: Annotated[datetime, Meta(tz=True)]
    """Wall clock at the end of the chunk's audio. RFC 3339, UTC."""
    epoch: Annotated[datetime, Meta(tz=True)] | None = None
    """Zero of the call's media clock."""
    gap_before_ms: Annotated[int, Meta(ge=0)] = 0
    """Audio missing right before this chunk; it is never invented."""
    end: bool = False
    """The leg ends here."""


class AuditRecord(Struct, frozen=True, kw_only=True):
    """Who looked at or listened to what."""

    audit_id: Annotated[str, Meta(min_length=1)]
    """Unique."""
    actor: str
    """Subject of the token."""
    role: str = ""
    """The actor's role: admin, supervisor or agent."""
    extension_id: str = ""
    """The actor's extension, where the token names one."""
    action: Literal["watched", "listened", "exported", "erased", "refused"]
    """What."""
    call_id: str = ""
    """Which call."""
    detail: str = ""
    """A short code: live, finished, overview, live_started, live_stopped, recording, or why it was refused."""
    duration_ms: Annotated[int, Meta(ge=0)] = 0
    """With live_stopped: how long it was listened to."""
    at: Annotated[datetime, Meta(tz=True)]
    """When. RFC 3339, UTC."""


class CallDigest(Struct, frozen=True, kw_only=True):
    """The call so far in a few lines, built from what was said, redacted."""

    text: str = ""
    """The whole as text."""
    reason: str = ""
    """Why the customer calls, in the customer's own words."""
    steps: tuple[str, ...] = ()
    """What the agent did."""
    promises: tuple[str, ...] = ()
    """What the agent promised."""
    open_points: tuple[str, ...] = ()
    """Questions and problems of the customer that found no answer yet."""
    result: Literal["resolved", "follow_up", "unresolved", "transferred", "unknown"] = "unknown"
    """How it stands at the end."""
    writer: Literal["call", "model"] = "call"
    """`call`: sentences of the call itself; `model`: worded by a language model from them."""


class CallInsight(Struct, frozen=True, kw_only=True):
    """Something learned of the call while it lives."""

    insight_id: Annotated[str, Meta(min_length=1)]
    """Derived from call, kind and cause."""
    call_id: Annotated[str, Meta(min_length=1)]
    """The call: RingCentral's telephonySessionId, opaque."""
    kind: Literal["sentiment", "category", "dynamics", "checklist", "summary"]
    """Which. Of `dynamics`, `checklist` and `summary` the newest record of a call replaces the older."""
    at: Annotated[datetime, Meta(tz=True)]
    """When. RFC 3339, UTC."""
    utterance_id: str = ""
    """What it was learned from."""
    role: Literal["agent", "customer", "mixed", "unknown"] = "unknown"
    """Who speaks: right, or declared unknown; never guessed. `mixed` is a session-supervised stream."""
    sentiment: Annotated[float, Meta(ge=-1, le=1)] = 0
    """-1 to 1."""
    label: str = ""
    """Category or sentiment label."""
    rule: str = ""
    """Rule that matched."""
    dynamics: Dynamics | None = None
    """With `dynamics`."""
    start_ms: Annotated[int, Meta(ge=0)] = 0
    """Start of the utterance on the call's media clock."""
    end_ms: Annotated[int, Meta(ge=0)] = 0
    """Its end."""
    running_sentiment: Annotated[float, Meta(ge=-1, le=1)] = 0
    """With `sentiment`: how the speaker feels by now, newer utterances counting for more, -1 to 1."""
    checklist: tuple[ChecklistStep, ...] = ()
    """With `checklist`: every step that applies to the call, in the order of the rules file."""
    summary: CallDigest | None = None
    """With `summary`: the call so far."""
    handed_on_from: str = ""
    """With `summary`: the call that was transferred into this one and that the summary tells of."""
    for_transfer: bool = False
    """With `summary`: the call is being transferred; whoever takes it over reads this."""


class CallLifecycle(Struct, frozen=True, kw_only=True):
    """A fact in a call's life. Exactly one `ended` record closes each eligible call and says why it was or was not heard."""

    event_id: Annotated[str, Meta(min_length=1)]
    """Derived from call and cause, so that a replay makes the same id."""
    call_id: Annotated[str, Meta(min_length=1)]
    """The call: RingCentral's telephonySessionId, opaque."""
    type: Literal["started", "answered", "held", "resumed", "transferred", "conferenced", "ended"]
    """What happened."""
    at: Annotated[datetime, Meta(tz=True)]
    """When, by RingCentral's clock. RFC 3339, UTC."""
    direction: Literal["inbound", "outbound", "internal", "unknown"] = "unknown"
    """From the company's side."""
    agent_extension_id: str = ""
    """The monitored agent."""
    agent_party_id: str = ""
    """The agent's party."""
    customer_party_id: str = ""
    """The other side's party."""
    party_id: str = ""
    """The party that the fact is about."""
    peer_call_id: str = ""
    """On transfer: the call that it goes on in."""
    outcome: CallOutcome | None = None
    """Only with `ended`: the terminal account."""


class CallOutcome(Struct, frozen=True, kw_only=True):
    """How much of the call was heard, and why not more."""

    reason: Literal[
        "covered",
        "partly_covered",
        "mixed",
        "refused",
        "no_capacity",
        "no_device_online",
        "rate_limited",
        "too_short",
        "consent_missing",
        "not_answered",
        "no_audio",
        "not_permitted",
        "error",
    ]
    """Why the call is accounted for as it is."""
    duration_ms: Annotated[int, Meta(ge=0)] = 0
    """Answered to ended."""
    agent_heard_ms: Annotated[int, Meta(ge=0)] = 0
    """Media received of the agent."""
    customer_heard_ms: Annotated[int, Meta(ge=0)] = 0
    """Media received of the customer."""
    mixed_heard_ms: Annotated[int, Meta(ge=0)] = 0
    """Media received of a mixed stream."""
    gap_ms: Annotated[int, Meta(ge=0)] = 0
    """Answered time not heard on both sides."""
    detail: str = ""
    """A short code for the reason, never free text from outside."""


class CallRecording(Struct, frozen=True, kw_only=True):
    """A finished recording."""

    call_id: Annotated[str, Meta(min_length=1)]
    """The call: RingCentral's telephonySessionId, opaque."""
    uri: str
    """File path or object address."""
    layout: Literal["stereo", "mixed"]
    """Agent left and customer right, or one mixed channel."""
    format: Literal["flac", "wav"] = "flac"
    """Container."""
    sample_rate_hz: int = 8000
    """Samples a second."""
    channels: int = 2
    """1 or 2."""
    duration_ms: Annotated[int, Meta(ge=0)]
    """Length."""
    gap_ms: Annotated[int, Meta(ge=0)] = 0
    """Silence that stands for missing audio."""
    sha256: str = ""
    """Of the file."""
    at: Annotated[datetime, Meta(tz=True)]
    """When it was closed. RFC 3339, UTC."""
    legs: tuple[str, ...] = ()
    """Legs in it."""
    muted: tuple[MutedSpan, ...] = ()
    """What is silent in it because the transcript hid what was said there, or has not heard it."""


class CallState(Struct, frozen=True, kw_only=True):
    """The latest snapshot of a call, for whoever joins late."""

    call_id: Annotated[str, Meta(min_length=1)]
    """The call: RingCentral's telephonySessionId, opaque."""
    status: Literal["ringing", "answered", "held", "parked", "ended"]
    """Where the call stands."""
    updated_at: Annotated[datetime, Meta(tz=True)]
    """When it changed. RFC 3339, UTC."""
    direction: Literal["inbound", "outbound", "internal", "unknown"] = "unknown"
    """From the company's side."""
    agent_extension_id: str = ""
    """The monitored agent."""
    agent_party_id: str = ""
    """The agent's party."""
    customer_party_id: str = ""
    """The other side's party."""
    queue_call: bool = False
    """Came through a queue."""
    participants: Annotated[int, Meta(ge=0)] = 0
    """Parties on the call, supervisors not counted."""
    started_at: Annotated[datetime, Meta(tz=True)] | None = None
    """First seen."""
    answered_at: Annotated[datetime, Meta(tz=True)] | None = None
    """Agent answered."""
    ended_at: Annotated[datetime, Meta(tz=True)] | None = None
    """Ended."""
    supervision: Literal["none", "pending", "party", "session", "failed"] = "none"
    """What is heard of it now."""
    supervisor_extension_id: str = ""
    """The supervisor identity in use."""
    device_id: str = ""
    """The supervisor's device in use."""
    last_sequence: int = -1
    """Newest notification taken in."""


class CallSummary(Struct, frozen=True, kw_only=True):
    """One row a call, for analysts."""

    call_id: Annotated[str, Meta(min_length=1)]
    """The call: RingCentral's telephonySessionId, opaque."""
    at: Annotated[datetime, Meta(tz=True)]
    """When it was made. RFC 3339, UTC."""
    agent_extension_id: str = ""
    """The agent."""
    direction: Literal["inbound", "outbound", "internal", "unknown"] = "unknown"
    """From the company's side."""
    started_at: Annotated[datetime, Meta(tz=True)] | None = None
    """Answered."""
    ended_at: Annotated[datetime, Meta(tz=True)] | None = None
    """Ended."""
    duration_ms: Annotated[int, Meta(ge=0)] = 0
    """Answered to ended."""
    outcome: str = ""
    """The terminal reason of the call's lifecycle."""
    reason_for_call: str = ""
    """The customer's own words, redacted."""
    summary: str = ""
    """Built from the call itself."""
    categories: tuple[str, ...] = ()
    """Categories seen."""
    agent_sentiment: float = 0
    """Mean, -1 to 1."""
    customer_sentiment: float = 0
    """Mean, -1 to 1."""
    agent_talk_ms: Annotated[int, Meta(ge=0)] = 0
    """Agent speaking."""
    customer_talk_ms: Annotated[int, Meta(ge=0)] = 0
    """Customer speaking."""
    overtalk_ms: Annotated[int, Meta(ge=0)] = 0
    """Both at once."""
    silence_ms: Annotated[int, Meta(ge=0)] = 0
    """Neither."""
    utterances: Annotated[int, Meta(ge=0)] = 0
    """Finals."""
    words: Annotated[int, Meta(ge=0)] = 0
    """Words."""
    suggestions: Annotated[int, Meta(ge=0)] = 0
    """Made."""
    suggestions_accepted: Annotated[int, Meta(ge=0)] = 0
    """Accepted."""
    alerts: Annotated[int, Meta(ge=0)] = 0
    """Raised."""
    transcript_complete: bool = False
    """Every leg was wholly transcribed."""
    agent_interruptions: Annotated[int, Meta(ge=0)] = 0
    """How often the agent began while the customer spoke and went on."""
    customer_interruptions: Annotated[int, Meta(ge=0)] = 0
    """How often the customer began while the agent spoke and went on."""
    longest_silence_ms: Annotated[int, Meta(ge=0)] = 0
    """The longest stretch in which neither spoke, holds left out."""
    holds: Annotated[int, Meta(ge=0)] = 0
    """How often the call was held."""
    hold_ms: Annotated[int, Meta(ge=0)] = 0
    """On hold."""
    agent_words_per_minute: Annotated[int, Meta(ge=0)] = 0
    """The agent's pace while speaking."""
    customer_words_per_minute: Annotated[int, Meta(ge=0)] = 0
    """The customer's pace while speaking."""
    agent_longest_monologue_ms: Annotated[int, Meta(ge=0)] = 0
    """Longest stretch of the agent's talk that the customer did not break."""
    customer_longest_monologue_ms: Annotated[int, Meta(ge=0)] = 0
    """Longest stretch of the customer's talk that the agent did not break."""
    timeline: tuple[TimelineSpan, ...] = ()
    """Holds, overtalk of a second or more, silences of five seconds or more, in order."""
    sentiment_course: tuple[SentimentPoint, ...] = ()
    """Both sides' sentiment over the call, in at most twenty stretches."""
    customer_sentiment_opening: Annotated[float, Meta(ge=-1, le=1)] = 0
    """Mean of the customer's first third."""
    customer_sentiment_closing: Annotated[float, Meta(ge=-1, le=1)] = 0
    """Mean of the customer's last third."""
    steps: tuple[str, ...] = ()
    """What the agent did, redacted."""
    promises: tuple[str, ...] = ()
    """What the agent promised, redacted."""
    open_points: tuple[str, ...] = ()
    """Questions and problems of the customer that found no answer, redacted."""
    result: Literal["resolved", "follow_up", "unresolved", "transferred", "unknown"] = "unknown"
    """How it stands at the end."""
    summary_writer: Literal["call", "model"] = "call"
    """`call`: sentences of the call itself; `model`: worded by a language model from them."""
    transferred_from: str = ""
    """The call that was transferred into this one."""
    transferred_to: str = ""
    """The call that this one was transferred into."""
    checklist: tuple[ChecklistStep, ...] = ()
    """The steps of the checklist as they stood at the end."""
    checklist_done: Annotated[int, Meta(ge=0)] = 0
    """Steps taken."""
    checklist_steps: Annotated[int, Meta(ge=0)] = 0
    """Steps that applied."""
    suggestions_shown: Annotated[int, Meta(ge=0)] = 0
    """Shown on a screen."""
    suggestions_dismissed: Annotated[int, Meta(ge=0)] = 0
    """Dismissed."""
    acceptance: tuple[Acceptance, ...] = ()
    """What became of the suggestions, by article and rule."""
    alerts_raised: tuple[RaisedAlert, ...] = ()
    """Which alerts."""


class ChecklistStep(Struct, frozen=True, kw_only=True):
    """A step that the agent should take in the call, ticked by what is said."""

    step: Annotated[str, Meta(min_length=1)]
    """The step's id in the rules file."""
    title: str = ""
    """As it is shown."""
    status: Literal["open", "done", "missed"]
    """`missed`: its time ran out before it was said; it may still turn `done`."""
    at: Annotated[datetime, Meta(tz=True)] | None = None
    """When it was ticked or missed. RFC 3339, UTC."""
    at_ms: int | None = None
    """The same on the call's media clock."""
    utterance_id: str = ""
    """What ticked it."""
    rule: str = ""
    """The rule that ticked it."""


class Citation(Struct, frozen=True, kw_only=True):
    """A passage of the knowledge base or a rule."""

    source: str
    """File or rule."""
    title: str
    """Article."""
    passage: str
    """Quoted."""
    url: str = ""
    """Link."""
    section: str = ""
    """Heading of the passage within the article."""


class Dynamics(Struct, frozen=True, kw_only=True):
    """How the talk is shared."""

    agent_talk_ms: Annotated[int, Meta(ge=0)] = 0
    """Agent speaking."""
    customer_talk_ms: Annotated[int, Meta(ge=0)] = 0
    """Customer speaking."""
    overtalk_ms: Annotated[int, Meta(ge=0)] = 0
    """Both at once."""
    silence_ms: Annotated[int, Meta(ge=0)] = 0
    """Neither."""
    agent_share: Annotated[float, Meta(ge=0, le=1)] = 0
    """0 to 1 of all talk."""
    customer_share: Annotated[float, Meta(ge=0, le=1)] = 0
    """0 to 1 of all talk."""
    agent_interruptions: Annotated[int, Meta(ge=0)] = 0
    """How often the agent began while the customer spoke and went on."""
    customer_interruptions: Annotated[int, Meta(ge=0)] = 0
    """How often the customer began while the agent spoke and went on."""
    longest_silence_ms: Annotated[int, Meta(ge=0)] = 0
    """The longest stretch in which neither spoke, holds left out."""
    holds: Annotated[int, Meta(ge=0)] = 0
    """How often the call was held."""
    hold_ms: Annotated[int, Meta(ge=0)] = 0
    """On hold."""
    agent_words_per_minute: Annotated[int, Meta(ge=0)] = 0
    """The agent's pace while speaking."""
    customer_words_per_minute: Annotated[int, Meta(ge=0)] = 0
    """The customer's pace while speaking."""
    agent_longest_monologue_ms: Annotated[int, Meta(ge=0)] = 0
    """Longest stretch of the agent's talk that the customer did not break."""
    customer_longest_monologue_ms: Annotated[int, Meta(ge=0)] = 0
    """Longest stretch of the customer's talk that the agent did not break."""
    timeline: tuple[TimelineSpan, ...] = ()
    """Holds, overtalk of a second or more, silences of five seconds or more, in order."""


class Engine(Struct, frozen=True, kw_only=True):
    """What wrote it down."""

    name: str
    """Engine."""
    model: str
    """Weights."""
    version: str = ""
    """What ran the weights, and its version."""


class GroupMembership(Struct, frozen=True, kw_only=True):
    """A membership of one monitoring group."""

    group_id: Annotated[str, Meta(min_length=1)]
    """Group."""
    group_name: str = ""
    """Group name."""
    permissions: tuple[Literal["monitored", "monitoring"], ...]
    """What the member may do or have done to it."""


class InsightsTimer(Struct, frozen=True, kw_only=True):
    """A call's moment has come (its grace after the end is over, a rule's time has run out, it may be forgotten), what another call hands on to it, or what a language model replied. Internal: written and read by insights alone."""

    timer_id: Annotated[str, Meta(min_length=1)]
    """Call and moment."""
    call_id: Annotated[str, Meta(min_length=1)]
    """The call: RingCentral's telephonySessionId, opaque."""
    at: Annotated[datetime, Meta(tz=True)]
    """When it was found due. RFC 3339, UTC."""
    summary: CallDigest | None = None
    """The summary so far of the call that was transferred into this one."""
    handed_on_from: str = ""
    """That call."""
    wording: Wording | None = None
    """The reply of a language model, or that none came in time."""


class MediaDevice(Struct, frozen=True, kw_only=True):
    """A soft phone of the media gateway: registered or not, and how many more legs it takes."""

    device_id: Annotated[str, Meta(min_length=1)]
    """RingCentral's device id."""
    supervisor_extension_id: str = ""
    """Extension that owns the device."""
    online: bool
    """Registered and accepting."""
    free_slots: Annotated[int, Meta(ge=0)]
    """Legs that it can still take."""
    slots: Annotated[int, Meta(ge=0)] = 0
    """Legs that it takes in all."""
    updated_at: Annotated[datetime, Meta(tz=True)]
    """When. RFC 3339, UTC."""
    reason: str = ""
    """Why it is offline: a short code."""


class MediaLeg(Struct, frozen=True, kw_only=True):
    """A leg's life on the gateway."""

    event_id: Annotated[str, Meta(min_length=1)]
    """Leg and step."""
    call_id: Annotated[str, Meta(min_length=1)]
    """The call: RingCentral's telephonySessionId, opaque."""
    leg_id: Annotated[str, Meta(min_length=1)]
    """One supervised audio stream: `<party_id>~<8 hex of the SIP Call-ID>`."""
    type: Literal["invited", "up", "gap", "down"]
    """What happened: `up` is the first decodable RTP."""
    at: Annotated[datetime, Meta(tz=True)]
    """When. RFC 3339, UTC."""
    party_id: str = ""
    """The monitored party, from the INVITE; empty where it did not say."""
    role: Literal["agent", "customer", "mixed", "unknown"] = "unknown"
    """Who speaks: right, or declared unknown; never guessed. `mixed` is a session-supervised stream."""
    role_source: Literal["party_supervision", "session_supervision", "unknown"] = "unknown"
    """How the role is known: the monitored party of a supervision request that this leg answers, the session-level request, or not at all."""
    device_id: str = ""
    """Device that answered."""
    supervisor_party_id: str = ""
    """Our own party, from the INVITE."""
    epoch: Annotated[datetime, Meta(tz=True)] | None = None
    """Zero of the call's media clock: the wall clock of the call's first RTP packet."""
    media_time_ms: Annotated[int, Meta(ge=0)] = 0
    """Where on the media clock."""
    gap_ms: Annotated[int, Meta(ge=0)] = 0
    """With `gap`: how much is missing."""
    reason: str = ""
    """With `gap` and `down`: a short code such as bye, rtp_timeout, worker_died, shutdown, packet_loss."""
    packets_received: Annotated[int, Meta(ge=0)] = 0
    """RTP packets taken."""
    packets_lost: Annotated[int, Meta(ge=0)] = 0
    """Never came, or too late."""
    packets_late: Annotated[int, Meta(ge=0)] = 0
    """Came after their place had been given up."""
    packets_duplicate: Annotated[int, Meta(ge=0)] = 0
    """Came twice."""
    received_ms: Annotated[int, Meta(ge=0)] = 0
    """Audio published."""
    lost_ms: Annotated[int, Meta(ge=0)] = 0
    """Audio missing between the first and the last packet."""


class MutedSpan(Struct, frozen=True, kw_only=True):
    """A muted stretch of one leg."""

    leg_id: str
    """The leg."""
    type: Literal[
        "payment_card",
        "bank_account",
        "iban",
        "social_security",
        "tax_number",
        "phone",
        "email",
        "date_of_birth",
        "other",
        "untranscribed",
    ]
    """What was said, as in an utterance's redactions; `untranscribed`: nobody knows."""
    start_ms: Annotated[int, Meta(ge=0)]
    """Start on the call's media clock."""
    end_ms: Annotated[int, Meta(ge=0)]
    """Until when."""


class RaisedAlert(Struct, frozen=True, kw_only=True):
    """An alert that was raised in the call."""

    rule: str
    """Rule that fired."""
    category: str = ""
    """Its category."""
    severity: Literal["info", "warning", "critical"]
    """How much."""
    at_ms: Annotated[int, Meta(ge=0)] = 0
    """When, on the call's media clock."""


class Redaction(Struct, frozen=True, kw_only=True):
    """A span that was hidden."""

    type: Literal[
        "payment_card",
        "bank_account",
        "iban",
        "social_security",
        "tax_number",
        "phone",
        "email",
        "date_of_birth",
        "other",
    ]
    """What it was."""
    start: Annotated[int, Meta(ge=0)]
    """First character of its mark in `text`."""
    end: Annotated[int, Meta(ge=0)]
    """One past the last."""
    start_ms: Annotated[int, Meta(ge=0)] = 0
    """Where it was spoken."""
    end_ms: Annotated[int, Meta(ge=0)] = 0
    """Until when."""


class RosterEntry(Struct, frozen=True, kw_only=True):
    """An extension of the monitoring groups: whether it may be monitored, whether it may monitor, and in which groups. A tombstone removes it."""

    extension_id: Annotated[str, Meta(min_length=1)]
    """The extension."""
    extension_number: str = ""
    """Short number."""
    name: str = ""
    """Display name."""
    groups: tuple[GroupMembership, ...]
    """Memberships; both permissions may sit on one."""
    updated_at: Annotated[datetime, Meta(tz=True)]
    """When it was read. RFC 3339, UTC."""


class SentimentPoint(Struct, frozen=True, kw_only=True):
    """The feeling of one side over a stretch of the call."""

    role: Literal["agent", "customer"]
    """Whose."""
    start_ms: Annotated[int, Meta(ge=0)]
    """Start on the call's media clock."""
    end_ms: Annotated[int, Meta(ge=0)]
    """End on the call's media clock."""
    sentiment: Annotated[float, Meta(ge=-1, le=1)]
    """Mean of its utterances, -1 to 1."""


class SessionParty(Struct, frozen=True, kw_only=True):
    """A party as the session status tells it."""

    party_id: Annotated[str, Meta(min_length=1)]
    """Party."""
    extension_id: str = ""
    """Extension; empty for an outside number."""
    direction: str = ""
    """As RingCentral tells it."""
    status: str
    """Status code."""
    reason: str = ""
    """Status reason."""


class Suggestion(Struct, frozen=True, kw_only=True):
    """Help for the agent, traceable to what was said and to where it stands written."""

    suggestion_id: Annotated[str, Meta(min_length=1)]
    """Derived from call, utterance and source."""
    call_id: Annotated[str, Meta(min_length=1)]
    """The call: RingCentral's telephonySessionId, opaque."""
    kind: Literal["knowledge", "rule"]
    """A passage of the knowledge base, or the advice of a rule."""
    title: str = ""
    """Short."""
    text: str
    """What to say or do."""
    confidence: Annotated[float, Meta(ge=0, le=1)] = 0
    """0 to 1: how often a suggestion of this score fits, measured on labelled turns; 1 for a rule's."""
    citations: Annotated[tuple[Citation, ...], Meta(min_length=1)]
    """Where it stands written; at least one."""
    source_utterance_ids: tuple[str, ...]
    """What prompted it."""
    created_at: Annotated[datetime, Meta(tz=True)]
    """When. RFC 3339, UTC."""
    expires_at: Annotated[datetime, Meta(tz=True)]
    """Of no use after. RFC 3339, UTC."""
    latency_ms: Annotated[int, Meta(ge=0)] = 0
    """From the utterance's publication."""
    rule: str = ""
    """With `rule`: which."""
    at_ms: Annotated[int, Meta(ge=0)] = 0
    """Start of the utterance that prompted it, on the call's media clock."""
    writer: Literal["source", "model"] = "source"
    """`source`: the text is quoted from the citations; `model`: a language model worded it from the cited passages alone."""


class SuggestionFeedback(Struct, frozen=True, kw_only=True):
    """What became of a suggestion on a screen."""

    feedback_id: Annotated[str, Meta(min_length=1)]
    """Unique."""
    suggestion_id: Annotated[str, Meta(min_length=1)]
    """Which."""
    call_id: Annotated[str, Meta(min_length=1)]
    """The call: RingCentral's telephonySessionId, opaque."""
    action: Literal["shown", "accepted", "dismissed"]
    """What."""
    reason: str = ""
    """A short code with `dismissed`: not_relevant, wrong, already_known, too_late, other."""
    by: str = ""
    """Extension or subject of the token."""
    at: Annotated[datetime, Meta(tz=True)]
    """When. RFC 3339, UTC."""


class SupervisionEvent(Struct, frozen=True, kw_only=True):
    """A step in getting a call's audio. `requested` is published before RingCentral is asked, so that the media gateway knows what an INVITE will be for."""

    event_id: Annotated[str, Meta(min_length=1)]
    """Derived from call, party, attempt and step."""
    call_id: Annotated[str, Meta(min_length=1)]
    """The call: RingCentral's telephonySessionId, opaque."""
    type: Literal["requested", "accepted", "invite_received", "media_up", "degraded", "retrying", "failed", "ended"]
    """The step."""
    at: Annotated[datetime, Meta(tz=True)]
    """When. RFC 3339, UTC."""
    mode: Literal["party", "session"] = "party"
    """One party's voice, or the whole session mixed."""
    party_id: str = ""
    """The monitored party; empty for a session."""
    role: Literal["agent", "customer", "mixed", "unknown"] = "unknown"
    """Who speaks: right, or declared unknown; never guessed. `mixed` is a session-supervised stream."""
    agent_extension_id: str = ""
    """The monitored agent."""
    queue_id: str = ""
    """Extension id of the queue by which the call came, of those that SUPERVISION_ORCHESTRATOR_KNOWN_QUEUES and SUPERVISION_ORCHESTRATOR_QUEUES name; empty otherwise."""
    supervisor_extension_id: str = ""
    """The supervisor identity."""
    device_id: str = ""
    """The supervisor's device."""
    supervisor_party_id: str = ""
    """With `accepted`: the party that RingCentral made for the supervisor."""
    leg_id: str = ""
    """With `media_up` and `ended`: the leg."""
    attempt: Annotated[int, Meta(ge=0)] = 0
    """1 for the first request."""
    reason: str = ""
    """A short code: an HTTP status and error code, rate_limited, no_invite, no_rtp, call_ended and others."""


class SupervisionReply(Struct, frozen=True, kw_only=True):
    """What an effect of the orchestrator came back with: a REST reply or a timer that is due. Internal: written and read by the orchestrator alone."""

    reply_id: Annotated[str, Meta(min_length=1)]
    """Names the effect that it answers."""
    call_id: Annotated[str, Meta(min_length=1)]
    """The call: RingCentral's telephonySessionId, opaque."""
    kind: Literal["session_read", "session_gone", "accepted", "refused", "timer"]
    """What came back."""
    at: Annotated[datetime, Meta(tz=True)]
    """When. RFC 3339, UTC."""
    party_id: str = ""
    """The monitored party asked for."""
    attempt: Annotated[int, Meta(ge=0)] = 0
    """Which try."""
    supervisor_extension_id: str = ""
    """The supervisor whose request this answers."""
    supervisor_party_id: str = ""
    """With `accepted`."""
    status: int = 0
    """HTTP status; 0 when there was none."""
    error_code: str = ""
    """RingCentral's error code."""
    retry_after_ms: Annotated[int, Meta(ge=0)] = 0
    """Wait at least so long."""
    retryable: bool = False
    """Whether another try can help."""
    timer: str = ""
    """With `timer`: its name."""
    parties: tuple[SessionParty, ...] = ()
    """With `session_read`: the session's parties."""


class TelephonyEndpoint(Struct, frozen=True, kw_only=True):
    """One end of the party's connection."""

    phone_number: str = field(default="", name="phoneNumber")
    """Number, E.164 or short."""
    name: str = ""
    """Display name."""
    extension_id: str = field(default="", name="extensionId")
    """Extension."""
    device_id: str = field(default="", name="deviceId")
    """Device."""


class TelephonyEvent(Struct, frozen=True, kw_only=True):
    """A telephony session notification as RingCentral sent it, with the time of receipt. Inside `notification` the field names are RingCentral's."""

    event_id: Annotated[str, Meta(min_length=1)]
    """The notification's uuid; made from session, party, status and time when hydrated by REST. Duplicates carry the same id."""
    source: Literal["websocket", "webhook", "presence", "rest"]
    """How it reached us: websocket and webhook as RingCentral sent it; presence and rest as read by REST, after a presence event or to close a gap."""
    received_at: Annotated[datetime, Meta(tz=True)]
    """When the ingestor received it. RFC 3339, UTC."""
    notification: TelephonyNotification
    after_the_fact: bool = False
    """Read from the call log after the call had ended: times are rough, and `parties[].id` is not RingCentral's."""


class TelephonyNotification(Struct, frozen=True, kw_only=True):
    """RingCentral's envelope."""

    uuid: str
    """Unique per notification."""
    event: str
    """The event filter that matched."""
    timestamp: str
    """When RingCentral sent it."""
    subscription_id: str = field(default="", name="subscriptionId")
    """The subscription that delivered it."""
    owner_id: str = field(default="", name="ownerId")
    """Extension that owns the subscription."""
    body: TelephonySessionBody


class TelephonyOrigin(Struct, frozen=True, kw_only=True):
    """How the session began."""

    type: str = "Call"
    """Call, RingOut, Conference and others."""


class TelephonyParty(Struct, frozen=True, kw_only=True):
    """A participant of the session."""

    id: Annotated[str, Meta(min_length=1)]
    """Party id."""
    account_id: str = field(default="", name="accountId")
    """Account."""
    extension_id: str = field(default="", name="extensionId")
    """Extension of the party; empty for an outside number."""
    direction: str = ""
    """Inbound is from RingCentral towards an endpoint."""
    from_: TelephonyEndpoint | None = field(default=None, name="from")
    to: TelephonyEndpoint | None = None
    status: TelephonyStatus
    missed_call: bool = field(default=False, name="missedCall")
    """Missed."""
    stand_alone: bool = field(default=False, name="standAlone")
    """Party has no peer."""
    muted: bool = False
    """Muted."""
    queue_call: bool = field(default=False, name="queueCall")
    """Came through a queue."""
    conference_role: str = field(default="", name="conferenceRole")
    """Host or Participant in a conference."""


class TelephonyPeer(Struct, frozen=True, kw_only=True):
    """Where a party that is Gone went."""

    session_id: str = field(default="", name="sessionId")
    """Session."""
    telephony_session_id: str = field(default="", name="telephonySessionId")
    """Session, telephony id."""
    party_id: str = field(default="", name="partyId")
    """Party."""


class TelephonySessionBody(Struct, frozen=True, kw_only=True):
    """The session's change."""

    sequence: int = -1
    """Orders the changes of a session; absent (-1) when hydrated by REST."""
    session_id: str = field(default="", name="sessionId")
    """Legacy session id."""
    telephony_session_id: Annotated[str, Meta(min_length=1)] = field(name="telephonySessionId")
    """The call."""
    server_id: str = field(default="", name="serverId")
    """Telephony server."""
    event_time: str = field(default="", name="eventTime")
    """When it happened at RingCentral."""
    parties: tuple[TelephonyParty, ...]
    """The parties that changed; in practice one."""
    origin: TelephonyOrigin | None = None


class TelephonyStatus(Struct, frozen=True, kw_only=True):
    """The party's state. Codes and reasons stay open strings: RingCentral adds new ones."""

    code: Annotated[str, Meta(min_length=1)]
    """Setup, Proceeding, Answered, Disconnected, Gone, Parked, Hold, VoiceMail and others."""
    reason: str = ""
    """Why, where given."""
    rcc: bool = False
    """Remote call control."""
    peer_id: TelephonyPeer | None = field(default=None, name="peerId")


class TimelineSpan(Struct, frozen=True, kw_only=True):
    """A stretch of the call in which something other than ordinary talk went on."""

    kind: Literal["hold", "overtalk", "silence"]
    """What."""
    start_ms: Annotated[int, Meta(ge=0)]
    """Start on the call's media clock."""
    end_ms: Annotated[int, Meta(ge=0)]
    """End on the call's media clock; the newest moment known while a hold lasts."""


class Timing(Struct, frozen=True, kw_only=True):
    """Wall clock on the way, for latency."""

    audio_end: Annotated[datetime, Meta(tz=True)]
    """When the last audio used here was captured. RFC 3339, UTC."""
    decoded: Annotated[datetime, Meta(tz=True)]
    """Decoder done. RFC 3339, UTC."""
    published: Annotated[datetime, Meta(tz=True)]
    """Handed to the broker. RFC 3339, UTC."""


class TranscriptLeg(Struct, frozen=True, kw_only=True):
    """A leg's transcript is whole: no more finals follow."""

    call_id: Annotated[str, Meta(min_length=1)]
    """The call: RingCentral's telephonySessionId, opaque."""
    leg_id: Annotated[str, Meta(min_length=1)]
    """One supervised audio stream: `<party_id>~<8 hex of the SIP Call-ID>`."""
    role: Literal["agent", "customer", "mixed", "unknown"] = "unknown"
    """Who speaks: right, or declared unknown; never guessed. `mixed` is a session-supervised stream."""
    status: Literal["complete", "timed_out", "failed"]
    """How it ended: by the end marker, by silence of the source, or by audio that could not be read."""
    at: Annotated[datetime, Meta(tz=True)]
    """When. RFC 3339, UTC."""
    utterances: Annotated[int, Meta(ge=0)] = 0
    """Finals published."""
    words: Annotated[int, Meta(ge=0)] = 0
    """Words in them."""
    audio_ms: Annotated[int, Meta(ge=0)] = 0
    """Audio taken in."""
    gap_ms: Annotated[int, Meta(ge=0)] = 0
    """Audio missing."""
    unreadable_chunks: Annotated[int, Meta(ge=0)] = 0
    """Chunks that could not be read and are on the dead-letter topic; their audio counts as missing."""
    reason: str = ""
    """A short code: `decode_failed`; `unreadable_audio` where some chunks could not be read; where none could, why, as the dead letters say it."""


class Utterance(Struct, frozen=True, kw_only=True):
    """What one speaker said without a longer pause. A partial is superseded by a higher revision of the same utterance; a final is never changed. The text is redacted."""

    call_id: Annotated[str, Meta(min_length=1)]
    """The call: RingCentral's telephonySessionId, opaque."""
    leg_id: Annotated[str, Meta(min_length=1)]
    """One supervised audio stream: `<party_id>~<8 hex of the SIP Call-ID>`."""
    party_id: str = ""
    """The party that spoke."""
    role: Literal["agent", "customer", "mixed", "unknown"]
    """Who speaks: right, or declared unknown; never guessed. `mixed` is a session-supervised stream."""
    role_source: Literal["party_supervision", "session_supervision", "unknown"] = "unknown"
    """How the role is known: the monitored party of a supervision request that this leg answers, the session-level request, or not at all."""
    extension_id: str = ""
    """Extension of the speaker; empty for an outside number."""
    utterance_id: Annotated[str, Meta(min_length=1)]
    """`<leg_id>@<start_ms>`: a replay makes the same id."""
    revision: Annotated[int, Meta(ge=0)]
    """0, 1, 2 …; the final has the highest."""
    is_final: bool
    """The text will not change."""
    end_of_turn: bool = False
    """The speaker has stopped, not just paused."""
    start_ms: Annotated[int, Meta(ge=0)]
    """Start on the call's media clock."""
    end_ms: Annotated[int, Meta(ge=0)]
    """End on the call's media clock."""
    audio_start_utc: Annotated[datetime, Meta(tz=True)] | None = None
    """Wall clock of start_ms."""
    text: str
    """Redacted; numbers, dates, amounts and spelled names written as people write them."""
    spoken_text: str = ""
    """The same words as they were spoken, redacted alike, where they are written otherwise in `text`; else empty."""
    words: tuple[Word, ...] = ()
    """Words of `text`, redacted alike."""
    confidence: Annotated[float, Meta(ge=0, le=1)] = 0
    """0 to 1."""
    language: str = "en"
    """BCP 47."""
    redactions: tuple[Redaction, ...] = ()
    """What was hidden."""
    gap_before_ms: Annotated[int, Meta(ge=0)] = 0
    """Audio missing right before or inside."""
    engine: Engine
    timing: Timing


class Word(Struct, frozen=True, kw_only=True):
    """A word with its time on the call's media clock."""

    text: str
    """As written in the utterance."""
    start_ms: Annotated[int, Meta(ge=0)]
    """Start."""
    end_ms: Annotated[int, Meta(ge=0)]
    """End."""
    confidence: Annotated[float, Meta(ge=0, le=1)] = 0
    """0 to 1."""


class Wording(Struct, frozen=True, kw_only=True):
    """What a language model made of what it was given."""

    about: str
    """The suggestion or summary."""
    text: str = ""
    """Its wording; empty: of no use."""
    cited: tuple[str, ...] = ()
    """Numbers of what it draws on, among what it was given."""
