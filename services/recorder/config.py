"""Settings of the recorder."""

from __future__ import annotations

from pydantic import Field, field_validator

from services.chassis.settings import ServiceSettings
from services.recorder.domain.muting import read_kinds


class RecorderSettings(ServiceSettings):
    """Read from the environment."""

    destination: str = Field(
        ".run/recordings",
        validation_alias="RECORDER_DESTINATION",
        description="folder, or an address that fsspec knows (s3://bucket/prefix), for finished recordings",
    )
    spool_dir: str = Field(
        ".run/recorder-spool",
        validation_alias="RECORDER_SPOOL_DIR",
        description="local folder for the audio of calls that are still open",
    )
    group: str = Field("earshot-recorder", validation_alias="RECORDER_GROUP", description="consumer group")
    grace_ms: int = Field(
        5_000,
        ge=0,
        validation_alias="RECORDER_GRACE_MS",
        description="after a call has ended, wait so long for legs whose end has not come",
    )
    idle_ms: int = Field(
        120_000,
        ge=1_000,
        validation_alias="RECORDER_IDLE_MS",
        description="close a recording after so long without audio, even if the call's end was never told",
    )
    mute: str = Field(
        "all",
        validation_alias="RECORDER_MUTE",
        description="what is muted where the transcript hid it: all, none, or some of payment_card, bank_account, iban,"
        " social_security, tax_number, phone, email, date_of_birth, other; unless none, a recording is finished once"
        " the transcripts of its legs are",
    )
    mute_margin_ms: int = Field(
        150,
        ge=0,
        le=2_000,
        validation_alias="RECORDER_MUTE_MARGIN_MS",
        description="so much more is muted before and behind: words' times are about a tenth of a second true",
    )
    mute_wait_ms: int = Field(
        600_000,
        ge=0,
        validation_alias="RECORDER_MUTE_WAIT_MS",
        description="wait so long for the transcripts of a finished call; what has none by then is muted",
    )

    @field_validator("mute")
    @classmethod
    def _kinds(cls, value: str) -> str:
        read_kinds(value)
        return value
