"""Rules that give errors other keys lose nothing of their groups: neither state, nor mail window, nor link."""

import re
from dataclasses import replace
from datetime import UTC, timedelta

import pytest

from tests.records import NOON, detail, uuid7
from visigate_logging import ErrorStore
from visigate_logging.delivery.entries import Entry
from visigate_logging.delivery.incidents import Incidents
from visigate_logging.delivery.tables import SCHEMA
from visigate_logging.delivery.throttle import Windows
from visigate_logging.detail.grouping import key_of_parts, v1
from visigate_logging.host import State
from visigate_logging.host.clock import Instant

CAUSES = ("no row", "locked")
DECISIONS = ("mute", "resolve", "note")


def fault(number, cause):
    """An error of a call site as today's rules have it, and its key by the first ones, which knew of no call site."""
    text, logger = f"Error getting plates: {cause}", f"VisiGate.part{number}"
    parts = {"logger": logger, "culprit": ["gate in open"], "template": "Error getting {}: {}", "codes": []}
    new = detail(logger=logger, error_message=text, message=text, fingerprint=key_of_parts(parts, text))
    return replace(new, grouping=parts), v1.key({"logger": logger, "culprit": ("gate in open",)}, text)


def written(log, errors, count, begin):
    """So many lines of some errors in turn, one a millisecond."""
    cut = [re.split(b"@TIME@|@ID@", replace(e, timestamp="@TIME@", event_id="@ID@").to_line()) for e in errors]
    with log.open("ab") as out:
        for n in range(count):
            head, middle, end = cut[n % len(cut)]
            when = begin + timedelta(milliseconds=n)
            stamp = when.isoformat(timespec="microseconds").replace("+00:00", "Z").encode()
            out.write(b"".join((head, stamp, middle, uuid7(when, n).encode(), end)))


def mailed(incidents, errors):
    """Whether errors, one of each, are told in a mail now."""

    def entry(one):
        return Entry(one.fingerprint, 1, one.timestamp, one.timestamp, "ERROR", one.event_id, one.to_json())

    incidents.book(lambda cursor: (map(entry, errors), {"journal": cursor.get("journal", 0) + 1}))
    return incidents.compose(f"m{len(errors)}", lambda _: True) == 0.0


@pytest.mark.parametrize(
    ("records", "groups"),
    [(600, 30), pytest.param(1_000_000, 240, marks=[pytest.mark.stress, pytest.mark.timeout(900)])],
)
def test_what_is_known_of_groups_under_old_keys_is_known_under_the_new_ones(tmp_path, records, groups):
    log, half, now = tmp_path / "details.jsonl", records // 2, [0.0]
    faults = [fault(number, cause) for number in range(groups) for cause in CAUSES]
    old = [replace(error, fingerprint=key, grouping={}) for error, key in faults]
    new = [error for error, _ in faults]
    incidents = Incidents(State(tmp_path, SCHEMA), "mail", Windows(), now=lambda: Instant("boot", now[0]))
    written(log, old, half, NOON - timedelta(days=9))
    with ErrorStore(log, tz=UTC, clock=(NOON + timedelta(hours=9)).timestamp) as store:
        assert len(store.groups(10_000, days=30)) == 2 * groups
        for number, error in enumerate(old):
            store.decide(DECISIONS[number // 2 % 3], error.fingerprint, who="eva", note="seen")
        mailed(incidents, old)
        now[0] = 2.0
        assert mailed(incidents, [])
        written(log, new, records - half, NOON)
        found = store.groups(10_000, days=30)
        assert {group.key for group in found} == {error.fingerprint for error in new}
        assert sum(group.count for group in found) == records
        for number, (error, key) in enumerate(faults):
            kind = DECISIONS[number // 2 % 3]
            state = store.state(key)
            assert state == store.state(error.fingerprint)
            assert (state.name, state.regressed) == ("muted" if kind == "mute" else "open", kind == "resolve")
            assert [decision.action for decision in store.history(key)] == [kind] * len(CAUSES)
        for error, key in faults[:: groups // 10]:
            assert store.group(key, limit=1)["total"] == store.group(error.fingerprint, limit=1)["total"]
    now[0] = 4.0
    mailed(incidents, new)
    now[0] = 6.0
    assert not mailed(incidents, []), "what is told of is not new under another key"
