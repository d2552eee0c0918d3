"""What was one group by earlier rules is found again under its old key."""

import logging
from typing import Any

import pytest

from visigate_logging.detail.grouping import former_keys
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


def test_a_group_that_is_named_has_had_no_other_key() -> None:
    assert former_keys(built("x", fingerprint="camera")) == ()


def test_a_line_with_anything_for_parts_has_no_former_key() -> None:
    for parts in ({"a": 1}, {"members": 5}, {"type": None}, {"logger": []}, {"members": [{}]}):
        assert former_keys(ErrorDetail.from_dict({"grouping": parts, "error_message": "x"})) == ()
