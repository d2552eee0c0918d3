"""Forwarding: what the log has goes to other systems, which may be away for weeks."""
