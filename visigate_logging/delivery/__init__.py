"""Telling administrators: when (throttle), what (message), and how (outbox, sender)."""
