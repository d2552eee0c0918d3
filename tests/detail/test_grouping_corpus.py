"""Forty labelled cases of a gate: what must be one group, and what must not."""

import asyncio
import json
import socket
import sqlite3
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.detail import raising
from tests.detail.test_fingerprint import HTTPFailureError, key

Action = Callable[[], Any]


def fails(error: BaseException) -> None:
    raise error


def open_camera(url: str, why: str = "refused") -> None:
    raise ConnectionError(f"cannot open {url}: {why}")


def look_up(table: dict[Any, Any], name: Any) -> Any:
    return table[name]


def execute(sql: str, setup: str = "") -> None:
    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript(setup)
        connection.execute(sql)
    finally:
        connection.close()


def insert(sql: str) -> None:
    execute(sql, "create table cars (plate text unique, n integer not null); insert into cars values ('a', 1)")


def parse_answer(text: str) -> Any:
    return json.loads(text)


def parse_settings(text: str) -> Any:
    return json.loads(text)


def read(path: str) -> bytes:
    return Path(path).read_bytes()


def fetch(status: int) -> None:
    raise HTTPFailureError(status)


def fetch_page(url: str, status: int) -> None:
    raise urllib.error.HTTPError(url, status, f"status {status}", None, None)  # type: ignore[arg-type]


def connect(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), timeout=1)


def resolve(name: str) -> None:
    raise socket.gaierror(-2, f"Name or service not known: {name}")


def decode(data: bytes) -> str:
    return data.decode("utf-8")


def number(text: str) -> int:
    return int(text)


def attribute(value: Any, name: str) -> Any:
    return getattr(value, name)


def check_plate(plate: str) -> None:
    raise PermissionError(f"vehicle {plate} has no permit")


def depth(left: int) -> None:
    if left == 0:
        raise ValueError("bottom")
    depth(left - 1)


def endless(start: int) -> None:
    endless(start + 1)


def wait(seconds: float) -> None:
    async def main() -> None:
        await asyncio.wait_for(asyncio.sleep(10), seconds)

    asyncio.run(main())


def tasks(*errors: BaseException) -> None:
    async def fail_with(error: BaseException) -> None:
        raise error

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for error in errors:
                group.create_task(fail_with(error))

    asyncio.run(main())


def wrapped(cause: BaseException) -> None:
    raise RuntimeError("no picture") from cause


def after(context: BaseException) -> None:
    try:
        raise context
    except type(context):
        raise RuntimeError("no picture")  # noqa: B904 -- a context is meant


def call_one(library: Any) -> None:
    library.entry(1)


def call_other(library: Any) -> None:
    library.entry(2)


def call_refused(library: Any) -> None:
    library.refuse("a")


@pytest.fixture
def library(tmp_path: Path) -> Any:
    """A library in site-packages."""
    place = tmp_path / "site-packages"
    place.mkdir()
    source = "def entry(n):\n    check(n)\ndef check(n):\n    raise ValueError(f'wrong {n}')\n"
    source += "def refuse(n):\n    raise ConnectionRefusedError(111, 'refused')\n"
    with raising.imported(place, "some_library", source) as module:
        yield module


def cases(library: Any) -> list[tuple[str, bool, Action, Action]]:
    """What it is, whether both are one group, and two ways to fail."""
    at: Callable[..., Action] = lambda function, *args: lambda: function(*args)  # noqa: E731 -- a table reads better
    return [
        ("two cameras", True, at(open_camera, "rtsp://a:b@10.0.0.1/s"), at(open_camera, "rtsp://10.0.0.2:554/x?y=1")),
        ("two reasons", False, at(open_camera, "rtsp://h/s"), at(open_camera, "rtsp://h/s", "unauthorized")),
        ("two plates", True, at(check_plate, "B-AB 1234"), at(check_plate, "M XY 99E")),
        ("plates of two countries", True, at(check_plate, "AB12 CDE"), at(check_plate, "B AB 1234")),
        ("KeyErrors of texts", True, at(look_up, {}, "plate"), at(look_up, {}, "time")),
        ("KeyErrors of numbers", True, at(look_up, {}, 5), at(look_up, {}, 77)),
        ("KeyError and IndexError", False, at(look_up, {}, 5), at(look_up, [], 5)),
        ("tables that are missing", True, at(execute, "select * from cars1"), at(execute, "select * from cars2")),
        ("missing table and wrong syntax", False, at(execute, "select * from cars"), at(execute, "selec")),
        (
            "not unique and null",
            False,
            at(insert, "insert into cars values ('a', 1)"),
            at(insert, "insert into cars values ('b', null)"),
        ),
        (
            "not unique twice",
            True,
            at(insert, "insert into cars values ('a', 1)"),
            at(insert, "insert into cars values ('a', 2)"),
        ),
        ("HTTP 404 twice", True, at(fetch, 404), at(fetch, 404)),
        ("HTTP 404 and 503", False, at(fetch, 404), at(fetch, 503)),
        ("pages that are missing", True, at(fetch_page, "http://a/1", 404), at(fetch_page, "http://a/2", 404)),
        ("missing and forbidden page", False, at(fetch_page, "http://a/1", 404), at(fetch_page, "http://a/1", 403)),
        ("JSON cut at two places", True, at(parse_answer, '{"a": '), at(parse_answer, '{"a": 1, "b": ')),
        ("JSON read by two functions", False, at(parse_answer, "{"), at(parse_settings, "{")),
        ("JSON without a value and with a rest", False, at(parse_answer, ""), at(parse_answer, "{} {}")),
        ("files that are missing", True, at(read, "/no/such/a.jpg"), at(read, "/no/such/b.jpg")),
        ("missing file and a directory", False, at(read, "/no/such/a.jpg"), at(read, "/")),
        ("ports that refuse", True, at(connect, 1), at(connect, 2)),
        ("names that do not resolve", True, at(resolve, "camera1.local"), at(resolve, "camera2.local")),
        ("refused and not resolved", False, at(connect, 1), at(resolve, "camera1")),
        ("bytes that are no UTF-8", True, at(decode, b"\xff"), at(decode, b"abc\xfe")),
        ("no numbers", True, at(number, "a1"), at(number, "b2")),
        ("attributes that are missing", False, at(attribute, None, "read"), at(attribute, None, "write")),
        ("one attribute of two objects", False, at(attribute, None, "read"), at(attribute, 5, "read")),
        ("the same attribute twice", True, at(attribute, None, "read"), at(attribute, None, "read")),
        ("a recursion of two depths", True, at(depth, 3), at(depth, 40)),
        ("recursion without end", True, at(endless, 0), at(endless, 5)),
        ("recursion and its bottom", False, at(endless, 0), at(depth, 3)),
        ("asyncio timeouts", True, at(wait, 0.001), at(wait, 0.002)),
        (
            "tasks that fail in either order",
            True,
            at(tasks, ValueError("a"), KeyError("b")),
            at(tasks, KeyError("b"), ValueError("a")),
        ),
        ("other tasks", False, at(tasks, ValueError("a")), at(tasks, KeyError("b"))),
        ("two causes", False, at(wrapped, OSError(111, "x")), at(wrapped, ValueError("x"))),
        ("two contexts", True, at(after, OSError(111, "x")), at(after, ValueError("x"))),
        ("a library called by two functions", False, at(call_one, library), at(call_other, library)),
        ("a library called twice", True, at(call_one, library), at(call_one, library)),
        ("a library that raises two things", False, at(call_one, library), at(call_refused, library)),
        ("one type and text at two places", False, at(fails, ValueError("x")), at(fails, TypeError("x"))),
    ]


def test_at_least_38_of_40_cases_are_told_apart_or_together_rightly(library: Any) -> None:
    all_cases = cases(library)
    wrong = []
    for name, together, one, other in all_cases:
        keys = {key(raising.caught(one)), key(raising.caught(other))}
        if (len(keys) == 1) is not together:
            wrong.append(name)
    print(f"{len(all_cases) - len(wrong)} of {len(all_cases)} right; wrong: {wrong}")
    assert len(all_cases) == 40
    assert len(wrong) <= 2, wrong
