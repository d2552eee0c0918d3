"""What the processes of a host agree on: a small SQLite file, a lock, a clock, and counts."""

from visigate_logging.host.clock import Instant, host_seconds
from visigate_logging.host.counts import CountSheet, Sheet, add_counts, host_counts, read_counts
from visigate_logging.host.failures import Drop, Failure, failure, host_drops, host_failures, note_failure
from visigate_logging.host.forks import ForkAware, watch_forks
from visigate_logging.host.lock import HostLock
from visigate_logging.host.state import State

__all__ = [
    "CountSheet",
    "Drop",
    "Failure",
    "ForkAware",
    "HostLock",
    "Instant",
    "Sheet",
    "State",
    "add_counts",
    "failure",
    "host_counts",
    "host_drops",
    "host_failures",
    "host_seconds",
    "note_failure",
    "read_counts",
    "watch_forks",
]
