"""The text of exceptions is what the standard library prints, to the byte."""

import linecache
import logging
import os
import sys
import traceback
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.detail import raising
from visigate_logging.detail import positions, tracebacks
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.detail.stacks import StackCache
from visigate_logging.detail.tracebacks import format_exception, walk_chain


def new_cache() -> StackCache:
    return StackCache(lambda text: text, lambda _file, _module: True)


WARM = new_cache()


def expected(exc: BaseException, tb: Any) -> str:
    return "".join(traceback.format_exception(type(exc), exc, tb))


def assert_same(exc: BaseException, tb: Any = None) -> None:
    """Equal with a cold cache, and twice with one that has seen everything before."""
    tb = tb or exc.__traceback__
    for cache in (new_cache(), WARM, WARM):
        for messages_known in (False, True):
            chain = walk_chain(exc, tb, cache)
            messages = [tracebacks.safe_str(r.value) for r in chain] if messages_known else None
            assert format_exception(chain, tb, messages) == expected(exc, tb)


MESSAGES = st.sampled_from(
    [
        "",
        " ",
        "plain",
        "two\nlines",
        "\n",
        "trailing\n",
        "tab\t",
        "日本語",
        "\udc80",
        "a" * 300,
        "\r",
        "%s",
        "é\u0301",
        "\x00",
    ]
) | st.text(max_size=20)
NOTES = st.sampled_from(
    [None, [], ["note"], ["two\nlines", ""], ("tuple",), "text", b"bytes", 17, [17, None], {"a": 1}]
)
LINES = (
    "f(x)",
    "x . f (  )   ",
    "\tx.f(1)\t",
    "x[0][1]",
    "x + y",
    "(x +\n     y)",
    "'日本' + x.f('語')",
    "f(x) ; 1    ",
    "f(\n    x,\n    y\n)",
    "-f(x)",
    "[f(x) for x in (1, 2)]",
    "x\\\n.f(1)",
    "'ünï' and f(x)",
    "f(x) if x else f(y)",
    "x.f(1).g(2)",
    "x @ y",
    "lambda: f(x)\nf(x)",
    "f(x)\x0c",
    "f( # comment\n x)",
)
"""Statements that raise, as they stand in a function's body."""


def from_line(line: str) -> BaseException:
    """What a source file raises that has the line in a function."""
    body = "\n    ".join(line.split("\n"))
    source = f"def f(*a):\n    raise ValueError('f')\ndef go(x, y):\n    {body}\ngo(None, ())\n"
    filename = f"<line {line!r}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    return raising.run(source, filename)


def no_name(error: BaseException) -> BaseException:
    return raising.run("def f():\n    value = 1\n    return valeu\nf()")


def no_attribute(error: BaseException) -> BaseException:
    return raising.run("''.uper")


def no_import(error: BaseException) -> BaseException:
    return raising.run("from os import pth")


def no_module(error: BaseException) -> BaseException:
    return raising.run("import no_such_module_at_all")


def wrong_syntax(error: BaseException) -> BaseException:
    return raising.run("a = (\nb c d\n")


def wrong_indent(error: BaseException) -> BaseException:
    return raising.run("if 1:\n  a\n b")


def recursion(error: BaseException) -> BaseException:
    return raising.run("def f(n):\n    if n == 0:\n        raise ValueError\n    f(n - 1)\nf(30)")


def mutual(error: BaseException) -> BaseException:
    return raising.run("def f(n):\n    if n == 0:\n        1 / 0\n    g(n - 1)\ndef g(n):\n    f(n)\nf(9)")


def frozen(error: BaseException) -> BaseException:
    return raising.caught(__import__, "os.no_such_thing")


def hand_made(error: BaseException) -> BaseException:
    return raising.by_hand(raising.through(error), 2, 7)


def hand_made_without_position(error: BaseException) -> BaseException:
    for _ in range(5):
        raising.by_hand(error, -1, 7)
    return error


def same(error: BaseException) -> BaseException:
    return raising.through(error, 6)


SHAPES: list[Callable[[BaseException], BaseException]] = [
    same,
    same,
    same,
    no_name,
    no_attribute,
    no_import,
    no_module,
    wrong_syntax,
    wrong_indent,
    recursion,
    mutual,
    frozen,
    hand_made,
    hand_made_without_position,
]
CLASSES: list[Callable[[str], BaseException]] = [
    ValueError,
    KeyError,
    raising.FalsyError,
    raising.UnprintableError,
    raising.OddModuleError,
    raising.Outer.InnerError,
    lambda text: OSError(2, text),
    AttributeError,
    lambda text: NameError(text, name="valeu"),
    SyntaxError,
    lambda text: SyntaxError(text, ("f.py", 1, 2, "x = \u65e5(", 1, 4)),
    KeyboardInterrupt,
    lambda text: UnicodeDecodeError("utf-8", b"\xff", 0, 1, text or "x"),
]


@st.composite
def exceptions(draw: st.DrawFn, depth: int = 3) -> BaseException:
    error = draw(st.sampled_from(SHAPES))(draw(st.sampled_from(CLASSES))(draw(MESSAGES)))
    if draw(st.integers(0, 4)) == 0:
        error = from_line(draw(st.sampled_from(LINES)))
    if depth and draw(st.integers(0, 5)) == 0:
        members = draw(st.lists(exceptions(depth - 1), min_size=1, max_size=3))
        error = raising.through(BaseExceptionGroup(draw(MESSAGES), members))
    if depth and draw(st.booleans()):
        error.__context__ = draw(exceptions(depth - 1))
    if depth and draw(st.integers(0, 2)) == 0:
        error.__cause__ = draw(exceptions(depth - 1))
    if draw(st.booleans()):
        error.__suppress_context__ = draw(st.booleans())
    notes = draw(NOTES)
    if notes is not None:
        error.__notes__ = notes
    if draw(st.integers(0, 5)) == 0:
        error.__traceback__ = None
    return error


@st.composite
def with_cycles(draw: st.DrawFn) -> BaseException:
    error = draw(exceptions())
    chain = [error]
    while (linked := chain[-1].__cause__ or chain[-1].__context__) is not None and linked not in chain:
        chain.append(linked)
    if draw(st.booleans()):
        chain[-1].__context__ = draw(st.sampled_from(chain))
    if draw(st.integers(0, 3)) == 0:
        chain[-1].__cause__ = draw(st.sampled_from(chain))
    return error


def check_any(error: BaseException, limit: int | None) -> None:
    if limit is not None:
        sys.tracebacklimit = limit
    try:
        assert_same(error)
    finally:
        if limit is not None:
            del sys.tracebacklimit


ANY = given(with_cycles(), st.sampled_from([None] * 8 + [0, 1, -1, 3]))
QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]
test_any_exception_is_printed_as_by_the_standard_library = settings(
    max_examples=150, deadline=None, suppress_health_check=QUIET
)(ANY(check_any))
test_many_exceptions_are_printed_as_by_the_standard_library = pytest.mark.stress(
    settings(max_examples=20_000, deadline=None, suppress_health_check=QUIET)(ANY(check_any))
)


@pytest.mark.parametrize("line", LINES)
def test_each_kind_of_line_is_printed_with_its_carets(line: str) -> None:
    assert_same(from_line(line))


@pytest.mark.parametrize("shape", dict.fromkeys(SHAPES), ids=lambda s: s.__name__)
def test_each_shape_is_printed_alike(shape: Callable[[BaseException], BaseException]) -> None:
    assert_same(shape(ValueError("text")))


def test_recursion_to_the_limit_is_one_folded_text() -> None:
    def again() -> None:
        again()

    def one() -> None:
        other()

    def other() -> None:
        one()

    assert_same(raising.caught(again))
    assert_same(raising.caught(one))


def test_a_traceback_other_than_the_exceptions_own_is_the_one_printed() -> None:
    error, other = raising.through(ValueError("a")), raising.through(KeyError("b"), 4)
    assert_same(error, other.__traceback__)
    assert_same(raising.run("def f():\n    value = 1\n    return valeu\nf()"), other.__traceback__)


def test_one_code_position_of_a_hand_made_traceback_keeps_each_line_it_was_given() -> None:
    for line in (3, 4, 5):
        error = ValueError("by hand")
        for _ in range(5):
            raising.by_hand(error, -1, line)
        assert_same(error)


def test_positions_without_a_line_are_not_folded() -> None:
    def down(n: int) -> None:
        if n == 0:
            raise ValueError
        down(n - 1)

    # One entry of a location table (PEP 626) that says of all instructions that they have no line.
    instructions = len(down.__code__.co_code) // 2
    table = b"\xff" * (instructions // 8) + bytes([0xF8 | (instructions % 8 - 1)] if instructions % 8 else [])
    down.__code__ = down.__code__.replace(co_linetable=table)
    error = raising.caught(down, 9)
    assert expected(error, error.__traceback__).count("line None") == 10
    assert_same(error)


def test_what_led_to_an_exception_that_is_false_is_not_printed() -> None:
    error = raising.FalsyError("false")
    error.__cause__ = ValueError("cause")
    assert "cause" not in expected(error, None)
    assert_same(error)


def test_code_from_a_zip_archive_is_shown_with_its_lines(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("packed_module.py", "def f():\n    raise ValueError('zipped')\n")
    sys.path.insert(0, str(tmp_path / "packed.zip"))
    try:
        import packed_module  # type: ignore[import-not-found]

        error = raising.caught(packed_module.f)
        assert "raise ValueError('zipped')" in expected(error, error.__traceback__)
        assert_same(error)
    finally:
        sys.path.pop(0)
        sys.modules.pop("packed_module", None)


@pytest.fixture
def changing(tmp_path: Path) -> Iterator[tuple[Path, Callable[[], BaseException]]]:
    with raising.imported(tmp_path, "changing_module", "def f():\n    raise ValueError('first')\n") as module:
        yield tmp_path / "changing_module.py", lambda: raising.caught(module.f)


def test_a_source_file_that_changes_between_two_errors_is_read_again(
    monkeypatch: pytest.MonkeyPatch,
    changing: tuple[Path, Callable[[], BaseException]],
) -> None:
    monkeypatch.setattr(positions, "CHECK_EVERY", 0)
    path, fail = changing
    sources: list[str | None] = [
        "# another line\n\n\n",
        None,
        "def f():\n    raise ValueError('back')   \n",
        "def f():\n    raise ValueError('more')   \n",
    ]
    assert_same(fail())
    for number, source in enumerate(sources):
        error = fail()
        if source is None:
            path.unlink()
        else:
            path.write_text(source, "utf-8")
            os.utime(path, (number, number))
        # Before the standard library has looked, which brings its own cache up to date.
        text = format_exception(walk_chain(error, error.__traceback__, WARM), error.__traceback__)
        assert text == expected(error, error.__traceback__)
        assert_same(error)


def test_a_chain_longer_than_is_kept_as_data_is_still_printed_whole() -> None:
    error: BaseException = ValueError(0)
    for number in range(tracebacks.MAX_EXCEPTIONS + 30):
        following = ValueError(number)
        following.__context__ = error
        error = following
    chain = walk_chain(error, None, new_cache())
    assert len(chain) == tracebacks.MAX_EXCEPTIONS
    assert_same(error)


def test_a_member_that_was_also_the_groups_context_stays_a_member() -> None:
    member = raising.through(ValueError("member"))
    inner = ExceptionGroup("inner", [member])
    outer = ExceptionGroup("outer", [inner])
    outer.__context__ = member
    relations = [(r.value, r.relation) for r in walk_chain(outer, None, new_cache())]
    assert (member, "context") in relations
    assert (member, "member") in relations


@pytest.mark.parametrize("kind", [raising.HostileError, raising.HostileLinksError, raising.LiarError])
def test_what_cannot_be_formatted_still_gives_its_frames_and_says_so(kind: type[Exception]) -> None:
    error = raising.through(kind("x"), 3)
    chain = walk_chain(error, error.__traceback__, new_cache())
    text = format_exception(chain, error.__traceback__)
    assert text.count("raise_it") >= 3
    assert kind.__name__ in text
    if kind is not raising.LiarError:
        assert "[its traceback could not be formatted: ArithmeticError]" in text


def test_a_class_whose_names_change_is_printed_as_it_is_called_now() -> None:
    error = from_line("f(x)")
    kind = type("Renamed", (Exception,), {})
    renamed = kind("x").with_traceback(error.__traceback__)
    for module, name in [("a", "Renamed"), ("a", "New"), ("b", "New")]:
        kind.__module__, kind.__qualname__ = module, name
        for _ in range(2):  # the second time it was met before
            record = logging.LogRecord("g", 40, "f", 1, "m", None, (kind, renamed, renamed.__traceback__))
            assert ErrorDetail.from_record(record).traceback.endswith(f"{module}.{name}: x\n")
