"""Replay stored errors to a configuration, and count what it would have done."""
