"""Tests of recovery: real databases, really damaged; real processes, really killed."""
