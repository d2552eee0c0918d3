"""What administrators have decided about groups, as telling follows it: muted is counted, what comes back is told."""

from collections.abc import Container, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import orjson

from visigate_logging.delivery.entries import Entry
from visigate_logging.delivery.throttle import Incident
from visigate_logging.detail.grouping import former_keys
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.present.states import decision_in_words, state_in_words
from visigate_logging.triage.decisions import Decision, DecisionLog, Merges
from visigate_logging.triage.splits import Split, part_of, splits_of
from visigate_logging.triage.states import DECIDES, Occurred, State, comes_back, mute_end


class Triaged:
    """The decisions that hold about groups.

    Args:
        path: of ``groups.jsonl``, which need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._log = DecisionLog(path)
        self._followed = ""
        self._merges = Merges(())
        self._parts: dict[str, list[Split]] = {}
        self._last: dict[str, Decision] = {}
        self._releases: dict[str, str] = {}

    def look(self) -> None:
        """Follow what was decided since the last look."""
        if self._log.state != self._followed:
            self._followed, decisions = self._log.state, self._log.decisions()
            self._merges, self._parts = Merges(decisions), splits_of(decisions)
            self._last = {d.key: d for d in decisions if d.action in DECIDES}

    def key_of(self, entry: Entry) -> str:
        """Return the key under which an error is told: of a part, of what it was merged into, or as by earlier rules.

        Repeats, of which only the group is in the journal, are told with the whole of a group that was split.
        """
        parts = self._parts.get(entry.fingerprint)
        if parts and entry.detail and (part := part_of(orjson.loads(entry.detail), parts)):
            return self._merges.root(part)
        if (not self._last and not self._merges.into) or self._knows(entry.fingerprint) or entry.detail is None:
            return self._merges.root(entry.fingerprint)
        former = former_keys(ErrorDetail.from_dict(orjson.loads(entry.detail)))
        decided = next((key for key in former if self._knows(key)), None)
        if decided is None:
            return entry.fingerprint
        if decided in self._last:
            self._last[entry.fingerprint] = self._last[decided]
        if decided in self._merges.into:
            self._merges.into[entry.fingerprint] = self._merges.into[decided]
        return self._merges.root(entry.fingerprint)

    def _knows(self, key: str) -> bool:
        return key in self._last or key in self._merges.into

    def is_silent(self, entry: Entry, key: str) -> bool:
        """Return whether errors are told neither now nor later: muted for good, or of a release that is mended."""
        decision = self._last.get(key)
        if decision is None:
            return False
        if decision.action == "mute":
            return not (decision.until or decision.more or decision.worse)
        release = self._releases[key] = entry.release or self._releases.get(key, "")  # repeats do not tell it
        return decision.action == "resolve" and bool(release) and not comes_back(decision, release)

    def follow(self, group: Incident, entry: Entry, ended: Container[str]) -> tuple[Incident, str]:
        """Return a group with errors as muted, or as one that came back after it was resolved.

        Args:
            group: with the errors.
            entry: the errors.
            ended: decisions that do not hold any more, because of what came.

        Returns:
            The group, and the decision that has ended by these errors; empty for none.
        """
        decision = self._last.get(group.fingerprint)
        if decision is None or decision.id in ended:
            return group, ""
        if decision.action == "mute":
            return _count_muted(group, entry, decision), ""
        if decision.action == "resolve" and _instant(entry.last_time) > _instant(decision.last or decision.time):
            words = f"it came back after it was {decision_in_words(decision)}"
            return replace(group, state=words, worse_at=group.seen, muted=""), decision.id
        return group, ""

    def unmuted(self, group: Incident, now: datetime, host_now: float) -> Incident:
        """Return a group after a look at the clock and at what was decided: that a mute has ended is told at once.

        Args:
            group: the group.
            now: aware, for what was muted until a time.
            host_now: on the host's clock.
        """
        if not group.muted:
            return group
        decision = self._last.get(group.fingerprint)
        if decision is None or decision.action != "mute":
            return replace(group, muted="", muted_errors={}, state="no longer muted", worse_at=host_now)
        if decision.id != group.muted:
            return replace(group, muted=decision.id, muted_errors={})
        came = [Occurred(day, severity, "", n) for (day, severity), n in _by_day(group)]
        ended = mute_end(decision, came, now)
        if not ended:
            return group
        words = state_in_words(State("open", decision, sum(group.muted_errors.values()), ended))
        return replace(group, muted="", muted_errors={}, state=words, worse_at=host_now)


def _instant(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _count_muted(group: Incident, entry: Entry, decision: Decision) -> Incident:
    """Return a group with errors that came while it is muted."""
    came = group.muted_errors if group.muted == decision.id else {}
    which = f"{entry.last_time[:10]} {entry.severity}"
    return replace(group, muted=decision.id, muted_errors={**came, which: came.get(which, 0) + entry.count})


def _by_day(group: Incident) -> list[tuple[tuple[str, str], int]]:
    return [((which[:10], which[11:]), n) for which, n in group.muted_errors.items()]


def by_former_key(groups: Mapping[str, Incident], entry: Entry) -> Incident | None:
    """Return the group that an error was in by the rules of an earlier version: what was told of it is told."""
    keys = former_keys(ErrorDetail.from_dict(orjson.loads(entry.detail))) if groups and entry.detail else ()
    former = next((groups[key] for key in keys if key in groups), None)
    return replace(former, fingerprint=entry.fingerprint, untold=0) if former else None
