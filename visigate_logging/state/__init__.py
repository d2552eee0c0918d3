"""What the processes of a host agree on: a small SQLite file, a lock, a clock, and counts."""

from visigate_logging.state.clock import Instant, clock, host_seconds
from visigate_logging.state.counts import CountSheet, Sheet, add_counts, host_counts, read_counts
from visigate_logging.state.database import State
from visigate_logging.state.drops import Drop, host_drops
from visigate_logging.state.failures import Failure, failure, host_failures, note_failure
from visigate_logging.state.forks import ForkAware, watch_forks
from visigate_logging.state.lock import HostLock

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
    "clock",
    "failure",
    "host_counts",
    "host_drops",
    "host_failures",
    "host_seconds",
    "note_failure",
    "read_counts",
    "watch_forks",
]
