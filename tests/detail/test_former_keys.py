"""What was one group by earlier rules is found again under its old key."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.detail import raising
from tests.detail.test_stacks import record_of
from visigate_logging.detail.grouping import current_key, former_keys
from visigate_logging.detail.handled import HANDLED_AS, Handled
from visigate_logging.detail.record import ErrorDetail


def built(message: Any, *args: Any, **given: Any) -> ErrorDetail:
    record = logging.LogRecord("gate", 40, "/gate/camera.py", 1, message, args, None, "grab")
    record.__dict__.update(given)
    return ErrorDetail.from_record(record)


def read(detail: ErrorDetail) -> ErrorDetail:
    return ErrorDetail.from_dict(detail.to_dict())


# Made by the first version: logger "gate", file camera.py, function grab.
@pytest.mark.parametrize(
    ("detail", "v1"),
    [
        (built("camera %s lost", "north"), "v1:58268aef68ce6017"),
        (built("camera 5 lost"), "v1:b323623b948b19b8"),
        (built({"event": "no picture"}), "v1:e88fe4c6d6690612"),
        (built("%s", "camera 5 lost"), "v1:5691bc4e910bea21"),
    ],
)
def test_a_text_is_known_by_the_key_of_the_first_version(detail: ErrorDetail, v1: str) -> None:
    assert v1 in (detail.fingerprint, *former_keys(detail))
    assert former_keys(read(detail)) == former_keys(detail)


SOURCE = """
def a(): raise ValueError("camera 5 at 10.0.0.5 'x' CAM 3")
def c():
    try: open("/no/such")
    except OSError as e: raise RuntimeError("no picture 5") from e
def d(): raise ExceptionGroup("two", [ValueError("cam 3 a1"), ExceptionGroup("i",[KeyError("b")])])
"""


@pytest.mark.parametrize(
    ("function", "v1"),
    [
        ("a", "v1:5be7c3378e7a138e"),
        ("c", "v1:932cb8df7175d520"),
        ("d", "v1:226a0837a60ccb69"),
    ],
)
def test_an_exception_is_known_by_the_key_of_the_first_version(tmp_path: Path, function: str, v1: str) -> None:
    with raising.imported(tmp_path, "kk", SOURCE) as module:
        detail = ErrorDetail.from_record(record_of(raising_in(getattr(module, function))))
    assert detail.fingerprint.startswith("v3:")
    assert v1 in former_keys(detail)
    assert former_keys(read(detail)) == former_keys(detail)
    assert current_key(read(detail)) == detail.fingerprint


def raising_in(function: Callable[[], object]) -> BaseException:
    try:
        function()
    except Exception as error:
        entered = error.__traceback__
        return error.with_traceback(entered and entered.tb_next)
    raise AssertionError


def test_an_exception_that_was_a_text_before_it_was_taken_up_is_known_by_the_key_of_the_text() -> None:
    record = logging.LogRecord("gate", 40, "/gate/camera.py", 1, "camera 5 lost", (), None, "grab")
    error = raising_in(lambda: int("x"))
    record.__dict__[HANDLED_AS] = Handled(error, handled=True)
    detail = ErrorDetail.from_record(record)
    assert detail.error_type == "ValueError"
    assert "v1:b323623b948b19b8" in former_keys(read(detail))


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ({"grouping": {"logger": "gate", "culprit": ["camera in grab"], "message": "camera # lost"}}, "v3:"),
        ({"grouping": {"members": ["v1:a", "v1:b"]}}, "v1:old"),
        ({"grouping": {}}, "v1:old"),
        ({"grouping": {"type": 5}}, "v1:old"),
    ],
)
def test_an_old_line_has_the_key_of_today_where_its_parts_tell(line: dict[str, Any], key: str) -> None:
    detail = ErrorDetail.from_dict({"fingerprint": "v1:old", "error_message": "camera 5 lost", **line})
    assert current_key(detail).startswith(key)
    if key == "v3:":
        assert current_key(detail) == built("camera 7 lost").fingerprint


def test_a_group_that_is_named_has_had_no_other_key() -> None:
    assert former_keys(built("x", fingerprint="camera")) == ()


def test_a_line_with_anything_for_parts_has_no_former_key() -> None:
    for parts in ({"a": 1}, {"members": 5}, {"type": None}, {"logger": []}, {"members": [{}]}):
        assert former_keys(ErrorDetail.from_dict({"grouping": parts, "error_message": "x"})) == ()
