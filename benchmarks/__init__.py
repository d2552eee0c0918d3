"""Measurements against the standard library and others; ``make bench`` runs all of them."""
