"""Whatever a row, a mark, a journal or a message in the outbox holds, nothing ends in a traceback, or for good."""

import logging
import random
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from visigate_logging.delivery.digest import Digest
from visigate_logging.delivery.entries import Entry, entries_of
from visigate_logging.delivery.incidents import Incidents
from visigate_logging.delivery.mail import MailTemplate, compose
from visigate_logging.delivery.spool import Spool
from visigate_logging.delivery.summary import Schedule, summary_text
from visigate_logging.delivery.tables import SCHEMA, is_count
from visigate_logging.delivery.throttle import Incident, Windows
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host import State
from visigate_logging.recovery.budgets import Budgets, Marks
from visigate_logging.recovery.policy import Budget
from visigate_logging.recovery.steps.base import Context

GARBAGE = [
    b"", b"null", b"[]", b"{}", b"5", b'"x"', b"\xff\xfe", b"\0" * 20, b'{"attempts": 5}', b'{"attempts": [null]}',
    b'{"attempts": [1e400]}', b'{"attempts": [], "failures": "x"}', b'{"attempts": [], "rest_until": null}',
    b'{"other": 1}', b"[[]]", b"[1]", b'[{"fingerprint": 1}]',
]  # fmt: skip
PIECES = [b"null", b"1e999", b"-1", b"[]", b"{}", b'"\\ud800"', b"9" * 30, b"\n", b" ", b"\xff"]


def mutations(good: bytes, number: int, seed: int) -> Iterator[bytes]:
    """Garbage, then the good one changed at one to four places."""
    yield from GARBAGE
    chance = random.Random(seed)
    for _ in range(number):
        changed = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(changed) + 1)
            changed[at : at + chance.randrange(6)] = chance.choice([*PIECES, bytes([chance.randrange(256)])])
        yield bytes(changed)


NUMBERS = pytest.mark.parametrize("number", [100, pytest.param(20_000, marks=pytest.mark.stress)])


@NUMBERS
def test_a_garbage_budget_is_a_new_one(tmp_path: Path, number: int) -> None:
    budgets = Budgets(tmp_path)
    budgets.save("database", Budget(attempts=(1.0, 2.0), failures=1, rest_until=5.0))
    with budgets.state.transaction() as connection:
        good = connection.execute("SELECT budget FROM recovery").fetchone()[0].encode()
    for content in mutations(good, number, 1):
        with budgets.state.transaction() as connection:
            connection.execute("UPDATE recovery SET budget = ?", (content.decode("latin-1"),))
        budget, now = budgets.load("database")
        assert sum(budget.attempts) + budget.failures + budget.rest_until + now < 1e17
        assert budgets.all() == {"database": budget}
    budgets.state.close()


@NUMBERS
def test_a_garbage_mark_is_none(tmp_path: Path, number: int) -> None:
    marks = Marks(tmp_path)
    (tmp_path / "recovery").mkdir()
    marks.set(Context(procedure="database", key="gate", event_id="0" * 32, codes={"sqlite": 11}))
    (path,) = (tmp_path / "recovery").glob("*.pending")
    for content in mutations(path.read_bytes(), number, 2):
        path.write_bytes(content)
        assert len(list(marks.pending())) <= 1


@NUMBERS
def test_a_garbage_line_of_the_journal_is_passed_over(number: int) -> None:
    detail = ErrorDetail.from_record(logging.LogRecord("gate", logging.ERROR, __file__, 1, "no picture", (), None))
    short = f"{detail.fingerprint} {detail.timestamp} ERROR {detail.event_id} 3\n"
    crafted = [orjson.dumps(detail.to_dict() | {"timestamp": value, "severity": value}) for value in VALUES]
    crafted.append(short.replace(" 3\n", f" {'9' * 30}").encode())
    for content in [*crafted, *mutations(detail.to_json() + b"\n" + short.encode(), number, 3)]:
        entries: dict[str, Entry] = {}
        entries_of(content + b"\n" + short.encode(), entries)
        for entry in entries.values():
            assert is_count(entry.count)
            assert {type(text) for text in (entry.fingerprint, entry.first_time, entry.severity)} == {str}


@NUMBERS
def test_a_garbage_message_in_the_outbox_is_read(tmp_path: Path, number: int) -> None:
    spool = Spool(tmp_path)
    spool.stage("1", ["admin@example.org"], b"Subject: no picture\n\ntext")
    path = spool.publish("1")
    for content in mutations(path.read_bytes(), number, 4):
        path.write_bytes(content)
        assert len(spool.messages()) == 1


VALUES = [
    None, True, -1, 0, 1.5, -1e308, 1e308, 2**63, "", "x", "\0", "9999-12-31T23:59:59-14:00", "0001-01-01", [], [1],
    ["x"], [[]], {}, {"a": 1}, {"a": "x"}, {"2026-05-04 ERROR": 2**63},
]  # fmt: skip
INCIDENT = Incident(
    "v1:camera", "ERROR", 1.0, 2.0, *["2026-05-04T12:00:00.000000Z"] * 3, untold=1, told=1, told_at=1.0, wait=1.0,
    thread="<a@b>", told_severity="ERROR", signs=("host gate",), muted="1", muted_errors={"2026-05-04 ERROR": 1},
)  # fmt: skip
WEEK = {"since": "2026-05-04T12:00+00:00", "counts": {"v1:camera": [1, "ERROR", "title"]}, "before": ["v1:camera"]}


def varied(good: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A mapping with each value of another type, or missing."""
    for name in good:
        yield {key: value for key, value in good.items() if key != name}
        yield from (good | {name: value} for value in VALUES)


class Telling:
    """Incidents whose rows can be anything, and what they tell of errors that come."""

    def __init__(self, place: Path) -> None:
        self.state = State(place / "state", SCHEMA)
        monday = Schedule(0, 7, 0)
        self.incidents = Incidents(self.state, "mail", Windows(max_per_hour=10**9), summary=monday)
        self.digested = Incidents(self.state, "mail", Windows(max_per_hour=10**9), digest=Schedule(None, 0, 0))
        self.number = 0

    def put(self, table: str, content: bytes) -> None:
        with self.state.transaction() as connection:
            connection.execute(f"REPLACE INTO {table} VALUES ('mail', ?)", (content,))

    def tells(self) -> bool:
        """Whether an error that comes now is told, and nothing ends in a traceback."""
        self.number += 1
        entries: dict[str, Entry] = {}
        entries_of(f"v1:new 2026-05-04T12:00:00.000000Z ERROR {self.number:032x}\n".encode(), entries)
        self.incidents.book(lambda _: (entries.values(), {str(self.number): 1}))
        self.incidents.waiting(), self.incidents.sheet()
        told: list[Digest] = []

        def stage(digest: Digest) -> bool:
            told.append(digest)
            compose_mail(digest)
            return False

        self.digested.compose("1", stage)
        while self.incidents.compose("1", stage, hurry=True) == 0.0:
            assert len(told) < 100
        now = datetime(2026, 5, 5, tzinfo=UTC)
        self.incidents.summaries.summarise(f"{self.number}", summary_text, now)
        return any(item.group.fingerprint == "v1:new" for digest in told for item in digest.items)


def compose_mail(digest: Digest) -> bytes:
    """The mail of what is told."""
    return compose(digest, "1", MailTemplate("gate@example.org", ("admin@example.org",), "Error"))


@pytest.fixture
def telling(tmp_path: Path) -> Iterator[Telling]:
    made = Telling(tmp_path)
    yield made
    made.state.close()


def test_whatever_type_is_in_an_incident_what_comes_is_told(telling: Telling) -> None:
    rows = [row | {"fingerprint": f"v1:{n}"} for n, row in enumerate(varied(asdict(INCIDENT)))]
    rows += [asdict(INCIDENT) | {"fingerprint": value} for value in VALUES]
    telling.put("mail_incidents", orjson.dumps(rows[:480]))
    assert telling.tells()
    telling.put("mail_incidents", orjson.dumps(rows[480:]))
    assert telling.tells()


def test_whatever_type_is_in_a_week_it_is_summed_up_or_begun_anew(telling: Telling) -> None:
    group = [1, "ERROR", "title"]
    groups = [[*group[:at], value, *group[at + 1 :]] for value in VALUES for at in range(3)]
    for row in [*varied(WEEK), *(WEEK | {"counts": {"v1:x": found}} for found in groups)]:
        telling.put("mail_weeks", orjson.dumps(row))
        with telling.state.transaction() as connection:
            telling.incidents.summaries.count(connection, [Entry("v1:x", 1, "2026", "2026", "ERROR")])
    assert telling.tells()


@NUMBERS
def test_bytes_changed_in_an_incident_stop_no_mail(telling: Telling, number: int) -> None:
    for content in mutations(orjson.dumps([asdict(INCIDENT)]), number // 4, 5):
        telling.put("mail_incidents", content)
        assert telling.tells(), content


def test_garbage_in_the_tables_of_mail_stops_no_mail(tmp_path: Path) -> None:
    state = State(tmp_path, SCHEMA)
    incidents = Incidents(state, "mail", Windows())
    for content in GARBAGE:
        with state.transaction() as connection:
            connection.execute("REPLACE INTO mail_incidents VALUES ('mail', ?)", (content,))
            connection.execute("REPLACE INTO mail_cursors VALUES ('mail', ?)", (content,))
        assert incidents.sheet()["accepted"] == 0
        incidents.book(lambda known: ((), known))
        incidents.waiting() if content != GARBAGE[-1] else None
    state.close()
