"""Rendered stacks are kept in bounds, and nothing of a logged error is kept alive."""

import gc
import logging
import weakref
from pathlib import Path
from typing import Any

import pytest

from tests.detail import raising
from visigate_logging.detail import description, stacks
from visigate_logging.detail.description import Describer
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.detail.redaction import Redactor
from visigate_logging.detail.stacks import StackCache
from visigate_logging.detail.tracebacks import walk_chain
from visigate_logging.detail.values import Sanitiser


def record_of(error: BaseException, **extra: Any) -> logging.LogRecord:
    record = logging.LogRecord("gate", logging.ERROR, __file__, 1, "it broke", None, None)
    record.exc_info = (type(error), error, error.__traceback__)
    record.__dict__.update(extra)
    return record


def new_cache() -> StackCache:
    return StackCache(lambda text: text, lambda _file, _module: True)


class Watched:
    """A value that a frame's local variable holds."""


def test_an_error_and_the_locals_of_its_frames_are_freed_with_the_record() -> None:
    def fail() -> None:
        kept = Watched()
        watched.append(weakref.ref(kept))
        error = raising.Outer.InnerError("broken")
        watched.append(weakref.ref(error))
        raise error

    watched: list[weakref.ref[Any]] = []
    details = []
    for _ in range(3):  # cold, then warm
        record = record_of(raising.caught(fail))
        details.append(ErrorDetail.from_record(record))
        del record
    gc.collect()
    assert [ref() for ref in watched] == [None] * 6
    assert "broken" in details[0].traceback


def test_positions_and_stacks_are_kept_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "MAX_POSITIONS", 20)
    monkeypatch.setattr(stacks, "MAX_STACKS", 10)
    cache = new_cache()
    for number in range(100):
        error = raising.run(f"def f{number}():\n    raise ValueError\nf{number}()")
        text = walk_chain(error, error.__traceback__, cache)[0].stack.text
        assert f"in f{number}" in text
    assert len(cache._positions) <= 20
    assert len(cache._stacks) <= 10


def test_a_stack_that_is_very_deep_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "MAX_KEPT", 30)
    cache = new_cache()
    error = raising.through(ValueError(), 50)
    assert walk_chain(error, error.__traceback__, cache)[0].stack.text
    assert not cache._stacks


def test_descriptions_are_kept_in_bounds_and_only_short_ones() -> None:
    describer = Describer(Sanitiser(Redactor(), 65_536), ())
    for number in range(description.MAX_DESCRIBED * 2):
        error = raising.through(ValueError(number))
        describer.raised(error, error.__traceback__)
    assert 0 < len(describer._described) <= description.MAX_DESCRIBED
    describer._described.clear()
    error = raising.through(ValueError("x" * 60_000))
    describer.raised(error, error.__traceback__)
    assert not describer._described


def test_a_recursion_renders_each_position_once() -> None:
    cache = new_cache()
    error = raising.through(ValueError(), 300)
    stack = walk_chain(error, error.__traceback__, cache)[0].stack
    assert len(stack.positions) > 300
    assert len(set(stack.positions)) < 5


def test_of_many_frames_the_outer_and_the_inner_are_kept_as_data() -> None:
    source = "".join(f"def f{n}():\n    f{n - 1}()\n" for n in range(1, 160))
    error = raising.run(f"def f0():\n    raise ValueError\n{source}\nf159()")
    detail = ErrorDetail.from_record(record_of(error))
    exception = detail.exceptions[0]
    names = [f.function for f in exception.frames]
    assert len(names) == 100
    assert exception.frames_omitted == detail.traceback.count("  File ") - 100
    assert names[0] == "caught"
    assert names[-50:] == [f"f{n}" for n in range(49, -1, -1)]


@pytest.mark.parametrize(("members", "omitted"), [(50, 0), (63, 13)])
def test_fifty_members_of_a_group_are_kept_as_data(members: int, omitted: int) -> None:
    group = ExceptionGroup("many", [ValueError(n) for n in range(members)])
    exceptions = ErrorDetail.from_record(record_of(group)).exceptions
    assert len(exceptions) == 51
    assert exceptions[0].members_omitted == omitted
    assert {(e.relation, e.parent) for e in exceptions[1:]} == {("member", 0)}


def test_secrets_in_source_lines_are_masked_in_text_and_data(tmp_path: Path) -> None:
    source = "def connect(password, url):\n    raise OSError\ndef f():\n    connect(password='hunter2', url='rtsp://a:hunter2@h')\n"
    with raising.imported(tmp_path, "with_secrets", source) as module:
        for _ in range(2):
            line = ErrorDetail.from_record(record_of(raising.caught(module.f))).to_json()
            assert b"connect(password=***" in line
            assert b"hunter2" not in line


def test_names_that_are_no_utf8_are_written_escaped() -> None:
    code = compile("def f():\n    raise ValueError\nf()", "caf\udce9.py", "exec")
    code = code.replace(co_name="\ud800name", co_qualname="\ud800name")
    error = raising.caught(lambda: exec(code, {"__name__": "\udcff"}))
    detail = ErrorDetail.from_record(record_of(error))
    assert b"\\\\ud800name" in detail.to_json()
    assert b"caf\\\\udce9.py" in detail.to_json()
    assert detail.fingerprint.startswith("v3:")
