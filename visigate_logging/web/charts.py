"""Charts as the geometry of SVG, drawn on the server; the numbers stand beside them as text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from visigate_logging.present.charts import heights

HEIGHT = 100
KINDS = {"CRITICAL": "critical", "ERROR": "error", "WARNING": "warning"}
"""Class of the style sheet by severity; all others are ``other``."""


@dataclass(frozen=True)
class Bar:
    """One span of time: its label, its total, and its parts as (kind, count, top, height), the worst lowest."""

    label: str
    total: int
    parts: tuple[tuple[str, int, int, int], ...]

    def count(self, kind: str) -> int:
        """Return how many of a kind."""
        return sum(n for own, n, _, _ in self.parts if own == kind)


@dataclass(frozen=True)
class Chart:
    """Bars, the highest total, and what all of them add up to by kind."""

    bars: tuple[Bar, ...]
    top: int
    total: int
    kinds: Mapping[str, int]


def kind_of(severity: str) -> str:
    """Return the class of the style sheet for a severity."""
    return KINDS.get(severity, "other")


def stacked(spans: Sequence[Mapping[str, Any]], form: str) -> Chart:
    """Return a chart of counts by severity.

    Args:
        spans: as from ``ErrorStore.timeline``.
        form: of the labels, as ``strftime`` takes it.
    """
    top = max((span["total"] for span in spans), default=0)
    kinds = dict.fromkeys((*KINDS.values(), "other"), 0)
    bars = []
    for span in spans:
        counts = dict.fromkeys(kinds, 0)
        for severity, n in span["severities"].items():
            counts[kind_of(severity)] += n
        parts, y = [], HEIGHT
        for kind, n in counts.items():
            kinds[kind] += n
            if n:
                height = -(-n * HEIGHT // top)
                y -= height
                parts.append((kind, n, y, height))
        label = datetime.fromisoformat(span["start"]).strftime(form)
        bars.append(Bar(label, span["total"], tuple(parts)))
    return Chart(tuple(bars), top, sum(kinds.values()), {kind: n for kind, n in kinds.items() if n})


def sparkline(daily: Sequence[int], height: int = 9) -> str:
    """Return the path of a small chart: a step four units wide for each day, one that is seen if it is not zero."""
    return f"M0 {height}{''.join(f'V{height - tall}h4' for tall in heights(daily, height))}V{height}z"
