"""The domain's transcripts as records on transcripts.partial, transcripts.final and transcripts.legs.

Here the words get their written form, after the redaction has had its say on what was spoken.
"""

from __future__ import annotations

from datetime import UTC, datetime

from services.chassis.clock import Clock
from services.chassis.publisher import Publisher
from services.contracts import records
from services.contracts.topics import TRANSCRIPTS_FINAL, TRANSCRIPTS_LEGS, TRANSCRIPTS_PARTIAL
from services.transcriber.domain.formatting.writing import write
from services.transcriber.domain.recognition import EngineIdentity
from services.transcriber.domain.transcript import LegFinished, Transcript


class TranscriptWriter:
    """Publishes; the caller flushes or commits."""

    def __init__(
        self, publisher: Publisher, engine: EngineIdentity, clock: Clock, *, partials: Publisher | None = None
    ) -> None:
        """Write for one engine. ``partials`` go another way where one is given: at once, outside transactions."""
        self._publisher = publisher
        self._partials = partials or publisher
        self._engine = records.Engine(name=engine.name, model=engine.model, version=engine.version)
        self._clock = clock

    def write(self, transcript: Transcript) -> None:
        """Publish one revision."""
        record = self._utterance(transcript)
        event_id = f"{record.utterance_id}#{record.revision}"
        if transcript.is_final:
            self._publisher.publish(TRANSCRIPTS_FINAL, record.call_id, record, event_id=event_id)
        else:
            self._partials.publish(TRANSCRIPTS_PARTIAL, record.call_id, record, event_id=event_id)

    def finish(self, finished: LegFinished) -> None:
        """Say that a leg has no more finals."""
        identity, counts = finished.identity, finished.mark
        record = records.TranscriptLeg(
            call_id=identity.call_id,
            leg_id=identity.leg_id,
            role=identity.role.value,
            status=finished.status.value,
            at=self._clock.now(),
            utterances=counts.utterances,
            words=counts.words,
            audio_ms=finished.audio_ms,
            gap_ms=finished.gap_ms,
            unreadable_chunks=counts.unreadable,
            reason=finished.reason,
        )
        event_id = f"{identity.leg_id}/{finished.status.value}"
        self._publisher.publish(TRANSCRIPTS_LEGS, identity.call_id, record, event_id=event_id)

    def _utterance(self, transcript: Transcript) -> records.Utterance:
        identity = transcript.identity
        written = write(transcript.safe, transcript.language, final=transcript.is_final)
        safe = written.safe
        start = transcript.start_wall_ms
        return records.Utterance(
            call_id=identity.call_id,
            leg_id=identity.leg_id,
            party_id=identity.party_id,
            role=identity.role.value,
            role_source=identity.role_source.value,
            utterance_id=transcript.utterance_id,
            revision=transcript.revision,
            is_final=transcript.is_final,
            end_of_turn=transcript.end_of_turn,
            start_ms=transcript.start_ms,
            end_ms=transcript.end_ms,
            audio_start_utc=_utc(start) if start is not None else None,
            text=safe.text,
            spoken_text=written.spoken if written.spoken != safe.text else "",
            words=tuple(
                records.Word(
                    text=word.text,
                    start_ms=word.start_ms,
                    end_ms=word.end_ms,
                    confidence=_unit(word.confidence),
                )
                for word in safe.words
            ),
            confidence=_unit(transcript.confidence),
            language=transcript.language,
            redactions=tuple(
                records.Redaction(
                    type=hidden.secret.value,
                    start=hidden.start,
                    end=hidden.end,
                    start_ms=hidden.start_ms,
                    end_ms=hidden.end_ms,
                )
                for hidden in safe.redactions
            ),
            gap_before_ms=transcript.gap_before_ms,
            engine=self._engine,
            timing=records.Timing(
                audio_end=_utc(transcript.audio_end_wall_ms),
                decoded=_utc(transcript.decoded_wall_ms),
                published=self._clock.now(),
            ),
        )


def _utc(wall_ms: int) -> datetime:
    return datetime.fromtimestamp(wall_ms / 1000, UTC)


def _unit(value: float) -> float:
    return round(min(max(value, 0.0), 1.0), 3)
