"""The state of a group follows from the decisions about it and from its errors since."""

from datetime import UTC, datetime

import pytest

from visigate_logging.triage.decisions import Decision, DecisionLog, Merges
from visigate_logging.triage.states import Occurred, comes_back, mute_end, state_of

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def decision(action, n=1, key="a", **more):
    return Decision(f"id{n}", "2026-05-03T12:00:00Z", "anna", action, key, **more)


def came(n=1, severity="ERROR", release="", day=0):
    return [Occurred(day, severity, release, n)] if n else []


@pytest.mark.parametrize(
    ("made", "since", "name", "ended"),
    [
        ([], came(3), "open", ""),
        ([decision("resolve")], [], "resolved", ""),
        ([decision("resolve")], came(), "open", "it came back"),
        ([decision("resolve"), decision("note", 2)], [], "resolved", ""),
        ([decision("resolve"), decision("reopen", 2)], [], "open", ""),
        ([decision("mute")], came(1000, "CRITICAL"), "muted", ""),
        ([decision("mute", until="2026-05-04T13:00:00+00:00")], came(), "muted", ""),
        ([decision("mute", until="2026-05-04T12:00:00+00:00")], [], "open", "its time is over"),
        ([decision("mute", more=5)], came(4), "muted", ""),
        ([decision("mute", more=5)], came(5), "open", "5 more came"),
        ([decision("mute", worse=True, severity="ERROR", most_a_day=50)], came(100), "muted", ""),
        (
            [decision("mute", worse=True, severity="ERROR", most_a_day=50)],
            came(101),
            "open",
            "it is worse: 101 in a day",
        ),
        (
            [decision("mute", worse=True, severity="ERROR", most_a_day=50)],
            came(1, "CRITICAL"),
            "open",
            "it is worse: CRITICAL",
        ),
    ],
)
def test_the_last_decision_holds_until_errors_or_time_end_it(made, since, name, ended):
    state = state_of(made, lambda _: since, NOW)
    assert (state.name, state.ended) == (name, ended)
    assert state.regressed == (ended == "it came back")


@pytest.mark.parametrize(
    ("wanted", "release", "back"),
    [
        ("", "", True),
        ("2.4.1", "2.4.1", True),
        ("2.4.1", "2.4", False),
        ("2.4.1", "2.10", True),
        ("2.4", "2.4.0", True),
        ("v3.0", "3.0rc1", False),
        ("3.0rc1", "3.0", True),
        ("3.0", "3.0.post1", True),
        ("3.0", "3.0-beta.2", False),
        ("12", "9", False),
        ("9f2c1e", "0a1b2c", False),  # it had occurred in that one before
        ("9f2c1e", "77d0aa", True),
    ],
)
def test_a_group_resolved_in_a_release_comes_back_from_that_release_on(wanted, release, back):
    assert comes_back(decision("resolve", release=wanted, releases=("0a1b2c",)), release) is back


def test_days_are_judged_one_by_one():
    spread = [Occurred(day, "ERROR", "", 40) for day in range(10)]
    assert mute_end(decision("mute", worse=True, severity="ERROR", most_a_day=30), spread, NOW) == ""


def test_merges_make_no_circle_and_are_undone():
    merges = [
        decision("merge", 1, "a", into="b"),
        decision("merge", 2, "b", into="c"),
        decision("merge", 3, "c", into="a"),  # by somebody who did not know of the others
    ]
    assert [Merges(merges).root(key) for key in "abc"] == ["c", "c", "c"]
    undone = Merges([*merges, decision("unmerge", 4, "b")])
    assert [undone.root(key) for key in "abc"] == ["b", "b", "c"]


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":"1","time":"t","who":"anna","action":"resol',  # cut short by a kill
        b'{"id":"1","time":"t","who":"anna","action":"frobnicate","key":"a"}',  # of a later version
        b'{"id":"1","time":"t","who":"anna","action":"mute","key":"a","until":"soon"}',
        b'{"id":"1","time":"t","who":"anna","action":"mute","key":"a","more":"many"}',
        b'{"id":"1","time":"t","who":"","action":"mute","key":"a"}',
        b"[1]",
        b"\xff\0",
    ],
)
def test_a_line_that_is_no_decision_costs_itself_alone(tmp_path, line):
    log = DecisionLog(tmp_path / "groups.jsonl")
    log.append([decision("resolve", 1)])
    with log.path.open("ab") as file:
        file.write(line)  # without a newline
    log.append([decision("reopen", 2), decision("reopen", 2)])
    assert [d.id for d in log.decisions()] == ["id1", "id2"], "and one that is there twice counts once"
