"""The transcriber's metrics: names that dashboards and the autoscaler rely on."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_BUCKETS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)

DECODE_SECONDS = Histogram("earshot_decode_seconds", "Time of one decode.", ["kind"], buckets=_BUCKETS)
DECODED_AUDIO_SECONDS = Counter("earshot_decoded_audio_seconds_total", "Audio given to the engine.", ["kind"])
DECODE_BATCH = Histogram("earshot_decode_batch", "Decodes done together.", buckets=(1, 2, 3, 4, 6, 8, 12, 16, 32))
DECODE_FAILED = Counter("earshot_decode_failed_total", "Decodes that raised.")
FULL_WINDOWS = Counter("earshot_full_windows_total", "Decodes that a guard sent to the 30 s window.")
SECOND_LOOKS = Counter(
    "earshot_second_looks_total", "Unsure finals that were decoded again, with more before them or on a longer window."
)
JOBS_WAITING = Gauge("earshot_decode_jobs_waiting", "Decodes in the queue.")
LATENESS_SECONDS = Gauge("earshot_decode_lateness_seconds", "How far the most urgent decode is past its deadline.")
PARTIALS_OFF = Gauge("earshot_partials_off", "1 while partials are left out to keep finals in time.")
MARKS_LEFT_OUT = Counter("earshot_marks_left_out_total", "Legs' progress that did not fit beside a committed offset.")
PARTIALS_THINNED = Gauge("earshot_partials_thinned", "1 while partials are rarer than set, to keep finals in time.")
LEGS = Gauge("earshot_transcribed_legs", "Legs being transcribed.")
TRANSCRIPT_SECONDS = Histogram(
    "earshot_transcript_latency_seconds", "From captured audio to the record.", ["kind"], buckets=_BUCKETS
)
