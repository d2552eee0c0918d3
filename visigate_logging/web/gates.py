"""The page of the gates: one row for each, the silent and the worst first, and over how many of them groups are."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import render_template, request

from visigate_logging.fleet.gates import Gate
from visigate_logging.present.severities import rank
from visigate_logging.present.words import spoken
from visigate_logging.store.differences import Spread
from visigate_logging.store.groups import Group
from visigate_logging.store.store import ErrorStore

GatesSource = Callable[[], Sequence[Gate]]

ROWS = 50
GROUPS = 10
ASKED = 20
DAYS = 7
FRESH = 30.0
"""Seconds for which the groups that are over gates are not looked for again."""
OFF = 60
"""Seconds by which a clock may be wrong without a word."""
PLACE = ("site", "gate")


@dataclass(frozen=True)
class Row:
    """One gate as it is shown.

    Args:
        gate: what is known of it.
        silent: for how many seconds; 0 when it is not.
        heard: when it last said something.
        facts: what else there is to say of it, in a few words each.
    """

    gate: Gate
    silent: float
    heard: datetime
    facts: Sequence[str]

    @property
    def worst(self) -> Mapping[str, Any] | None:
        """The worst of its open groups."""
        return next(iter(self.gate.state.get("worst", ())), None)

    @property
    def severity(self) -> str:
        """That of the worst of its open groups."""
        return self.worst["severity"] if self.worst else ""

    @property
    def daily(self) -> Sequence[int]:
        """Errors of the last days, with today's last."""
        return self.gate.state.get("daily") or (0,)


class GatesPage:
    """The view of all gates.

    Args:
        store: the errors of all of them.
        source: tells what is known of each.
    """

    def __init__(self, store: ErrorStore, source: GatesSource) -> None:
        self._store = store
        self._source = source
        self._groups: list[tuple[Group, Spread]] = []
        self._looked = -FRESH

    def routes(self) -> Iterator[tuple[str, str, Callable[[], str]]]:
        """Rule, endpoint and view."""
        yield "/gates", "gates", self.gates

    def gates(self) -> str:
        """Show the gates."""
        now = time.time()
        rows = sorted((_row(gate, now) for gate in self._source()), key=_worst_first)
        asked = {name: request.args.get(name, "") for name in ("site", "q")}
        found = [row for row in rows if _is_asked(row.gate, **asked)]
        page = max(1, request.args.get("page", 1, type=int))
        return render_template(
            "visigate_errors/gates.html",
            now=datetime.now(UTC),
            asked=asked,
            counts=_counts(rows),
            rows=found[(page - 1) * ROWS : page * ROWS],
            page=page,
            pages=-(-len(found) // ROWS),
            sites=_silent_sites(rows),
            groups=[(group, in_words(spread, len(rows))) for group, spread in self._over_gates()],
        )

    def spread(self, key: str) -> str:
        """Return over how many gates a group is, in words; empty where no gate has sent it."""
        found = self._store.spread([key], PLACE).get(key)
        return in_words(found, len(self._source())) if found else ""

    def _over_gates(self) -> list[tuple[Group, Spread]]:
        if time.monotonic() - self._looked >= FRESH:
            groups = self._store.groups(ASKED, days=DAYS, order="count", state="open")
            spread = self._store.spread([group.key for group in groups], PLACE)
            found = [(group, spread[group.key]) for group in groups if group.key in spread]
            self._groups = sorted(found, key=lambda pair: -len(pair[1].places))[:GROUPS]
            self._looked = time.monotonic()
        return self._groups


def in_words(spread: Spread, total: int) -> str:
    """Return where a group is, as “on 37 of 412 gates since release 1.4.2”."""
    n = len(spread.places)
    where = f"only on {'/'.join(spread.places[0])}" if n == 1 else f"on {n} of {max(n, total)} gates"
    return f"{where} since release {spread.release}" if spread.release else where


def _row(gate: Gate, now: float) -> Row:
    heard = datetime.fromtimestamp(gate.heard, UTC).astimezone()
    return Row(gate, gate.silent_for(now), heard, [text for text in _facts(gate.state, now) if text])


def _facts(state: Mapping[str, Any], now: float) -> list[str]:
    def since(name: str, form: str) -> str:
        return form.format(spoken(max(0.0, now - state[name]))) if state.get(name) else ""

    def waiting(name: str, what: str) -> str:
        return f"{state[name]:.0f} {what}" if state.get(name) else ""

    off = state.get("offset", 0)
    return [
        f"disk {state.get('disk_free', 0) / state['disk_size']:.0%} free" if state.get("disk_size") else "",
        waiting("waiting", "wait to be sent"),
        waiting("outbox", "mails wait"),
        since("power_cut", "power cut {} ago"),
        f"clock {spoken(abs(off))} {'fast' if off > 0 else 'slow'}" if abs(off) > OFF else "",
        since("backup", "backup {} old"),
        f"version {state['version']}" if state.get("version") else "",
    ]


def _worst_first(row: Row) -> tuple[float, int, int, str]:
    return -row.silent, rank(row.severity), -row.daily[-1], str(row.gate.sender)


def _is_asked(gate: Gate, site: str, q: str) -> bool:
    return (not site or gate.sender.site == site) and q.strip().casefold() in str(gate.sender).casefold()


def _counts(rows: Sequence[Row]) -> dict[str, int]:
    return {
        "gates": len(rows),
        "sites": len({row.gate.sender.site for row in rows}),
        "silent": sum(row.silent > 0 for row in rows),
        "critical": sum(row.severity == "CRITICAL" for row in rows),
        "today": sum(row.daily[-1] for row in rows),
    }


def _silent_sites(rows: Sequence[Row]) -> list[tuple[str, int]]:
    """Return the sites all of whose gates are silent, where they have several."""
    gates = Counter(row.gate.sender.site for row in rows)
    silent = Counter(row.gate.sender.site for row in rows if row.silent)
    return [(site, n) for site, n in silent.items() if n == gates[site] > 1]
