"""Earshot's services: `python -m services.NAME`; they meet only on Kafka topics."""
