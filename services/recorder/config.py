"""Settings of the recorder."""

from __future__ import annotations

from pydantic import Field

from services.chassis.settings import ServiceSettings


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
