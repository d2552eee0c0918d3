"""What servers refuse for different reasons is told apart by the code of their answer, and by nothing else of it."""

import logging
import smtplib
import traceback
from collections.abc import Callable, Sequence

import pytest

from visigate_logging.detail.grouping import current_key, former_keys
from visigate_logging.detail.record import ErrorDetail


class OperationalError(Exception):
    """As PyMySQL and mysqlclient name it."""


class WrappedError(Exception):
    """As SQLAlchemy writes it."""

    def __str__(self) -> str:
        return f"(pymysql.err.OperationalError) {self.args}\n[SQL: SELECT 1]"


class PlateError(Exception):
    """One of the application's, with a number of its own."""


def refused(answers: Sequence[tuple[int, bytes]]) -> list[Exception]:
    return [smtplib.SMTPRecipientsRefused({f"{n}@gate.example": a}) for n, a in enumerate(answers)]


def live(exc: Exception) -> ErrorDetail:
    try:
        raise exc
    except Exception as error:
        return ErrorDetail.from_record(
            logging.makeLogRecord({"levelno": 40, "exc_info": (type(error), error, error.__traceback__)})
        )


def written(exc: Exception) -> ErrorDetail:
    try:
        raise exc
    except Exception:
        return ErrorDetail.from_record(logging.makeLogRecord({"levelno": 40, "msg": traceback.format_exc()}))


def text(exc: Exception) -> ErrorDetail:
    return ErrorDetail.from_record(logging.makeLogRecord({"levelno": 40, "msg": f"mail failed: {exc}"}))


def group(exc: Exception) -> ErrorDetail:
    return live(ExceptionGroup("two", [ValueError(), exc]))


REPLIES = [
    [smtplib.SMTPDataError(550, b"5.7.1 spam (4g8hXn02)"), smtplib.SMTPDataError(550, b"5.7.1 spam (5h9iYo13)")],
    [smtplib.SMTPDataError(552, b"5.3.4 too large")],
    [smtplib.SMTPDataError(421, b"4.7.28 rate")],
]
RECIPIENTS = [refused([(550, b"no such user"), (550, b"no")]), refused([(451, b"greylisted")])]
DRIVERS = [
    [
        OperationalError(2003, "Can't connect to MySQL server on 'db1'"),
        OperationalError(2003, "Can't connect to 'db2'"),
    ],
    [OperationalError(1045, "Access denied for user 'gate'@'172.18.0.5'")],
    [OperationalError(1213, "Deadlock found when trying to get lock")],
]
WRAPPED = [[WrappedError(*exc.args) for exc in group] for group in DRIVERS]


@pytest.mark.parametrize(
    ("kinds", "told"),
    [(kinds, told) for kinds in (REPLIES, RECIPIENTS, WRAPPED) for told in (live, written, text, group)]
    + [(DRIVERS, told) for told in (live, written, group)],  # without its class a pair in a text may be anything
)
def test_answers_with_one_code_are_one_group_and_with_another_another(
    kinds: list[list[Exception]], told: Callable[[Exception], ErrorDetail]
) -> None:
    details = [[told(exc) for exc in kind] for kind in kinds]
    keys = [{detail.fingerprint for detail in kind} for kind in details]
    assert [len(kind) for kind in keys] == [1] * len(kinds)
    assert len(set.union(*keys)) == len(kinds)
    for detail in [detail for kind in details for detail in kind]:
        assert current_key(ErrorDetail.from_dict(detail.to_dict())) == detail.fingerprint
        assert any(key.startswith("v3:") for key in former_keys(detail))


@pytest.mark.parametrize("exc", [PlateError(4711, "unknown"), KeyError((4711, "x")), ValueError("box (404, 'left')")])
def test_a_number_of_the_applications_own_tells_nothing_apart(exc: Exception) -> None:
    assert live(exc).fingerprint.startswith("v3:")
