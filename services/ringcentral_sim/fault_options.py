"""Faults as options: the body of POST /sim/faults, which RINGCENTRAL_SIM_FAULTS takes as well."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.ringcentral_sim.domain.errors import ErrorShape
from services.ringcentral_sim.domain.faults import Dose, Faults, InviteFault, Kind
from services.ringcentral_sim.domain.ports import MonitoringHeaders


class DoseOption(BaseModel):
    """See `domain.faults.Dose`; times in simulated seconds since it was switched on."""

    model_config = ConfigDict(extra="forbid")

    share: float = Field(1.0, ge=0, le=1)
    from_s: float = Field(0.0, ge=0)
    to_s: float = Field(math.inf, gt=0)
    every_s: float = Field(math.inf, gt=0)
    for_s: float = Field(math.inf, gt=0)

    def dose(self) -> Dose:
        """As the domain has it."""
        return Dose(share=self.share, from_s=self.from_s, to_s=self.to_s, every_s=self.every_s, for_s=self.for_s)


class FaultOptions(BaseModel):
    """Only what is named changes.

    A chance is a share (0.02), a dose ({"every_s": 600, "for_s": 10}), or null for off.
    """

    model_config = ConfigDict(extra="forbid")

    monitoring_headers: MonitoringHeaders | None = None
    invite: InviteFault | None = None
    invite_late_s: float | None = Field(None, ge=0)
    late_offer: bool | None = None
    two_media_lines: bool | None = None
    offline_devices: frozenset[str] | None = None
    stolen_devices: frozenset[str] | None = None
    disabled_filters: frozenset[str] | None = None
    error_shape: ErrorShape | None = None
    event_reorder_s: float | None = Field(None, ge=0)
    slow_s: float | None = Field(None, ge=0)
    chances: dict[Kind, Annotated[float, Field(ge=0, le=1)] | DoseOption | None] = Field(default_factory=dict)


SWITCHES = frozenset(FaultOptions.model_fields) - {"chances"}


def apply(options: FaultOptions, faults: Faults, now: float) -> None:
    """Change the switches that are named and (re)start the chances that are."""
    for name, value in options.model_dump(include=set(SWITCHES), exclude_none=True).items():
        setattr(faults, name, value)
    for kind, chance in options.chances.items():
        match chance:
            case None:
                faults.dose(kind, None, now)
            case DoseOption():
                faults.dose(kind, chance.dose(), now)
            case share:
                faults.dose(kind, Dose(share=share) if share > 0 else None, now)
