"""Telling subscribers: publisher, WebSocket gateway, webhook delivery."""
