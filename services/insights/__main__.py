"""Learns from what is said while it is said: sentiment, categories, alerts, how the talk is shared, passages of the
knowledge base when the customer asks something, and one summary a call at its end.

Reads transcripts.final, transcripts.legs, calls.lifecycle and assist.feedback; writes assist.suggestions,
calls.insights, alerts and calls.summary.
"""

from __future__ import annotations

import sys

from services.chassis.service import run
from services.insights.app import main
from services.insights.config import InsightsSettings

if __name__ == "__main__":
    sys.exit(run("insights", InsightsSettings, main, about=__doc__ or ""))
