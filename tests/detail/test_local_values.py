"""Values of local variables: told without running the application's code, without secrets, and kept by nobody."""

import datetime
import decimal
import enum
import gc
import logging
import sys
import time
import types
import weakref
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask, g, request

from visigate_logging.detail.local_values import MAX_ALL, values_of
from visigate_logging.detail.options import DetailOptions
from visigate_logging.detail.pseudonyms import Pseudonyms
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.detail.redaction import Redactor

REDACTOR = Redactor()
RAN: list[str] = []


def told(**variables: Any) -> dict[str, Any]:
    """What is told of a frame that has these variables."""
    frame = types.SimpleNamespace(f_locals=variables, f_code=(lambda: None).__code__)
    (found,) = values_of([frame], REDACTOR)  # type: ignore[list-item]
    return found


def detail_of(fail: Callable[[], object], **options: Any) -> ErrorDetail:
    try:
        fail()
    except Exception as error:
        info = (type(error), error, error.__traceback__)
        record = logging.LogRecord("gate", logging.ERROR, __file__, 1, "failed", (), info)
    return ErrorDetail.from_record(record, DetailOptions(service=str(time.monotonic_ns()), **options))


def values_in(detail: ErrorDetail) -> dict[str, dict[str, Any]]:
    return {frame.function: dict(frame.values) for e in detail.exceptions for frame in e.frames if frame.values}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (2.5, 2.5),
        (float("nan"), "<nan>"),
        (2**70, "<int of 71 bits>"),
        ("entrance", "entrance"),
        ("x" * 500, "x" * 200 + "[… 300 more]"),
        ("\udc80", "\\udc80"),
        (b"abc\xff", "abc\\xff"),
        (b"x" * 20_000_000, "<bytes of 20000000 bytes>"),
        ([1, [2, [3, [4]]]], [1, [2, [3, "<list of 1>"]]]),
        (tuple(range(20)), [*range(8), "[12 more]"]),
        ({"a": {"b": 1}}, {"a": {"b": 1}}),
        ({1: "x", (2, 3): "y", None: "z"}, {"1": "x", "<tuple of 2>": "y", "None": "z"}),
        (OrderedDict(a=1), {"a": 1}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        (deque([1, 2]), [1, 2]),
        (frozenset([1]), [1]),
        (namedtuple("P", "x y")(1, 2), [1, 2]),
        (Path("/tmp/a"), "/tmp/a"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (decimal.Decimal("1.5"), "1.5"),
        (enum.Enum("Light", "RED").RED, "Light.RED"),
        (np.zeros((4, 3), np.uint8), "<ndarray of uint8, shape (4, 3)>"),
        (np.float32(1.5), 1.5),
        (ValueError("no", 3), "<ValueError('no', 3)>"),
        (
            types.SimpleNamespace(host="cam", port=554, size=(4, 3)),
            "<SimpleNamespace host='cam', port=554, size=(4, 3)>",
        ),
        (object(), "<object>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_is_told_plainly_and_bounded(value: object, shown: object) -> None:
    assert told(value=value) == {"value": shown}


def test_modules_functions_and_classes_are_not_told() -> None:
    assert told(a=logging, b=told, c=Path, d=len, e=[].append, __name__="x") == {}


def noted(name: str) -> Callable[..., Any]:
    def run(*_: Any, **__: Any) -> Any:
        RAN.append(name)
        raise RuntimeError(name)

    return run


class Meta(type):
    """A metaclass that notes what is run of it."""

    __eq__ = noted("metaclass ==")
    __hash__ = noted("metaclass hash")
    __instancecheck__ = noted("metaclass isinstance")
    __subclasscheck__ = noted("metaclass issubclass")
    __name__ = property(noted("metaclass name"))  # type: ignore[assignment]


METHODS = """__getattribute__ __getattr__ __repr__ __str__ __len__ __iter__ __eq__ __hash__ __bool__ __format__
__index__ __getitem__ __contains__ __float__ __int__ __dir__ __array__ items keys values __length_hint__ isoformat"""
PROPERTIES = "__class__ shape dtype"
CODE = {name: noted(name) for name in METHODS.split()} | {name: property(noted(name)) for name in PROPERTIES.split()}
HOSTILE = [
    Meta(f"Hostile{base.__name__}", (base,), dict(CODE))
    for base in (object, dict, list, tuple, str, int, float, bytes, bytearray, set, deque, Exception, datetime.date)
]


@pytest.mark.parametrize("kind", HOSTILE, ids=lambda kind: type.__dict__["__mro__"].__get__(kind)[1].__name__)
def test_no_code_of_an_object_is_run(kind: Any) -> None:
    RAN.clear()
    base = type.__dict__["__mro__"].__get__(kind)[1]
    value = base.__new__(kind, 2026, 1, 2) if base is datetime.date else base.__new__(kind)
    found = told(value=value, inside=[value], under={"key": value})
    assert RAN == []
    assert set(found) == {"value", "inside", "under"}


def test_a_proxy_is_not_followed() -> None:
    app = Flask("gate")
    with app.test_request_context("/camera?password=hunter2", headers={"Authorization": "Basic aHVudGVyMg=="}):
        g.user = "x"
        found = told(request=request, g=g, app=app, real=request._get_current_object())
    assert found["request"] == "<LocalProxy>"
    assert "aHVudGVyMg" not in str(found)


def test_secrets_are_masked_by_name_and_by_form_at_any_depth() -> None:
    class Camera:
        def __init__(self) -> None:
            self.password = "hunter2"
            self.url = f"rtsp://admin:hunter2@{'x' * 100}.local/1"

    found = told(
        password="hunter2",
        config={"a": [{"api_key": "hunter2"}], "url": "rtsp://admin:hunter2@cam/1"},
        headers={"Authorization": "Basic hunter2hunter2=="},
        camera=Camera(),
        several=[Camera(), "http://u:hunter2@x/", b"http://u:hunter2@x/"],
        cut="x" * 180 + " http://user:hunter2" + "y" * 100 + "@host/",
        pin=1234,
        error=ValueError("cannot log in to http://u:hunter2@x/"),
    )
    assert "hunter2" not in str(found)
    assert found["password"] == found["pin"] == "***"
    assert found["config"] == {"a": [{"api_key": "***"}], "url": "rtsp://***@cam/1"}


def test_what_is_much_is_cut_and_takes_little_time() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    heavy = {
        "objects": [object() for _ in range(10_000)],
        "many": {str(n): "x" * 100 for n in range(10_000)},
        "text": "x" * 20_000_000,
        "cycle": cycle,
        "image": np.zeros((1000, 1000), np.uint8),
        **{f"v{n}": ["y" * 1000] * 1000 for n in range(1000)},
    }
    started = time.thread_time()
    found = told(**heavy)
    taken = time.thread_time() - started
    assert len(str(found)) < 2 * MAX_ALL
    assert found["cycle"] == [[["<list of 1>"]]]
    assert taken < 1.0  # hundreds of times what it takes


def test_a_record_tells_the_values_of_the_innermost_own_frames() -> None:
    def inner(url: str) -> None:
        retries = 3
        raise ValueError(url, retries)

    def outer() -> None:
        camera = "entrance"
        inner(f"cam {camera}")

    detail = detail_of(outer)
    assert values_in(detail)["inner"] == {"url": "cam entrance", "retries": 3}
    assert values_in(detail)["outer"]["camera"] == "entrance"
    read = ErrorDetail.from_dict(detail.to_dict())
    assert values_in(read) == values_in(detail)
    assert read.to_json() == detail.to_json()
    assert b'"values":{}' not in detail.to_json()


def test_at_most_five_frames_are_told_the_innermost_first() -> None:
    def down(depth: int) -> None:
        if not depth:
            raise ValueError
        down(depth - 1)

    detail = detail_of(lambda: down(20))
    depths = [frame.values["depth"] for frame in detail.exceptions[0].frames if frame.values]
    assert depths == [4, 3, 2, 1, 0]


def test_values_can_be_turned_off_and_a_function_can_be_spared() -> None:
    def spared(card: str) -> None:
        __hide_values__ = True  # noqa: F841 -- its name is its use
        raise ValueError

    def calls() -> None:
        known = 1
        spared("pri" + "vate" * known)

    assert "private" not in detail_of(calls).to_json().decode()
    assert values_in(detail_of(calls))["calls"]["known"] == 1
    assert values_in(detail_of(calls, locals=False)) == {}


class Held:
    """Something that can be watched."""


def test_no_object_is_kept_alive_by_a_frame_that_goes_on() -> None:
    held = Held()
    watch = weakref.ref(held)
    try:
        raise ValueError
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
        record = logging.LogRecord("gate", logging.ERROR, __file__, 1, "x", (), info)
        detail = ErrorDetail.from_record(record, DetailOptions(service="alive"))
        del info, record
    assert "held" in str(values_in(detail))
    del held
    gc.collect()
    assert watch() is None


def test_what_the_application_got_from_locals_stays_as_it_is() -> None:
    def fail(camera: str) -> None:
        given.append(locals())
        raise ValueError(camera)

    given: list[dict[str, Any]] = []
    assert values_in(detail_of(lambda: fail("entrance")))["fail"]["camera"] == "entrance"
    assert given[0]["camera"] == "entrance"


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="a frame's locals are a view there")
def test_a_variable_that_is_set_by_the_application_afterwards_is_its_own() -> None:
    camera = "entrance"
    detail_of(lambda: int("x" + camera))
    camera = "exit"
    assert locals()["camera"] == "exit"


def test_a_value_that_gets_another_name_gets_it_here_too(tmp_path: Path) -> None:
    redactor = Redactor((), Pseudonyms(["plate"], tmp_path / "key"))
    frame = types.SimpleNamespace(
        f_locals={"plate": "AB12CDE", "car": types.SimpleNamespace(plate="AB12 CDE"), "text": "plate=AB12CDE"},
        f_code=(lambda: None).__code__,
    )
    (found,) = values_of([frame], redactor)  # type: ignore[list-item]
    name = found["plate"]
    assert name.startswith("plate-")
    assert found == {"plate": name, "car": f"<SimpleNamespace plate={name!r}>", "text": f"plate={name}"}
