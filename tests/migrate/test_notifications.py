"""A notification manager is told like an administrator by mail: off the caller's thread, once, with counts."""

import contextlib
import json
import logging
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace

import pytest

from visigate_logging import ErrorHandler
from visigate_logging.delivery.throttle import Incident, Windows
from visigate_logging.detail.record import CACHED_AS, ErrorDetail
from visigate_logging.host import State, host_seconds
from visigate_logging.migrate.notifications import ManagerHandler

QUICK = Windows(group_wait=0.05, interval=0.2, max_interval=0.2, quiet=60.0)


class Manager:
    """Notes what it is told, in which thread; refuses as long as it is to."""

    def __init__(self, refuse: int = 0) -> None:
        self.told: list[tuple[str, str]] = []
        self.threads: set[int] = set()
        self.news = threading.Semaphore(0)
        self.refuse = refuse

    def send_email_notification(self, *, subject: str, message: str) -> bool:
        if self.refuse:
            self.refuse -= 1
            raise ConnectionRefusedError(111, "no mail today")
        self.told.append((subject, message))
        self.threads.add(threading.get_ident())
        self.news.release()
        return True


def fail(handler: ErrorHandler, times: int = 1) -> None:
    for _ in range(times):
        try:
            raise ConnectionResetError(104, "camera is away, password=hunter2")
        except OSError as error:
            handler.log_error(error, "camera_module", "grab_frame")


@pytest.fixture
def manager() -> Manager:
    return Manager()


@pytest.fixture
def handler_of(tmp_path):
    """Makes a handler and what it tells the manager by, which is ended afterwards."""
    with contextlib.ExitStack() as ends:

        def make(manager: Manager, windows: Windows | None = QUICK) -> tuple[ErrorHandler, ManagerHandler]:
            handler = ErrorHandler(log_dir=tmp_path, notification_manager=manager if windows is None else None)
            if windows is not None:
                handler._notifications = ManagerHandler(manager, tmp_path / "errors/state", windows)
            ends.callback(handler._notifications.close)
            return handler, handler._notifications

        yield make


def test_it_is_called_in_another_thread_with_what_where_and_the_traceback(manager, handler_of):
    handler, _ = handler_of(manager, windows=None)
    fail(handler)
    assert manager.news.acquire(timeout=20)
    ((subject, message),) = manager.told
    assert subject == "VisiGate Error: ConnectionResetError: [Errno 104] camera is away, password=***"
    assert "Traceback (most recent call last):" in message
    assert "hunter2" not in message
    assert threading.get_ident() not in manager.threads


def test_the_caller_does_not_wait_for_it(handler_of):
    release, entered = threading.Event(), threading.Event()

    class Slow:
        def send_email_notification(self, **_: str) -> None:
            entered.set()
            release.wait(60)

    handler, _ = handler_of(Slow())
    fail(handler)
    assert entered.wait(20)
    fail(handler)  # returns though the manager does not
    assert not release.is_set()
    release.set()


def settled(notifications: ManagerHandler, **expected: object) -> dict:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        counts = notifications.counts()
        if expected.items() <= counts.items():
            return counts
        time.sleep(0.1)
    raise AssertionError(counts)


def test_a_thousand_errors_of_a_kind_are_told_in_a_few_messages_and_all_are_counted(manager, handler_of):
    handler, notifications = handler_of(manager)
    fail(handler, 1000)
    handler.log_error(KeyError("other"), "web", "index")
    assert manager.news.acquire(timeout=20)
    notifications.close()
    counts = settled(notifications, accepted=1001, dropped={})
    assert 1 <= len(manager.told) <= 12
    assert counts["delivered"] + counts["folded"] + counts["pending"] == 1001
    assert counts["delivered"] >= 1


def test_never_more_often_than_the_limit_of_an_hour_though_processes_come_and_go(manager, handler_of):
    windows = Windows(group_wait=0.0, max_per_hour=3)
    for number in range(6):
        handler, notifications = handler_of(manager, windows)
        handler.log_error(type(f"Kind{number}Error", (Exception,), {})(), "m", f"f{number}")
        settled(notifications, accepted=number + 1)
        assert manager.news.acquire(timeout=20) if number < 2 else True
        notifications.close()
    assert len(manager.told) == 2  # one is kept for what is critical
    assert notifications.counts()["pending"] == 4


def test_what_a_manager_refuses_is_told_later(handler_of):
    manager = Manager(refuse=1)
    handler, notifications = handler_of(manager)
    fail(handler)
    assert manager.news.acquire(timeout=20)
    counts = settled(notifications, delivered=1)
    assert counts == {"accepted": 1, "delivered": 1, "folded": 0, "dropped": {}, "pending": 0}


def test_the_same_exception_object_reported_once_more_is_told_once(manager, handler_of):
    _, notifications = handler_of(manager)
    for event, repeats in (("a", ""), ("b", "a"), ("c", "a"), ("d", "never taken"), ("e", "never taken")):
        record = logging.makeLogRecord({"levelno": 40, "levelname": "ERROR", "name": "gate", "msg": "no picture"})
        detail = replace(ErrorDetail.from_record(record), event_id=event, repeats=repeats)
        record.__dict__[CACHED_AS] = detail.to_dict()
        notifications.handle(record)
    assert manager.news.acquire(timeout=20)
    notifications.close()
    counts = settled(notifications, accepted=2)  # the same exception once more is no other error
    assert counts["delivered"] + counts["folded"] + counts["pending"] == 2


SCRIPT = """
import sys
from visigate_logging import setup_error_handler
class Manager:
    def send_email_notification(self, subject, message):
        print(subject)
setup_error_handler(Manager(), sys.argv[1])
raise ZeroDivisionError("at the end")
"""


def test_an_error_that_ends_the_process_is_told_and_a_loop_of_such_ends_once(tmp_path):
    runs = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
        )
        for _ in range(3)
    ]
    assert [run.stderr.count("ZeroDivisionError: at the end") for run in runs] == [1, 1, 1]
    assert "".join(run.stdout for run in runs) == "VisiGate Error: ZeroDivisionError: at the end\n"


def test_what_an_earlier_version_has_told_is_not_told_anew(manager, tmp_path):
    state = State(tmp_path / "errors/state", "CREATE TABLE notified (fingerprint TEXT PRIMARY KEY, incident, detail)")
    record = logging.makeLogRecord({"levelno": 40, "levelname": "ERROR", "name": "gate", "msg": "no picture"})
    detail = ErrorDetail.from_record(record)
    with state.transaction() as connection:
        now, times = host_seconds(connection), (detail.timestamp,) * 3
        told = Incident(detail.fingerprint, "ERROR", now, now, *times, told=7, told_at=now, wait=300.0)
        values = (detail.fingerprint, json.dumps(asdict(told)), detail.to_json())
        connection.execute("INSERT INTO notified VALUES (?, ?, ?)", values)
    state.close()
    notifications = ManagerHandler(manager, tmp_path / "errors/state", Windows())
    notifications.handle(record)
    settled(notifications, accepted=1, pending=1)
    notifications.close()  # what is new is told without waiting for others
    assert manager.told == []
