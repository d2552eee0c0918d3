"""Counts as bars of characters, and bursts and trends in a few words."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from visigate_logging.cli.output import dim
from visigate_logging.present.charts import heights
from visigate_logging.present.words import local_time

ARROWS = {"rising": "↗", "falling": "↘", "steady": "→", "too few days": " "}
BARS = " ▂▃▄▅▆▇█"
MOST_BURSTS = 3


def sparkline(counts: Iterable[int]) -> str:
    """Return counts as a line of small bars."""
    return "".join(BARS[height] for height in heights(counts, len(BARS) - 1))


def bursts(course: Mapping[str, Any]) -> Iterator[str]:
    """Yield the last bursts of a group or of all errors."""
    found = course["bursts"]
    for burst in found[-MOST_BURSTS:]:
        span = "an hour" if burst["hours"] == 1 else f"{burst['hours']} hours"
        yield f"  burst at {local_time(burst['start'])}: {burst['count']} in {span}, {burst['expected']:.1f} expected"
    if len(found) > MOST_BURSTS:
        yield dim(f"  and {len(found) - MOST_BURSTS} bursts before")
