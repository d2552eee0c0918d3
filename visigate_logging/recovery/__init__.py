"""Mending faults: whether (policy), in a child process (runner), by what (steps)."""
