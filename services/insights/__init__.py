"""Insights: sentiment, categories and alerts, talk dynamics, cited suggestions, a summary at the end."""
