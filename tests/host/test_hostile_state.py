"""Whatever a row, a mark, a journal or a message in the outbox holds, nothing ends in a traceback, or for good."""

import logging
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from visigate_logging.delivery.entries import entries_of
from visigate_logging.delivery.incidents import Incidents
from visigate_logging.delivery.spool import Spool
from visigate_logging.delivery.tables import SCHEMA
from visigate_logging.delivery.throttle import Windows
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
    for content in mutations(detail.to_json() + b"\n" + short.encode(), number, 3):
        entries_of(content + b"\n" + short.encode(), {})


@NUMBERS
def test_a_garbage_message_in_the_outbox_is_read(tmp_path: Path, number: int) -> None:
    spool = Spool(tmp_path)
    spool.stage("1", ["admin@example.org"], b"Subject: no picture\n\ntext")
    path = spool.publish("1")
    for content in mutations(path.read_bytes(), number, 4):
        path.write_bytes(content)
        assert len(spool.messages()) == 1


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
