"""Extensions that RingCentral does not let us watch, although it was asked to: told by log, health and metric."""

from __future__ import annotations

import structlog

from services.chassis.health import Health
from services.event_ingestor.adapters import metrics
from services.event_ingestor.domain.filters import Disabled

log = structlog.get_logger()


def report_unserved(health: Health, number: int, filters: Disabled) -> None:
    """What a subscription leaves out, by its number; nothing: all is well."""
    metrics.DISABLED_FILTERS.labels(str(number)).set(len(filters))
    if not filters:
        health.ready(_component(number))
        return
    for extension_id, reason in filters:
        log.warning("filter_disabled", extension_id=extension_id, reason=reason)
    health.waiting(_component(number), f"{len(filters)} extensions are not delivered: {filters[0][1]}")


def withdraw(health: Health, number: int) -> None:
    """The subscription is gone."""
    metrics.DISABLED_FILTERS.labels(str(number)).set(0)
    health.ready(_component(number))


def _component(number: int) -> str:
    return "filters" if number == 1 else f"filters_{number}"
