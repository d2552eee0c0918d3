"""Decisions about groups: kept beside the log, followed by the index, whatever becomes of either."""

import os
import signal
import subprocess
import sys
import tempfile
from datetime import UTC, timedelta
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.records import NOON, detail, write
from visigate_logging.exceptions import DecisionError, StoreError, UnknownEventError
from visigate_logging.store.index import index_path
from visigate_logging.store.store import ErrorStore


def open_store(log, now=NOON + timedelta(hours=2)):
    return ErrorStore(log, tz=UTC, clock=now.timestamp)


@pytest.fixture
def log(tmp_path):
    log = tmp_path / "details.jsonl"
    return write(log, *(detail(n, NOON + timedelta(minutes=n), fingerprint=key) for n, key in enumerate("aabc")))


def keys(page):
    return [group.key for group in page]


def test_the_list_of_open_groups_can_become_empty_and_a_regression_fills_it_again(log):
    with open_store(log) as store:
        assert store.groups(state="open").states == {"open": 3, "resolved": 0, "muted": 0}
        assert store.decide("resolve", "a", who="anna", note="new cable").name == "resolved"
        store.decide("mute", "b", who="ben", until=NOON + timedelta(days=1))
        store.decide("mute", "c", who="ben")
        found = store.groups(state="open")
        assert (keys(found), found.states) == ([], {"open": 0, "resolved": 1, "muted": 2})
        assert keys(store.groups(state="resolved")) == ["a"]
        write(log, detail(9, NOON + timedelta(hours=1), fingerprint="a"))
        (back,) = store.groups(state="open")
        assert (back.key, back.state.regressed, back.state.since) == ("a", True, 1)
        assert (back.state.decision.who, back.state.decision.note) == ("anna", "new cable")
        assert orjson.loads(orjson.dumps(back.to_dict()))["state"]["decision"]["who"] == "anna"
    with open_store(log, NOON + timedelta(days=1)) as store:
        assert store.group("b")["state"].ended == "its time is over"


def test_what_was_decided_survives_an_index_that_is_made_anew(log):
    with open_store(log) as store:
        store.decide("resolve", "a", who="anna")
        store.decide("merge", "b", who="anna", into="c")
        before = store.groups().groups
        store.rebuild()
        assert store.groups().groups == before
        index_path(log).unlink()
    with open_store(log) as store:
        assert store.groups().groups == before


def test_a_merged_group_counts_with_its_new_one_until_that_is_undone(log):
    with open_store(log) as store:
        apart = store.groups().groups
        trends = store.trends()["groups"]
        store.decide("merge", "a", who="anna", into="b")
        found = {group.key: group for group in store.groups()}
        assert {key: group.count for key, group in found.items()} == {"b": 3, "c": 1}
        assert (found["b"].first_seen, found["b"].last_seen) == (NOON, NOON + timedelta(minutes=2))
        assert {g["key"]: g["total"] for g in store.trends()["groups"]} == {"b": 3, "c": 1}
        assert store.group("a")["group"] == found["b"], "its own key leads there"
        assert len(store.recent(group="b")) == 3
        assert store.decide("resolve", "a", who="anna").name == "resolved"
        assert {g.key: g.state.name for g in store.groups()} == {"b": "resolved", "c": "open"}
        store.decide("reopen", "b", who="anna")
        assert [d.action for d in store.history("a")] == ["merge", "resolve", "reopen"]
        store.decide("unmerge", "a", who="anna")
        assert [g.count for g in store.groups()] == [g.count for g in apart]
        assert store.trends()["groups"] == trends


def test_bursts_of_a_merged_group_are_those_of_all_its_errors(tmp_path):
    log = tmp_path / "details.jsonl"
    nights = [NOON - timedelta(days=n) for n in range(1, 20)]
    write(log, *(detail(n, when, fingerprint="ab"[n % 2]) for n, when in enumerate(nights)))
    swarm = (detail(100 + n, NOON + timedelta(seconds=n), fingerprint="ab"[n % 2]) for n in range(60))
    write(log, *swarm)
    with open_store(log) as store:
        apart = store.trends()
        store.decide("merge", "a", who="anna", into="b")
        merged = store.trends()
        assert [burst["count"] for burst in merged["groups"][0]["bursts"]] == [60]
        index_path(log).unlink()
    with open_store(log) as store:
        assert store.trends() == merged, "as if it had never been two"
        store.decide("unmerge", "a", who="anna")
        assert store.trends() == apart


def test_a_group_that_comes_after_the_merge_follows_it(log):
    with open_store(log) as store:
        store.decide("merge", "a", who="anna", into="b")
    os.rename(log, log.with_name("kept"))
    index_path(log).unlink()
    write(log, detail(3, fingerprint="b"))
    with open_store(log) as store:
        assert [(g.key, g.count) for g in store.groups()] == [("b", 1)]
        write(log, detail(4, fingerprint="a"))
        assert [(g.key, g.count) for g in store.groups()] == [("b", 2)]


def test_an_old_key_leads_to_the_group_of_newer_rules(tmp_path):
    log, text = tmp_path / "details.jsonl", "camera 7 is away"
    plain = {"error_type": "VisiGate", "error_message": text, "message": text, "message_template": text}
    parts = {"grouping": {"logger": "gate.camera", "message": text}, "exceptions": ()}
    old, new = "v2:old", "v3:new"
    write(log, detail(1, fingerprint=old, **plain, **parts))
    with open_store(log) as store:
        store.decide("mute", old, who="anna")
        index = store._access._index
        store._access.ask(lambda db: db.execute("INSERT INTO grp VALUES (99, ?, 't', 'c', 0, 0, '', NULL)", (new,)))
        index.db.execute("UPDATE grp SET heir = 99 WHERE key = ?", (old,))
        assert store.state(new).name == "muted"
        assert store.decide("reopen", new, who="ben").name == "open"
        assert store.state(old).name == "open"


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"action": "resolve", "key": "z", "who": "anna"}, "no group has the key 'z'"),
        ({"action": "erase", "key": "a", "who": "anna"}, "possible are resolve, mute"),
        ({"action": "resolve", "key": "a", "who": " "}, "needs who makes it"),
        ({"action": "note", "key": "a", "who": "anna"}, "the note is empty"),
        ({"action": "merge", "key": "a", "who": "anna"}, "name the group"),
        ({"action": "merge", "key": "a", "who": "anna", "into": "a"}, "one group already"),
        ({"action": "unmerge", "key": "a", "who": "anna"}, "has not been merged"),
        ({"action": "mute", "key": "a", "who": "anna", "more": -1}, "above 0"),
    ],
)
def test_what_cannot_be_decided_says_why_and_changes_nothing(log, asked, problem):
    with open_store(log) as store, pytest.raises((DecisionError, UnknownEventError), match=problem):
        store.decide(**asked)
    assert not log.with_name("groups.jsonl").exists()


def test_an_unknown_state_is_refused(log):
    with open_store(log) as store, pytest.raises(StoreError, match="possible are open, resolved, muted"):
        store.groups(state="opne")


def test_secrets_in_notes_are_masked(log):
    with open_store(log) as store:
        store.decide("note", "a", who="anna", note="rtsp://user:hunter2@camera works again")
    assert b"hunter2" not in log.with_name("groups.jsonl").read_bytes()


MUTED_KEYS = st.sampled_from(["a", "b", "c"])
STEPS = st.one_of(
    st.tuples(st.sampled_from(["resolve", "mute", "reopen", "error", "unmerge"]), MUTED_KEYS),
    st.tuples(st.just("merge"), MUTED_KEYS, MUTED_KEYS),
    st.tuples(st.just("more"), MUTED_KEYS, st.integers(1, 3)),
    st.sampled_from([("rebuild",), ("kill",), ("other",)]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, max_size=14))
def test_any_order_of_decisions_gives_the_state_of_a_plain_model(steps):
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory, "details.jsonl")
        minute, into, made, errors = 3, {}, {}, [(0, "a"), (1, "b"), (2, "c")]
        write(log, *(detail(at, NOON + timedelta(seconds=at), fingerprint=key) for at, key in errors))
        stores = [open_store(log), open_store(log)]

        def root(key):
            while key in into:
                key = into[key]
            return key

        for step in steps:
            action, key = step[0], step[1] if len(step) > 1 else ""
            if action == "error":
                errors.append((minute, key))
                write(log, detail(minute, NOON + timedelta(seconds=minute), fingerprint=key))
                minute += 1
            elif action == "rebuild":
                stores[0].rebuild()
            elif action == "other":  # another administrator's process goes on
                stores.reverse()
            elif action == "kill":  # in the middle of a line, and another process follows
                with log.with_name("groups.jsonl").open("ab") as file:
                    file.write(b'{"id":"torn","time":"2026')
                stores[0].close()
                stores[0] = open_store(log)
            elif action == "merge":
                if root(key) != root(step[2]):
                    stores[0].decide("merge", key, who="anna", into=step[2])
                    into[root(key)] = root(step[2])
            elif action == "unmerge":
                if key in into:
                    stores[0].decide("unmerge", key, who="anna")
                    del into[key]
            else:
                more = step[2] if action == "more" else 0
                action = "mute" if action == "more" else action
                stores[0].decide(action, key, who="anna", more=more)
                last = max(at for at, other in errors if root(other) == root(key))
                made[root(key)] = action, more, last
        expected = {}
        for name in {root(key) for key in "abc"}:
            action, more, last = made.get(name, ("reopen", 0, 0))
            since = sum(at > last for at, key in errors if root(key) == name)
            over = since >= (more or 1) if action == "resolve" or more else False
            words = {"resolve": "resolved", "mute": "muted", "reopen": "open"}
            count = sum(root(key) == name for _, key in errors)
            expected[name] = count, "open" if over else words[action]
        for store in stores:
            assert {g.key: (g.count, g.state.name) for g in store.groups()} == expected
            store.close()


DECIDER = """
import sys
from visigate_logging import ErrorStore
store, n = ErrorStore(sys.argv[1]), 0
while True:
    n += 1
    store.decide("note", sys.argv[2], who=sys.argv[2], note=str(n))
    print(n, flush=True)
"""


def test_two_who_decide_at_once_and_are_killed_lose_nothing(log):
    children = [
        subprocess.Popen([sys.executable, "-c", DECIDER, str(log), key], stdout=subprocess.PIPE, text=True)
        for key in "ab"
    ]
    said = {}
    for child in children:
        for _ in range(10):
            child.stdout.readline()
    for key, child in zip("ab", children, strict=True):
        child.send_signal(signal.SIGKILL)
        said[key] = [10, *map(int, child.communicate()[0].split())][-1]
    with open_store(log) as store:
        for key, last in said.items():
            notes = [int(d.note) for d in store.history(key)]
            assert notes == list(range(1, len(notes) + 1))
            assert len(notes) >= last


PARTS = {"camera=entrance": [0, 2, 4], "message=timed out": [0, 1, 2], "frame=poll.py": [3, 4, 5], "host=south": [5]}


def of_camera(number, **fields):
    """An error of one group, of one of two cameras."""
    camera = {"facets": {"camera": "entrance" if number % 2 == 0 else "exit"}}
    trace = f'Traceback:\n  File "/gate/{"poll" if number > 2 else "grab"}.py", line 5, in read\nError: x\n'
    said = {"message": "it timed out" if number < 3 else "no answer", "traceback": trace}
    told = {"fingerprint": "v3:00", "host": "south" if number == 5 else "north"}
    return detail(number, NOON + timedelta(seconds=number), **{**camera, **said, **told, **fields})


@pytest.mark.parametrize("where", PARTS)
def test_a_part_of_a_group_is_one_of_its_own_and_later_errors_follow_until_that_is_undone(tmp_path, where):
    log = write(tmp_path / "details.jsonl", *map(of_camera, range(6)))
    wanted = {of_camera(n).event_id for n in PARTS[where]}
    with ErrorStore(log) as store:
        store.decide("split", "v3:00", who="Ada", where=where)
        part = store.decisions()[-1].into

        def ids(key):
            return {record.event_id for record in store.recent(50, group=key)}

        assert (ids(part), ids("v3:00") & wanted, store.check()) == (wanted, set(), [])
        assert {record.fingerprint for record in store.recent(50, group=part)} == {part}
        later = [of_camera(n, event_id=of_camera(10 + n).event_id) for n in range(6)]
        write(log, *later)
        assert ids(part) == wanted | {later[n].event_id for n in PARTS[where]}
        assert {g.key: g.count for g in store.groups(days=10_000)}[part] == 2 * len(wanted)
        store.rebuild()
        assert (len(ids(part)), len(ids("v3:00"))) == (2 * len(wanted), 12 - 2 * len(wanted))
        store.decide("unsplit", part, who="Ada")
        assert (len(ids("v3:00")), store.group(part)["total"]) == (12, 12)
        store.decide("split", "v3:00", who="Ada", where=where)
        assert len(ids(part)) == 2 * len(wanted)


@pytest.mark.parametrize("where", ["", "camera", "=x", "camera= "])
def test_what_names_no_part_is_refused(log, where):
    with ErrorStore(log) as store, pytest.raises(DecisionError, match="names no part"):
        store.decide("split", store.groups(days=10_000)[0].key, who="Ada", where=where)
