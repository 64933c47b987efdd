"""The chassis's metrics: names that dashboards rely on. A service adds its own beside its code."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

CONSUMED = Counter("earshot_records_consumed_total", "Records taken from a topic.", ["topic"])
PUBLISHED = Counter("earshot_records_published_total", "Records acknowledged by the broker.", ["topic"])
PUBLISH_FAILED = Counter("earshot_publish_failed_total", "Records that the broker never acknowledged.", ["topic"])
ABORTED = Counter("earshot_transactions_aborted_total", "Transactions that were aborted and tried again.")
DEAD_LETTERED = Counter("earshot_dead_letters_total", "Records that could not be read.", ["topic", "reason"])
RETRIED = Counter("earshot_retries_total", "Handler calls repeated after a transient error.", ["topic"])
HANDLE_SECONDS = Histogram("earshot_handle_seconds", "Time to handle a record.", ["topic"])
READY = Gauge("earshot_ready", "1 when every component is ready.")
