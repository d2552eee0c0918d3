"""Errors on a page: a Flask blueprint."""
