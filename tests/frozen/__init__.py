"""Installations as released versions leave them."""
