"""What dashboards see of the ingestor."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

CONNECTIONS = Counter(
    "earshot_ingestor_connections_total", "WebSocket connections that went live, by how.", ["outcome"]
)
OPEN_FAILED = Counter("earshot_ingestor_open_failed_total", "WebSocket connections that could not be opened.")
EVENTS = Counter("earshot_ingestor_events_total", "Telephony events published.", ["source"])
DUPLICATES = Counter("earshot_ingestor_duplicates_total", "Notifications dropped because they were published before.")
DISABLED_FILTERS = Gauge(
    "earshot_ingestor_disabled_filters", "Extensions that RingCentral does not let us watch.", ["subscription"]
)
WEBHOOKS = Counter(
    "earshot_ingestor_webhooks_total", "Requests to the webhook endpoint, by what came of them.", ["outcome"]
)
RENEWALS = Counter("earshot_ingestor_webhook_subscriptions_total", "Webhook subscriptions, by what was done.", ["step"])
PRESENCE = Counter("earshot_ingestor_presence_total", "Presence notifications, by what they told.", ["outcome"])
MONITORED = Gauge("earshot_ingestor_monitored_extensions", "Extensions whose calls are watched.")
HYDRATIONS = Counter("earshot_ingestor_hydrations_total", "Readings of active calls by REST.", ["outcome"])
CALL_LOG = Counter("earshot_ingestor_call_log_readings_total", "Readings of the call log.", ["outcome"])
