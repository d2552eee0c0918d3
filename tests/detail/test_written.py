"""What a QueueHandler has made of a record is taken apart again: message, traceback, stack."""

import logging
import logging.handlers
import queue
import time
import traceback

import pytest

from visigate_logging.detail import written
from visigate_logging.detail.record import ErrorDetail


class NoFrame(Exception):  # noqa: N818 -- a name without Error at its end
    """An application's own."""


def noted(error: BaseException) -> BaseException:
    error.add_note("seen by north")
    error.add_note("and south")
    return error


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


CAUSES = {
    "plain": lambda: KeyError("north"),
    "without a text": TimeoutError,
    "of the application": lambda: NoFrame("none"),
    "local": lambda: type("Gone", (Exception,), {"__qualname__": "f.<locals>.Gone"})("x"),
    "with lines": lambda: ValueError("first: a\nsecond\n\nDETAIL: third"),
    "with notes": lambda: noted(OSError(5, "io")),
    "with a cause that was not raised either": lambda: caused(TimeoutError("slow"), OSError(5, "io")),
    "with a cause that was raised": lambda: caused(TimeoutError("slow"), raised(OSError(5, "io"))),
    "of syntax": lambda: SyntaxError("bad", ("f.py", 1, 2, "a b")),
    "group": lambda: ExceptionGroup("both", [KeyError("a"), raised(ValueError("b"))]),
}


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except type(error) as caught:
        return caught


def through_a_queue(error: BaseException, message: str, **given) -> logging.LogRecord:
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    logger = logging.Logger("gate")
    logger.addHandler(logging.handlers.QueueHandler(waiting))
    logger.error(message, exc_info=error, **given)
    return waiting.get()


@pytest.mark.parametrize("stack", [False, True])
@pytest.mark.parametrize("message", ["cannot grab", "", "cannot grab\nfrom north: dark"])
@pytest.mark.parametrize("is_raised", [True, False])
@pytest.mark.parametrize("relation", ["__cause__", "__context__"])
@pytest.mark.parametrize("kind", CAUSES)
def test_a_cause_that_was_never_raised_is_part_of_the_traceback(kind, relation, is_raised, message, stack):
    error = RuntimeError("no frame\nat all")
    setattr(error, relation, CAUSES[kind]())
    if is_raised:
        raised(error)
    whole = "".join(traceback.format_exception(error)).rstrip("\n")
    record = through_a_queue(error, message, stack_info=stack)
    told, text, stack_info = written.split(record.msg)
    assert (told, text) == (message, whole)
    assert bool(stack_info) is stack
    detail = ErrorDetail.from_record(record)
    assert (detail.message, detail.error_type, detail.error_message) == (message, "RuntimeError", "no frame\nat all")
    assert len(detail.exceptions) >= 2


@pytest.mark.parametrize("is_raised", [True, False])
@pytest.mark.parametrize("text", ["both", "both\nof them"])
def test_a_group_is_known_by_its_own_name_and_place_not_by_a_members(text, is_raised):
    error = ExceptionGroup(text, [raised(KeyError("a")), ExceptionGroup("more", [raised(ValueError("b"))])])
    if is_raised:
        raised(error)
    whole = "".join(traceback.format_exception(error)).rstrip("\n")
    detail = ErrorDetail.from_record(through_a_queue(error, "lost"))
    assert (detail.message, detail.traceback) == ("lost", whole)
    assert (detail.error_type, detail.error_message) == ("ExceptionGroup", f"{text} (2 sub-exceptions)")
    assert [frame.function for frame in detail.exceptions[0].frames] == ["raised"] * is_raised


@pytest.mark.parametrize("line", ["  | x", "KeyError: x", "a.a.a.a", '  File "x", line 1', ""])
def test_no_text_takes_long_to_take_apart(line):
    started = time.process_time()
    for end in ("", "Traceback (most recent call last):\n", f"\n{written.CAUSE_LINE}"):
        message = f"{line}\n" * (60_000 // (len(line) + 1)) + end
        written.split(message)
        written.parse(message, lambda _file, _module: True)
    assert time.process_time() - started < 1


CARETS = {
    "3.11 and 3.12": "    return self.frames[0] / 0\n           ~~~~~~~~~~~~~~~^~~\n",
    "3.13": "    return self.grab(\n           ~~~~~~~~~^\n        'north',\n        ^^^^^^^^\n    )\n    ^\n",
    "no source": "",
}


@pytest.mark.parametrize("version", CARETS)
def test_the_marks_that_each_version_of_python_sets_are_read(version):
    text = (
        f'Traceback (most recent call last):\n  File "/gate/a.py", line 7, in grab\n{CARETS[version]}ValueError: no'
    )
    relation = "\nThe above exception was the direct cause of the following exception:\n\n"
    message, found, _ = written.split(f"lost\nKeyError: 'north'\n{relation}{text}")
    assert (message, found) == ("lost", f"KeyError: 'north'\n{relation}{text}")
    last, first = written.parse(found, lambda _file, _module: True)
    assert (last.kind, last.message, [f.line for f in last.stack.frames]) == (ValueError, "no", [7])
    assert (first.kind, first.message, first.relation) == (KeyError, "'north'", "cause")


@pytest.mark.parametrize(
    "message", ["no frame", "two\nlines", "KeyError: 'x'\nmore", "", "the above exception was the direct cause of it"]
)
def test_a_message_without_an_exception_stays_whole(message):
    assert not written.is_in(message)
    assert written.split(message) == (message, "", "")
