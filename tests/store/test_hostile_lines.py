"""Whatever a line holds, it is a record or an unreadable place, for the store, the command line and the pages."""

import random
import sqlite3
import time
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import flask
import orjson
import pytest

from tests.records import NOON, detail, uuid7, write
from visigate_logging.cli import main
from visigate_logging.delivery.entries import entries_of
from visigate_logging.delivery.throttle import Incident
from visigate_logging.delivery.triaged import Triaged
from visigate_logging.exceptions import UnknownEventError, VisigateLoggingError
from visigate_logging.store.export import FORMATS
from visigate_logging.store.store import ErrorStore
from visigate_logging.triage.decisions import ACTIONS, Decision, decisions_path
from visigate_logging.web import create_blueprint

TIMES = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-23:59",
    "1969-12-31T23:59:59Z",
    "1900-01-01T00:00:00",
    "2106-02-07T06:28:16Z",
    "2026-05-04",
    "2026-05-04T12:00:00.1234567891Z",
    "20260504T120000Z",
    "2026-W19-1",
    "2026-05-04T24:00:00Z",
    "24:00",
    "",
    "NaN",
]
VALUES = [
    None, True, False, 0, -1, 1, 2**53, 2**63, -(2**63), 2**64 - 1, 1.5, -0.0, 1e308, 5e-324,
    "", " ", "x", "\0", "\n", "\r\n\t", "\x1b[31m", "\u202e", "\ufeff", "\U0001f4f7", "a" * 70_000, "'", '"', "\\",
    "<script>alert(1)</script>", "{{ 7*7 }}", "%s %(x)s", "../../etc/passwd", "=cmd()",
    ".", "..", "a/../b", "//", "%2f",
    "'; DROP TABLE record; --", "v1:", "v9:zz", *TIMES,
    [], [[]], [None], {}, {"": ""}, {"a": {"b": [1, {"c": None}]}}, [{"type": 1}], [[[[[[[[]]]]]]]], {"$": 1, '"': 2},
]  # fmt: skip
NESTED = {
    "exceptions": [
        [{"type": "A", "module": "m", "message": "x", "parent": 5, "relation": "cause"}] * 3,
        [{"type": "A"}, {"type": "B", "parent": 0, "relation": "member"}, {"type": "C", "parent": -1}],
        [{"frames": [{"file": 1, "line": "x", "code": None}, 7, None]}],
        [{"frames": "x", "notes": "y", "frames_omitted": "z", "parent": True}],
        [{"type": str(n), "parent": n - 1, "relation": "cause"} for n in range(1, 3000)],
    ],
    "facets": [{"camera": 1}, {"": "x"}, {"type": "x"}, {str(n): "x" for n in range(100)}, {'a"b': "$.x"}, {"a": {}}],
    "repeats": ["x", [1], {"a": 1}],
    "monotonic": [1e300, "1", -5, [1]],
}
BASE = detail(0, boot_id="5f0c6d1e-8a7b-4c3d-9e2f-1a0b4c5d6e7f", monotonic=60.0).to_dict() | {
    "handled": True,
    "repeats": None,
    "facets": {"camera": "north"},
    "breadcrumbs": [],
    "machine": {},
    "changes": [],
}


def variations():
    """Each field with each value, missing, and of nested ones some of the wrong shape."""
    for name in BASE:
        yield {field: value for field, value in BASE.items() if field != name}
        for value in [*VALUES, *NESTED.get(name, ())]:
            yield BASE | {name: value}


def lines_of(records):
    for number, record in enumerate(records):
        own = (
            {"event_id": uuid7(NOON, number)}
            if record.get("event_id") == BASE["event_id"]
            else {"message": str(number)}
        )
        yield orjson.dumps(record | own, option=orjson.OPT_NON_STR_KEYS) + b"\n"


def mutated(count, seed):
    """Records with some fields changed at random, some lines with bytes changed as well."""
    chance, names = random.Random(seed), list(BASE)
    nested = [*VALUES, *(value for values in NESTED.values() for value in values)]
    for number in range(count):
        record = dict(BASE) | {"event_id": uuid7(NOON, number)}
        for _ in range(chance.randrange(1, 4)):
            value = chance.choice(nested)
            if type(value) is not str or len(value) < 1000 or chance.random() < 0.01:
                record[chance.choice(names)] = value
        line = bytearray(orjson.dumps(record))
        for _ in range(chance.choice((0, 0, 0, 1, 3))):
            line[chance.randrange(len(line))] = chance.randrange(256)
        yield bytes(line) + b"\n"


def ask_everything(log):
    """Every question that there is; returns how many records there were."""
    clock = (NOON + timedelta(hours=1)).timestamp
    with ErrorStore(log, tz=UTC, clock=clock) as store, ErrorStore(log) as local:
        found = 0
        cursor = None
        while True:
            page = store.recent(2000, cursor=cursor)
            for record in page:
                record.to_json()
            for form in FORMATS.values():
                list(form(page))
            found += len(page)
            cursor = page.cursor
            if cursor is None:
                break
        some = random.Random(1).sample(list(store.recent(5000)), min(40, found))
        for record in some:
            with suppress(UnknownEventError):
                store.get(record.event_id)
                store.neighbours(record)
        for each in (store, local):
            keys = [group.key for group in each.groups(100, days=400)]
            for key in keys[:20]:
                each.group(key, days=400)
            each.statistics(400), each.timeline(days=30), each.timeline(hours=24), each.trends(60), each.choices()
            each.recent(
                5, since=datetime(1, 1, 2, tzinfo=UTC), until=datetime(9999, 12, 30, tzinfo=UTC), text="north"
            )
            orjson.dumps([group.to_dict() for group in each.groups(1000, days=400, order="count", text="a")])
        health = store.health()
        assert store.check() == []
        follower = local.follower()
        follower.close()
        assert found == health["records"]
        look_at_pages(local, [record.event_id for record in some], keys)
    return found, health["unreadable"]


def look_at_pages(store, ids, keys):
    app = flask.Flask(__name__)
    app.testing = True  # what a page raises is raised here
    app.register_blueprint(create_blueprint(store, unprotected=True))
    client = app.test_client()
    addresses = ["/errors", "/errors?view=errors&period=30d", "/errors/summary"]
    addresses += [f"/errors/{id_}" for id_ in ids] + [f"/errors/{id_}/json" for id_ in ids[:5]]
    with app.test_request_context():
        addresses += [flask.url_for("errors.error_group", key=key) for key in keys[:20] if ".." not in key]
    for address in addresses:
        answer = client.get(address)
        assert answer.status_code in {200, 404, 308}, address


def test_each_field_may_hold_anything(tmp_path):
    log = tmp_path / "details.jsonl"
    lines = list(lines_of(variations()))
    log.write_bytes(b"".join(lines))
    found, unreadable = ask_everything(log)
    assert found + unreadable == len(lines)
    assert unreadable < 150, "only what has no type or no time at all"


@pytest.mark.parametrize("command", ["recent", "groups", "show", "export"])
def test_the_command_line_shows_whatever_a_field_holds(tmp_path, command, capsys):
    log = tmp_path / "details.jsonl"
    log.write_bytes(b"".join(lines_of(variations())))
    more = {"recent": ["--limit", "9999"], "groups": ["--limit", "9999", "--days", "400"], "trends": ["--all"]}
    for json in ([], ["--json"]) if command != "export" else ([], ["--format", "csv"]):
        assert main([command, "--log", str(log), *more.get(command, []), *json]) == 0
        capsys.readouterr()
    if command == "show":
        with ErrorStore(log) as store:
            ids = [record.event_id for record in store.recent(400)]
        for event_id in ids[::7]:
            assert main(["show", event_id, "--log", str(log)]) == 0


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_any_time_of_a_record_can_be_shown(tmp_path, zone, monkeypatch, capsys):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        log = tmp_path / "details.jsonl"
        log.write_bytes(b"".join(lines_of(BASE | {"timestamp": timestamp} for timestamp in TIMES)))
        found, unreadable = ask_everything(log)
        assert found + unreadable == len(TIMES)
        assert unreadable <= 4  # before 3.13 Python reads no 24:00
        assert main(["recent", "--limit", "99", "--log", str(log)]) == 0
        assert main(["groups", "--days", "36500", "--log", str(log)]) == 0
    finally:
        monkeypatch.undo()
        time.tzset()


def test_bytes_changed_at_random_break_no_reader(tmp_path):
    log = tmp_path / "details.jsonl"
    log.write_bytes(b"".join(mutated(500, seed=1)))
    ask_everything(log)


@pytest.mark.stress
@pytest.mark.parametrize("part", range(20))
def test_bytes_changed_at_random_break_no_reader_a_million_times(tmp_path, part):
    log = tmp_path / "details.jsonl"
    with log.open("wb") as out:
        out.writelines(mutated(50_000, seed=1000 + part))
    ask_everything(log)


DECISION = Decision(
    "1", "2026-05-04T12:00:00+00:00", "anna", "mute", "a", "cable", "1.0", "2026-05-05T12:00:00+00:00", 3, True, "b",
    "2026-05-04T12:00:00.000000Z", "0" * 32, "ERROR", 7, ("1.0",),
)  # fmt: skip


def decided_anyhow(count, seed):
    """Lines of decisions: each field with each value, for each kind of decision; then some with bytes changed."""
    chance, good = random.Random(seed), asdict(DECISION)
    lines = [
        good | {"action": action, name: value, "id": f"{action} {name} {number}"}
        for action in ACTIONS
        for name in good
        if name not in ("id", "action")
        for number, value in enumerate([*VALUES, "a", "b", "c"])
    ]
    lines += [good | {name: value} for name in ("id", "action") for value in VALUES]
    for line in lines:
        yield orjson.dumps(line) + b"\n"
    for number in range(count):
        line = bytearray(orjson.dumps(chance.choice(lines) | {"id": str(number)}))
        for _ in range(chance.choice((1, 3))):
            line[chance.randrange(len(line))] = chance.randrange(256)
        yield bytes(line) + b"\n"


@pytest.mark.parametrize("count", [500, pytest.param(100_000, marks=pytest.mark.stress)])
def test_whatever_a_decision_holds_groups_are_shown_and_decided_about(tmp_path, count, capsys):
    log = write(tmp_path / "details.jsonl", *(detail(n, fingerprint="abc"[n % 3]) for n in range(9)))
    path = decisions_path(log)
    with path.open("wb") as out:
        out.writelines(decided_anyhow(count, seed=3))
    with ErrorStore(log, tz=UTC, clock=(NOON + timedelta(hours=1)).timestamp) as store:
        keys = [group.key for group in store.groups(days=400)]
        assert keys
        for key in [*keys, "a", "b", "c"]:
            store.group(key, days=400), store.history(key), store.state(key)
        for state in ("open", "resolved", "muted"):
            orjson.dumps([group.to_dict() for group in store.groups(state=state, days=400)])
        look_at_pages(store, [record.event_id for record in store.recent()], keys)
        assert store.decide("reopen", keys[0], who="anna").name == "open"
        assert store.decide("resolve", keys[0], who="anna").name == "resolved"
        assert store.check() == []
    triaged, errors = Triaged(path), {}
    triaged.look()
    entries_of(log.read_bytes(), errors)
    for entry in errors.values():
        news = Incident(entry.fingerprint, "ERROR", 0.0, 0.0, *[entry.first_time] * 3, untold=1)
        triaged.is_silent(entry, triaged.key_of(entry))
        triaged.unmuted(triaged.follow(news, entry, set())[0], NOON, 1.0)
    for words in (["groups"], ["groups", keys[0]], ["groups", "--json"]):
        assert main([*words, "--days", "400", "--log", str(log)]) == 0
        capsys.readouterr()


def test_garbage_in_the_index_is_no_traceback(tmp_path):
    """Rows that nobody of ours would write: the index is made anew, or the answer is an error in words."""
    chance = random.Random(1)
    log = tmp_path / "details.jsonl"
    log.write_bytes(b"".join(lines_of([BASE] * 50)))
    with ErrorStore(log) as store:
        store.recent()
        path = store.health()["index"]
    columns = {"record": "at tie source offset length facet clock", "grp": "title culprit first last latest heir key"}
    columns |= {
        "facet": "type own grp",
        "clock": "boot epoch until shift guess",
        "tally": "quarter n",
        "meta": "value",
    }
    columns |= {"daily": "start n", "source": "head dev ino size indexed counted first last present"}
    for table, names in columns.items():
        for name in names.split():
            for value in chance.sample([None, "x", b"\xff", -1, 2**62, -(2**62), 1.5, "{}", ""], 1):
                with sqlite3.connect(path) as db, suppress(sqlite3.Error):
                    db.execute(f"UPDATE OR IGNORE {table} SET {name} = ?", (value,))
                db.close()
                with ErrorStore(log) as store:
                    for ask in (
                        store.recent,
                        store.statistics,
                        store.groups,
                        store.trends,
                        store.choices,
                        store.health,
                    ):
                        with suppress(VisigateLoggingError):
                            ask()
                    store.rebuild()
