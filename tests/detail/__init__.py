"""Tests of the detail record."""
