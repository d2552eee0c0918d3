"""Errors of one cause have one key, in every process and after every edit; others have others."""

import contextlib
import errno
import json
import logging
import sqlite3
import ssl
import subprocess
import sys
import urllib.error
from pathlib import Path
from typing import Any

import pytest

from tests.detail import raising
from tests.detail.test_stacks import record_of
from visigate_logging.detail import codes, fingerprint
from visigate_logging.detail.bounded import Bounded
from visigate_logging.detail.grouping.v1 import mask as mask_message
from visigate_logging.detail.options import DetailOptions
from visigate_logging.detail.record import ErrorDetail

SOURCE = '''
import sys


class GateError(Exception):
    """An error of the application's own."""


def inner(number):
    raise GateError(f"barrier {number} is stuck")


def outer(number):
    try:
        {}[number]
    except KeyError as error:
        inner(number)


def show():
    import logging
    from visigate_logging.detail.record import ErrorDetail

    try:
        outer(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
    except GateError as error:
        record = logging.LogRecord("gate", 40, __file__, 1, "m", None, (type(error), error, error.__traceback__))
    print(ErrorDetail.from_record(record).fingerprint)


if __name__ == "__main__":
    show()
'''


def key(error: BaseException, **extra: Any) -> str:
    return ErrorDetail.from_record(record_of(error, **extra)).fingerprint


def why(error: BaseException) -> dict[str, Any]:
    return dict(ErrorDetail.from_record(record_of(error)).grouping)


def test_the_key_is_alike_run_as_script_as_module_and_imported_and_after_lines_shift(tmp_path: Path) -> None:
    def shown(*arguments: str) -> str:
        done = subprocess.run([sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    package = tmp_path / "gatepkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    program = package / "gateprog.py"
    program.write_text(SOURCE)
    spawn = (
        "import multiprocessing as m, gatepkg.gateprog\n"
        "if __name__ == '__main__':\n"
        "    p = m.get_context('spawn').Process(target=gatepkg.gateprog.show)\n    p.start(); p.join()\n"
    )
    (tmp_path / "spawner.py").write_text(spawn)
    keys = [
        shown("gatepkg/gateprog.py", "7"),
        shown("-m", "gatepkg.gateprog", "8"),
        shown("-c", "import gatepkg.gateprog as g; g.show()"),
        shown("spawner.py"),
    ]
    program.write_text("\n\n# shifted\n" + SOURCE.replace("def outer", "\n\n\ndef outer"))
    keys.append(shown("gatepkg/gateprog.py"))
    assert keys[0].startswith("v3:")
    assert set(keys) == {keys[0]}
    program.write_text(SOURCE.replace("is stuck", "is open"))
    assert shown("gatepkg/gateprog.py") != keys[0]


def test_why_names_the_parts_of_the_key() -> None:
    error = raising.through(OSError(errno.ECONNREFUSED, "Connection refused by 10.0.0.5"))
    error.__cause__ = sqlite3.OperationalError("locked")
    error.__cause__.sqlite_errorname = "SQLITE_BUSY"  # type: ignore[attr-defined]
    assert why(error) == {
        "type": "ConnectionRefusedError",
        "code": "ECONNREFUSED",
        "culprit": ("tests.detail.raising.through.<locals>.raise_it: raise error",),
        "message": "[Errno 111] Connection refused by <host>",
        "causes": ("sqlite3.OperationalError SQLITE_BUSY",),
    }


def test_contexts_do_not_count_and_causes_do() -> None:
    def failing(**links: BaseException) -> BaseException:
        error = ValueError("x")
        for name, other in links.items():
            setattr(error, f"__{name}__", other)
        return raising.through(error)

    assert key(failing()) == key(failing(context=KeyError()))
    assert key(failing()) != key(failing(cause=KeyError()))
    assert key(failing(cause=OSError(2, "a"))) != key(failing(cause=OSError(13, "a")))


@pytest.mark.parametrize("named", ["camera", ["camera", "north"], ("camera", "north"), 17])
def test_a_group_that_is_named_wins(named: Any) -> None:
    error = raising.through(ValueError("x"))
    other = raising.through(KeyError("y"), 5)
    assert key(error, fingerprint=named) == key(other, fingerprint=named) != key(error)
    other.fingerprint = named  # type: ignore[attr-defined]
    assert key(other) == key(error, fingerprint=named)
    assert key(other, fingerprint="stronger") != key(other)
    plain = logging.LogRecord("g", 40, "f", 1, "m", None, None)
    plain.__dict__["fingerprint"] = named
    assert ErrorDetail.from_record(plain).fingerprint == key(other)


def test_an_attribute_of_that_name_that_is_no_name_of_a_group_is_passed_over() -> None:
    class CertificateError(Exception):
        def fingerprint(self) -> str:
            return "aa:bb"

    assert why(raising.through(CertificateError()))["type"].endswith("CertificateError")


def test_recursion_is_one_group_at_any_depth() -> None:
    def ping(n: int) -> None:
        pong(n)

    def pong(n: int) -> None:
        ping(n + 1)

    def start(depth: int) -> None:
        if depth:
            start(depth - 1)
        else:
            ping(0)

    keys = {key(raising.caught(start, depth)) for depth in (0, 1, 2, 7)} | {key(raising.caught(pong, 1))}
    assert len(keys) == 1

    def down(n: int) -> None:
        if n == 0:
            raise ValueError("bottom")
        down(n - 1)

    assert key(raising.caught(down, 3)) == key(raising.caught(down, 30))


def test_recursion_of_a_library_is_told_apart_by_who_called_it() -> None:
    import copy

    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]

    def one() -> None:
        copy.deepcopy(deep)

    def other() -> None:
        copy.deepcopy(deep)

    assert key(raising.caught(one)) == key(raising.caught(one)) != key(raising.caught(other))


def test_own_code_that_a_librarys_recursion_meets_the_limit_in_is_chance() -> None:
    import copy

    made: dict[str, Any] = {"__name__": "made"}  # own code that is called at the limit, as an audit hook may be
    exec("class Met:\n    def __deepcopy__(self, _):\n        raise RecursionError\n", made)

    def nested(innermost: Any) -> list[Any]:
        for _ in range(5000 if innermost is None else 100):
            innermost = [innermost]
        return [innermost]

    def one(deep: list[Any]) -> None:
        copy.deepcopy(deep)

    def other(deep: list[Any]) -> None:
        copy.deepcopy(deep)

    class Copied:
        """Own code between two calls of the library, of which the inner one does not end."""

        def __init__(self, act: Any) -> None:
            self.act = act

        def __deepcopy__(self, _: Any) -> None:
            self.act(nested(made["Met"]()))

    met = nested(made["Met"]())
    assert key(raising.caught(one, met)) == key(raising.caught(one, nested(None))) != key(raising.caught(other, met))
    assert key(raising.caught(copy.deepcopy, Copied(one))) != key(raising.caught(copy.deepcopy, Copied(other)))
    for named in ("made", "nothing"):  # no own code outside
        error = raising.caught(one, met)
        detail = ErrorDetail.from_record(record_of(error), DetailOptions(in_app=(named,)))
        assert detail.grouping["culprit"] == ("copy._deepcopy_list", "copy.deepcopy")


def test_a_group_of_exceptions_is_the_set_of_its_members_keys() -> None:
    def one(n: int) -> BaseException:
        return raising.through(ValueError(f"a {n}"))

    def other() -> BaseException:
        return raising.through(KeyError("b"), 3)

    def group(*members: Any) -> BaseException:
        return raising.through(BaseExceptionGroup(f"{len(members)}", members))

    assert key(group(one(1), other())) == key(group(other(), one(2), one(3)))
    assert key(group(one(1))) != key(group(other()))
    assert key(group(group(one(1)))) != key(group(one(1)))


def test_in_app_says_whose_code_is_the_culprit() -> None:
    record = record_of(raising.caught(json.loads, "{"))
    assert ErrorDetail.from_record(record).function == "caught"
    named = ErrorDetail.from_record(record, DetailOptions(in_app=("json",)))
    assert (named.module, named.function) == ("json.decoder", "raw_decode")
    assert why(raising.caught(json.loads, "{"))["culprit"][0].startswith("tests.detail.raising.caught: action(*args)")


def no_such_table() -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("select * from x")


class HTTPFailureError(Exception):
    """An error of an HTTP client."""

    def __init__(self, status: int) -> None:
        super().__init__("failed")
        self.status_code = status


class Response:
    """What it was answered."""

    status_code = 503


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "x"), "ENOSPC"),
        (ValueError("x"), ""),
        (HTTPFailureError(404), "HTTP 404"),
        (urllib.error.HTTPError("http://x", 502, "bad", None, None), "HTTP 502"),  # type: ignore[arg-type]
        (subprocess.CalledProcessError(3, "x"), "returned 3"),
        (subprocess.CalledProcessError(-9, "x"), "returned -9"),
        (raising.caught(no_such_table), "SQLITE_ERROR"),
        (raising.HostileError("x"), ""),
        (raising.LiarError("x"), ""),
    ],
    ids=lambda v: str(v)[:20] if not isinstance(v, raising.HostileError) else "hostile",
)
def test_the_code_of_an_exception_counts(error: BaseException, code: str) -> None:
    assert why(error)["code"] == code


def test_the_status_of_a_response_is_a_code() -> None:
    error = ValueError("x")
    error.response = Response()  # type: ignore[attr-defined]
    assert why(error)["code"] == "HTTP 503"


def test_errors_of_tls_have_their_own_codes() -> None:
    error = ssl.SSLError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] failed")
    error.reason = "CERTIFICATE_VERIFY_FAILED"
    assert why(error)["code"] == "CERTIFICATE_VERIFY_FAILED"


PLATES = [
    "B-AB 1234",
    "M AB 12",
    "MÜ-XY 99E",
    "AB12 CDE",
    "1234 BCD",
    "AB-123-CD",
    "AB 123 CD",
    "WA 12345",
    "WX 1234A",
    "PO 1AB23",
    "12-AB-34",
    "1-ABC-234",
    "W 12345 A",
    "ZH 123456",
    "1A2 3456",
    "ABC-123",
    "AA BB-123",
    "ABC 12A",
    "AB 12345",
    "12-D-1234",
    "ABC 1234",
    "7ABC123",
    "34 ABC 123",
    "B 123 ABC",
    "CB 1234 AB",
    "\u0410123\u0412\u0421 77",
]


@pytest.mark.parametrize("plate", PLATES)
def test_number_plates_are_masked(plate: str) -> None:
    masked = mask_message(f"vehicle {plate} has no permit")
    assert masked.replace("# #", "#") == "vehicle # has no permit"


@pytest.mark.parametrize(
    ("message", "masked"),
    [
        ("cannot open rtsp://10.0.0.5/stream now", "cannot open <url> now"),
        ("mail to bob.b@example.org failed", "mail to <email> failed"),
        ("no column 'plate' in \"cars\"", "no column <quoted> in <quoted>"),
        ("can't open, don't ask", "can't open, don't ask"),
        ("<Camera object at 0x7f0011aa>", "<Camera object at <address>>"),
        ("no file /var/lib/gate/x.db here", "no file <path> here"),
        ("no file data/images/front.jpg here", "no file <path> here"),
        ("frame 17 of cam7 after 3.5s", "frame # of # after #"),
        ("[Errno 111] Connection refused", "[Errno 111] Connection refused"),
        ("first line\nsecond 2", "first line"),
        ("", ""),
        ("id 550e8400-e29b-41d4-a716-446655440000 gone", "id # gone"),
        ("at 2026-05-04T12:00:00Z", "at #:#:#"),
    ],
)
def test_what_varies_in_a_message_is_masked(message: str, masked: str) -> None:
    assert mask_message(message) == masked


def test_names_stay_where_they_say_what_is_missing() -> None:
    text = "'NoneType' object has no attribute 'read'"
    assert mask_message(text, keep_names=True) == text
    assert why(raising.through(AttributeError(text)))["message"] == text
    assert why(raising.through(ValueError(text)))["message"] != text


@pytest.mark.parametrize(
    "fragment", ["a/", "a.", "a@", "'", "0x", "A ", "a/a.", "://", "1", "~/", "[Errno ", "a.a/", "AB 1"]
)
def test_masking_takes_no_long_time(fragment: str) -> None:
    import time

    started = time.process_time()
    mask_message(fragment * 30_000)
    assert time.process_time() - started < 0.5


def plain_key(logger: str, message: Any, *args: Any) -> str:
    record = logging.LogRecord(logger, 40, "/gate/camera.py", 1, message, args, None, "grab")
    return ErrorDetail.from_record(record).fingerprint


def test_a_plain_message_is_grouped_by_its_template_logger_and_place() -> None:
    assert plain_key("gate", "camera %s lost", "north") == plain_key("gate", "camera %s lost", "south")
    assert plain_key("gate", "camera 5 lost") == plain_key("gate", "camera 6 lost")
    assert plain_key("gate", "camera lost") != plain_key("gate", "camera found")
    assert plain_key("gate", "camera lost") != plain_key("web", "camera lost")


def test_remembered_parts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "_known", Bounded(50))
    monkeypatch.setattr(codes, "_classes", Bounded(50, codes._look_at_class))
    for number in range(200):
        key(type(f"Error{number}", (Exception,), {})("x"))
        plain_key("gate", "x" * (number + 1))
    assert len(fingerprint._known) <= 50
    assert len(codes._classes) <= 50


def test_asyncio_tells_of_each_coroutine_apart_and_of_all_its_tasks_together() -> None:
    def told(number: int, runs: str) -> str:
        message = (
            f"Task was destroyed but it is pending!\ntask: <Task pending name='Task-{number}' "
            f"coro=<{runs}() running at /srv/gate.py:{number}> wait_for=<Future pending cb=[Task.task_wakeup()]>>"
        )
        return ErrorDetail.from_record(logging.LogRecord("asyncio", 40, "f", 1, message, None, None)).fingerprint

    assert told(1, "Camera.watch") == told(2, "Camera.watch")
    assert len({told(1, runs) for runs in ("Camera.watch", "Barrier.watch", "main.<locals>.watch")}) == 3
