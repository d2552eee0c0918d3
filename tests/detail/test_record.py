"""Every kind of log record becomes a whole detail record, and none raises."""

import copy
import dataclasses
import json
import logging
import logging.handlers
import pickle
import queue
import subprocess
import sys
import threading
import time
import traceback
from datetime import datetime
from typing import Any

import pytest

from tests.detail import raising
from tests.detail.test_stacks import record_of
from tests.detail.test_values import LyingText, OddText, Raises, RaisingMapping
from visigate_logging.detail import context
from visigate_logging.detail.options import DetailOptions
from visigate_logging.detail.record import ErrorDetail

FIELDS = {f.name for f in dataclasses.fields(ErrorDetail)}


def logged(log: Any) -> logging.LogRecord:
    """The record that a call of a logger makes."""
    records: list[logging.LogRecord] = []
    logger = logging.Logger("gate")
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logger.addHandler(handler)
    log(logger)
    return records[0]


def whole(record: logging.LogRecord, options: DetailOptions | None = None) -> ErrorDetail:
    """The detail, after what must hold for every one."""
    detail = ErrorDetail.from_record(record, options)
    line = detail.to_json()
    assert b"\n" not in line
    line.decode("utf-8")
    data = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert set(data) == FIELDS
    assert list(data)[:7] == [
        "timestamp",
        "error_type",
        "error_message",
        "module",
        "function",
        "traceback",
        "additional_info",
    ]
    assert ErrorDetail.from_dict(data).to_json() == line
    assert len(detail.event_id) == 32
    assert detail.timestamp.endswith("Z")
    assert detail.fingerprint.startswith(("v1:", "v2:", "v3:"))
    return detail


def fail(logger: logging.Logger, **given: Any) -> None:
    try:
        raise ConnectionRefusedError(111, "refused")
    except OSError:
        logger.exception("camera %s is lost", "north", **given)


def test_an_exception_is_told_in_full() -> None:
    record = logged(lambda logger: fail(logger, extra={"camera": "north"}))
    detail = whole(record)
    assert detail.error_type == "ConnectionRefusedError"
    assert detail.error_message == "[Errno 111] refused"
    assert (detail.module, detail.function) == (__name__, "fail")
    assert detail.culprit == f"{__name__} in fail"
    assert detail.file == __file__
    assert detail.message == "camera north is lost"
    assert detail.message_template == "camera %s is lost"
    assert detail.additional_info == {"camera": "north"}
    assert detail.traceback == "".join(traceback.format_exception(record.exc_info[1]))  # type: ignore[index]
    assert (detail.level, detail.severity, detail.logger) == ("ERROR", "ERROR", "gate")
    assert detail.thread == "MainThread"
    assert detail.exceptions[0].frames[-1].code == 'raise ConnectionRefusedError(111, "refused")'
    assert detail.exceptions[0].frames[-1].in_app


def test_an_exception_may_be_given_as_exc_info() -> None:
    error = raising.through(ValueError("x"))
    for given in (error, (type(error), error, error.__traceback__)):
        detail = whole(logged(lambda logger, given=given: logger.error("it", exc_info=given)))
        assert (detail.error_type, detail.function) == ("ValueError", "raise_it")


def test_an_exception_that_was_never_raised_is_placed_where_it_was_logged() -> None:
    detail = whole(logged(lambda logger: logger.error("it", exc_info=ValueError("x"))))
    assert (detail.error_type, detail.function, detail.traceback) == ("ValueError", "<lambda>", "ValueError: x\n")


@pytest.mark.parametrize("given", [{"exc_info": True}, {}, {"exc_info": None}])
def test_without_an_exception_the_record_tells_of_the_message(given: dict[str, Any]) -> None:
    detail = whole(logged(lambda logger: logger.error("it %d", 5, **given)))
    assert (detail.error_type, detail.error_message, detail.traceback) == ("ERROR", "it 5", "")
    assert (detail.module, detail.function, detail.exceptions) == ("test_record", "<lambda>", ())


def test_stack_info_is_kept() -> None:
    detail = whole(logged(lambda logger: logger.error("it", stack_info=True)))
    assert detail.stack_info.startswith("Stack (most recent call last):\n")


def test_a_dict_as_message_is_kept_as_info_with_its_secrets_masked() -> None:
    detail = whole(logged(lambda logger: logger.error({"event": "lost", "password": "hunter2"}, extra={"a": 1})))
    assert json.loads(detail.message) == {"event": "lost", "password": "***"}
    assert detail.additional_info == {"event": "lost", "password": "***", "a": 1}


def test_arguments_that_do_not_fit_are_told() -> None:
    detail = whole(logged(lambda logger: logger.error("it %d %s", "x", {"password": "hunter2"})))
    assert detail.message == "it %d %s [arguments do not fit: TypeError: ['x', {'password': ***}]]"


def test_the_message_may_be_any_object() -> None:
    assert whole(logged(lambda logger: logger.error(ValueError("x")))).message == "x"
    assert whole(logged(lambda logger: logger.error(17))).message == "17"


def queued(record: logging.LogRecord) -> logging.LogRecord:
    waiting: queue.Queue[logging.LogRecord] = queue.Queue()
    logging.handlers.QueueHandler(waiting).handle(record)
    return waiting.get()


def pickled(record: logging.LogRecord) -> bytes:
    return logging.handlers.SocketHandler("localhost", 1).makePickle(record)[4:]


def sent(record: logging.LogRecord) -> logging.LogRecord:
    return logging.makeLogRecord(pickle.loads(pickled(record)))


@pytest.mark.parametrize("way", [queued, sent, lambda r: sent(queued(r)), copy.copy])
@pytest.mark.parametrize("options", [None, DetailOptions(service="gate")])
def test_a_detail_that_was_built_before_survives_a_queue_and_a_socket(
    way: Any, options: DetailOptions | None
) -> None:
    context._counts.clear()  # the first two of a group get what stands around them
    record = logged(fail)
    before = whole(record)
    after = whole(way(record), options)
    assert after.event_id == before.event_id
    assert after.traceback == before.traceback
    assert after.exceptions == before.exceptions


def fail_with_cause(logger: logging.Logger) -> None:
    try:
        try:
            {}["plate"]
        except KeyError as error:
            raise raising.Outer.InnerError("no picture:\nsecond line") from error
    except Exception:
        logger.exception("camera lost", stack_info=True)


@pytest.mark.parametrize("way", [queued, sent])
def test_without_one_it_is_read_from_the_text_that_is_left(way: Any) -> None:
    record = logged(fail_with_cause)
    text = "".join(traceback.format_exception(record.exc_info[1]))  # type: ignore[index]
    detail = whole(way(record))
    assert detail.message == "camera lost"
    assert detail.error_type == "InnerError"
    assert detail.error_message == "no picture:\nsecond line"
    assert detail.function == "fail_with_cause"
    assert detail.traceback.rstrip() == text.rstrip()
    assert [(e.type, e.relation, e.parent) for e in detail.exceptions] == [
        ("InnerError", None, None),
        ("KeyError", "cause", 0),
    ]
    assert detail.exceptions[0].module == "tests.detail.raising"
    assert detail.stack_info.startswith("Stack (most recent call last):\n")


def test_a_group_that_is_only_text_is_told_by_its_text() -> None:
    def log(logger: logging.Logger) -> None:
        try:
            raise ExceptionGroup("several", [ValueError("one")])
        except ExceptionGroup:
            logger.exception("broken")

    detail = whole(queued(logged(log)))
    assert detail.message == "broken"
    assert "+ Exception Group Traceback" in detail.traceback


def test_another_process_reads_the_pickle_without_this_package() -> None:
    record = logged(fail)
    detail = whole(record)
    source = (
        "import sys, pickle, json; d = pickle.loads(sys.stdin.buffer.read());"
        "assert not any(m.split('.')[0] in ('visigate_logging', 'orjson') for m in sys.modules);"
        "print(json.dumps(d['_visigate_detail']))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", source], input=pickled(record), capture_output=True, check=True
    )
    assert json.loads(done.stdout) == detail.to_dict()


@pytest.mark.parametrize(
    "sent_along", [{"exceptions": 5}, {"exceptions": [{}]}, {}, {"frames": 1}, {"message": "\ud800"}]
)
def test_what_comes_over_a_socket_may_be_anything(sent_along: Any) -> None:
    record = logged(fail)
    record.__dict__["_visigate_detail"] = sent_along
    assert ErrorDetail.from_record(record).to_json()


def test_a_detail_is_built_once_and_kept_without_the_exception() -> None:
    record = logged(fail)
    assert ErrorDetail.from_record(record) is ErrorDetail.from_record(record)
    assert (
        ErrorDetail.from_record(record, DetailOptions(service="x")).event_id
        == ErrorDetail.from_record(record).event_id
    )
    assert ErrorDetail.from_record(record).service == "x"
    assert pickle.loads(pickle.dumps(ErrorDetail.from_record(record))) == ErrorDetail.from_record(record)


def test_a_record_is_read_back_with_fields_missing_or_new() -> None:
    assert ErrorDetail.from_dict({}).to_json()
    detail = ErrorDetail.from_dict(
        {"error_type": "X", "new": 1, "exceptions": [{"type": "X", "frames": [{"new": 1}]}]}
    )
    assert detail.error_type == detail.exceptions[0].type == "X"
    assert detail.exceptions[0].frames[0].line == 0


def test_replacing_a_part_replaces_its_json() -> None:
    detail = whole(logged(fail))
    exception = dataclasses.replace(detail.exceptions[0], message="another")
    frame = dataclasses.replace(exception.frames[0], line=99999)
    exception = dataclasses.replace(exception, frames=(frame,))
    assert b"another" in exception.to_json()
    assert b"99999" in exception.to_json()


def test_the_chain_is_data_with_the_logged_one_first() -> None:
    inner = ExceptionGroup("inner", [raising.through(ValueError("a"))])
    group = ExceptionGroup("outer", [inner, KeyError("b")])
    group.__cause__ = OSError(2, "c")
    group.__cause__.__context__ = TypeError("d")
    group.add_note("note one")
    found = [(e.type, e.relation, e.parent, e.notes) for e in whole(record_of(group)).exceptions]
    assert found == [
        ("ExceptionGroup", None, None, ("note one",)),
        ("FileNotFoundError", "cause", 0, ()),
        ("ExceptionGroup", "member", 0, ()),
        ("KeyError", "member", 0, ()),
        ("TypeError", "context", 1, ()),
        ("ValueError", "member", 2, ()),
    ]


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        (["a", 5, Raises()], ("a", "5", "<exception str() failed>")),
        ("text", ("text",)),
        (5, ("5",)),
        (["password=hunter2"], ("password=***",)),
        (["\ud800"], ("\\ud800",)),
    ],
)
def test_odd_notes_are_kept_as_texts(notes: Any, expected: tuple[str, ...]) -> None:
    error = ValueError("x")
    error.__notes__ = notes
    assert whole(record_of(error)).exceptions[0].notes == expected


def test_many_notes_are_cut_and_say_so() -> None:
    error = ValueError("x")
    error.__notes__ = ["n" * 100_000] * 500
    assert len(whole(record_of(error)).exceptions[0].to_json()) < 150_000
    error.__notes__ = ["n"] * 500
    assert whole(record_of(error)).exceptions[0].notes[-1] == "[400 more notes cut]"


def hostile_records() -> list[logging.LogRecord]:
    made = [
        record_of(raising.through(kind("x")))
        for kind in (raising.HostileError, raising.HostileLinksError, raising.LiarError)
    ]
    made += [
        record_of(ExceptionGroup("g", [kind("x")])) for kind in (raising.HostileError, raising.HostileLinksError)
    ]
    made += [
        record_of(raising.through(kind("x")))
        for kind in (raising.UnprintableError, raising.FalsyError, raising.OddModuleError)
    ]
    surrogate = type("\ud800".encode("utf-8", "backslashreplace").decode(), (Exception,), {})
    surrogate.__module__ = "\udcff"
    made += [record_of(surrogate("\udcff"))]
    extras: list[Any] = [
        Raises(),
        RaisingMapping(a=1),
        LyingText(),
        OddText("x"),
        float("nan"),
        2**70,
        "\ud800",
        {"\ud800": 1},
        {1: {2: 3}},
    ]
    made += [record_of(ValueError(), given=value, other={"deep": [value]}) for value in extras]
    for name in ("severity", "category", "fingerprint", "name", "levelname", "threadName", "processName", "taskName"):
        made += [record_of(ValueError(), **{name: value}) for value in (Raises(), "\ud800", 5, None)]
    for name in (
        "msg",
        "args",
        "exc_text",
        "stack_info",
        "pathname",
        "funcName",
        "module",
        "lineno",
        "created",
        "exc_info",
    ):
        made += [record_of(ValueError(), **{name: value}) for value in (Raises(), "\ud800", RaisingMapping(a=1))]
        plain = logging.LogRecord("gate", 40, "f", 1, "m", None, None)
        setattr(plain, name, Raises())
        made.append(plain)
    made += [record_of(ValueError(), created=value) for value in (float("nan"), -5.0, 1e300)]
    odd_keys = record_of(ValueError())
    odd_keys.__dict__.update({5: 1, None: 2, ("a", 1): 3})  # type: ignore[dict-item]
    empty = logging.makeLogRecord({})
    empty.__dict__.clear()
    return [*made, odd_keys, empty]


def test_a_hostile_record_is_still_a_whole_line() -> None:
    for record in hostile_records():
        whole(record)


def test_what_could_not_be_read_is_said() -> None:
    detail = whole(record_of(raising.through(raising.HostileError("x"))))
    assert detail.error_type == "HostileError"
    assert detail.error_message == "<exception str() failed>"
    assert "could not be" in detail.traceback
    assert detail.exceptions[0].frames[-1].function == "raise_it"
    record = record_of(ValueError(), msg=Raises())
    assert whole(record).error_type == "ValueError"
    plain = logging.LogRecord("gate", 40, "f", 1, "camera %d lost", (5,), None)
    del plain.processName
    assert whole(plain).message == "camera 5 lost [record could not be read: AttributeError]"


@pytest.mark.parametrize("created", ["x", None, float("nan"), -5.0, 1e300, 1e12], ids=str)
def test_a_time_that_no_calendar_has_is_taken_for_now_and_costs_nothing_else(created: Any) -> None:
    before = time.time()
    detail = whole(record_of(ValueError("5"), created=created))
    assert before - 1 <= datetime.fromisoformat(detail.timestamp).timestamp() <= time.time()
    assert (detail.error_type, detail.error_message) == ("ValueError", "5")


class Unnamed(type):
    """Says nothing of where its classes come from."""

    @property
    def __module__(cls) -> str:  # type: ignore[override]
        raise LookupError


def test_a_class_that_hides_its_module_costs_no_more_than_that() -> None:
    detail = whole(record_of(Unnamed("OddError", (Exception,), {})("no picture")))
    assert (detail.error_type, detail.error_message) == ("OddError", "no picture")


def test_surrogates_are_escaped_everywhere() -> None:
    record = record_of(
        ValueError("\ud800a"), name="\ud800b", msg="\ud800c", **{"\ud800d": "\ud800e"}, category="\ud800f"
    )
    line = whole(record).to_json().decode()
    assert all(f"\\\\ud800{letter}" in line for letter in "abcdef")


@pytest.mark.parametrize(
    "secret_in", ["extra", "deep", "message", "args", "exception", "notes", "dict", "cause", "group", "key"]
)
def test_a_secret_is_nowhere_in_the_line(secret_in: str) -> None:
    url = "rtsp://admin:hunter2@10.0.0.5/stream"
    error: Exception = raising.through(ValueError("x"))  # type: ignore[assignment]
    given: dict[str, Any] = {}
    if secret_in == "extra":
        given = {"password": "hunter2", "url": url}
    elif secret_in == "deep":
        given = {"a": [{"b": {"db_password": "hunter2", "c": (url,)}}]}
    elif secret_in == "key":
        given = {url: 1, "a": {url: 1}}
    elif secret_in == "message":
        given = {"msg": f"no picture from {url}"}
    elif secret_in == "args":
        given = {"msg": "no picture from %s with token=%s", "args": (url, "hunter2")}
    elif secret_in == "dict":
        given = {"msg": {"url": url, "password": "hunter2"}}
    elif secret_in == "notes":
        error.add_note(f"at {url}")
    elif secret_in == "exception":
        error = raising.through(OSError(f"no picture from {url}, password='hunter2'"))  # type: ignore[assignment]
    elif secret_in == "cause":
        error.__cause__ = OSError(url)
    else:
        error = ExceptionGroup(url, [OSError(url)])
    for _ in range(2):
        assert b"hunter2" not in whole(record_of(error, **given)).to_json()


@pytest.mark.parametrize("place", ["name", "processName", "threadName", "taskName"])
def test_a_secret_in_the_name_of_a_logger_process_thread_or_task_is_masked(place: str) -> None:
    record = record_of(ValueError("x"), **{place: "grab rtsp://admin:hunter2@10.0.0.5/stream"})
    line = whole(record).to_json()
    assert b"hunter2" not in line
    assert b"grab rtsp://***@10.0.0.5/stream" in line


@pytest.mark.parametrize("mega", ["x", "é", "token=", "a@b ", "\ud800"])
def test_ten_megabytes_are_cut_in_bounded_time(mega: str) -> None:
    text = mega * (10_000_000 // len(mega))
    started = time.perf_counter()
    error = raising.through(ValueError(text))
    detail = whole(record_of(error, msg=text, given=text))
    assert time.perf_counter() - started < 15
    assert "bytes cut" in detail.message
    assert "bytes cut" in detail.error_message
    assert "cut" in str(detail.additional_info)
    assert len(detail.to_json()) < 1_000_000


def test_a_long_chain_of_long_messages_is_bounded() -> None:
    error: BaseException = ValueError("y" * 60_000)
    for _ in range(150):
        following = ValueError("y" * 60_000)
        following.__context__ = error
        error = following
    assert len(whole(record_of(error)).to_json()) < 2_000_000


def test_an_error_near_the_recursion_limit_is_still_logged() -> None:
    lines: list[str] = []

    def again() -> None:
        again()

    def log(logger: logging.Logger) -> None:
        try:
            again()
        except RecursionError:
            logger.exception("too deep")

    detail = whole(logged(log))
    lines.append(detail.traceback)
    assert "Previous line repeated" in lines[0]


def test_ids_differ_between_threads_and_sort_by_time() -> None:
    found: list[str] = []

    def build() -> None:
        found.extend(
            ErrorDetail.from_record(logging.LogRecord("g", 40, "f", 1, "m", None, None)).event_id for _ in range(500)
        )

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 2000
    assert all(event_id[12] == "7" for event_id in found)
    early, late = (record_of(ValueError(), created=c) for c in (1_700_000_000.0001, 1_700_000_000.0002))
    assert ErrorDetail.from_record(early).event_id < ErrorDetail.from_record(late).event_id
    assert ErrorDetail.from_record(early).timestamp == "2023-11-14T22:13:20.000100Z"


def test_the_name_of_an_asyncio_task_is_kept() -> None:
    import asyncio

    async def main() -> ErrorDetail:
        task = asyncio.current_task()
        assert task is not None
        task.set_name("recogniser")
        return ErrorDetail.from_record(logged(fail))

    assert asyncio.run(main()).task == "recogniser"
