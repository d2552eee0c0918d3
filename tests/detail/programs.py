"""Programs that raise, handle and log, made of nested statements; each knows what its log calls must take up.

Before each log call stands what its own function does there with which exception: it has caught it (`HANDLED`), lets
it pass (`PASSING`), was told of it (`NAMED`), or has `NOTHING` to do with any.
"""

import asyncio
import contextlib
import itertools
import threading
from typing import Any

from hypothesis import strategies as st

NOTHING, HANDLED, PASSING, NAMED = "nothing", "handled", "passing", "named"

LEAVES = ["raise", "again", "report", "flush"]
BODIES = [
    "except",
    "except and raise",
    "except and raise by name",
    "except group",
    "finally",
    "call",
    "generator",
    "suppress",
    "context",
    "context manager",
    "thread",
    "task",
    "loop",
]

Statement = tuple[str, list[Any], list[Any]]


_RAISE: list[Statement] = [("raise", [], [])]
_TELL: list[Statement] = [("again", [], []), ("report", [], []), ("flush", [], [])]
EVERYTHING: list[Statement] = [
    ("except", [(body, _RAISE, _TELL)], [("finally", _TELL, []), (body, _TELL, _RAISE)]) for body in BODIES
]
"""A program that has each kind of statement, and every other in its handler."""


def statements() -> st.SearchStrategy[list[Statement]]:
    """Blocks of statements, nested."""
    leaf = st.tuples(st.sampled_from(LEAVES), st.just([]), st.just([]))
    return st.recursive(
        st.lists(leaf, min_size=1, max_size=2),
        lambda blocks: st.lists(st.tuples(st.sampled_from(BODIES), blocks, blocks), min_size=1, max_size=3),
        max_leaves=30,
    )


class FaultError(Exception):
    """Raised by the programs, each with a text of its own."""


_numbers = itertools.count(10_000)


def fault() -> FaultError:
    return FaultError(f"fault number {next(_numbers)}")


class Writer:
    """Writes a block as source, in a function that is a coroutine or not."""

    def __init__(self, *, is_async: bool) -> None:
        self.is_async = is_async
        self._names = itertools.count()
        self._await = "await " if is_async else ""

    def function(self, name: str, block: list[Statement]) -> list[str]:
        return [f"{'async ' * self.is_async}def {name}():", *_indented(self._block(block, NOTHING, "None"))]

    def _block(self, block: list[Statement], place: str, exc: str) -> list[str]:
        lines = [_log(place, exc)]
        for kind, first, second in block:
            lines += getattr(self, "_" + kind.replace(" ", "_"))(first, second, place, exc)
        if self.is_async:
            lines.append("await sleep(0)")
        return [*lines, _log(place, exc)]

    def _raise(self, *rest: Any) -> list[str]:
        return ["raise fault()"]

    def _again(self, _first: Any, _second: Any, place: str, exc: str) -> list[str]:
        """Raise once more what was caught, and catch it."""
        return [] if place != HANDLED else [f"try: raise {exc}", f"except FaultError: {_log(HANDLED, exc)}"]

    def _report(self, _first: Any, _second: Any, place: str, exc: str) -> list[str]:
        return [f"report({exc})" if place == HANDLED else "unrelated()"]

    def _flush(self, *rest: Any) -> list[str]:
        return ["flush()"]

    def _except(self, first: Any, second: Any, place: str, exc: str, end: str = "") -> list[str]:
        name = f"e{next(self._names)}"
        clause = [*self._block(second, HANDLED, name), *([end.format(name)] if end else [])]
        body = self._block(first, place, exc)
        return ["try:", *_indented(body), f"except FaultError as {name}:", *_indented(clause)]

    def _except_and_raise(self, *given: Any) -> list[str]:
        return self._except(*given, "raise")

    def _except_and_raise_by_name(self, *given: Any) -> list[str]:
        return self._except(*given, "raise {}")

    def _except_group(self, first: Any, second: Any, place: str, exc: str) -> list[str]:
        name = f"e{next(self._names)}"
        body = ["try:", *_indented(self._block(first, place, exc)), "except FaultError as f: raise group(f)"]
        return ["try:", *_indented(body), f"except* FaultError as {name}:", f"    {_log(HANDLED, name)}"]

    def _finally(self, first: Any, second: Any, place: str, exc: str) -> list[str]:
        done = f"done{next(self._names)}"
        body = [f"{done} = False", "try:", *_indented([*self._block(first, place, exc), f"{done} = True"])]
        # With an exception on its way, none that is handled further out is.
        return [*body, "finally:", f"    expect(*({place!r}, {exc}) if {done} else ({PASSING!r}, None)); {LOG}"]

    def _call(self, first: Any, _second: Any, *rest: Any) -> list[str]:
        name = f"f{next(self._names)}"
        return [*self.function(name, first), f"{self._await}{name}()"]

    def _generator(self, first: Any, second: Any, place: str, exc: str) -> list[str]:
        name = f"g{next(self._names)}"
        made = self.function(name, [*first, ("yield", [], []), *second])
        return [*made, f"{'async ' * self.is_async}for _ in {name}(): {_log(place, exc)}"]

    def _yield(self, _first: Any, _second: Any, place: str, exc: str) -> list[str]:
        name = f"e{next(self._names)}"
        inside = [_log(HANDLED, name), "yield", _log(HANDLED, name)]
        return ["yield", "try: raise fault()", f"except FaultError as {name}:", *_indented(inside)]

    def _suppress(self, first: Any, _second: Any, place: str, exc: str) -> list[str]:
        return ["with suppress(FaultError):", *_indented(self._block(first, place, exc))]

    def _context(self, first: Any, _second: Any, place: str, exc: str) -> list[str]:
        return ["with Logging():", *_indented(self._block(first, place, exc))]

    def _context_manager(self, first: Any, _second: Any, place: str, exc: str) -> list[str]:
        return ["with session():", *_indented(self._block(first, place, exc))]

    def _thread(self, first: Any, _second: Any, *rest: Any) -> list[str]:
        name = f"t{next(self._names)}"
        return [*Writer(is_async=False).function(name, first), f"in_thread({name})"]

    def _task(self, first: Any, second: Any, *rest: Any) -> list[str]:
        if not self.is_async:
            return []
        one, other = f"a{next(self._names)}", f"a{next(self._names)}"
        both = [*self.function(one, first), *self.function(other, second)]
        return [*both, f"await gather({one}(), {other}(), return_exceptions=True)"]

    def _loop(self, first: Any, _second: Any, place: str, exc: str) -> list[str]:
        return ["for _ in range(2):", *_indented(self._block(first, place, exc))]


LOG = 'logger.error("own error"); buffered.error("own error")'


def _log(place: str, exc: str) -> str:
    return f"expect({place!r}, {exc}); {LOG}"


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


SUPPORT = f"""
class Logging:
    def __enter__(self):
        {_log(NOTHING, "None")}

    def __exit__(self, _kind, value, _traceback):
        {_log(NOTHING, "None")}
        if value is not None:
            expect({NAMED!r}, value, False); logger.error(f"it ends with {{value}}")


@contextmanager
def session():
    {_log(NOTHING, "None")}
    try:
        yield
    except FaultError as e:
        {_log(HANDLED, "e")}
        raise
    {_log(NOTHING, "None")}


def report(e):
    {_log(NOTHING, "None")}
    expect({NAMED!r}, e); logger.error(f"cannot open the gate: {{e}}")
    expect({NAMED!r}, e); logger.error("cannot open the gate: %s", e)
    try:
        raise fault()
    except FaultError as own:
        {_log(HANDLED, "own")}
    expect({NAMED!r}, e); logger.error(e)
    {_log(NOTHING, "None")}


def unrelated():
    {_log(NOTHING, "None")}


def in_thread(function):
    def caught():
        with suppress(FaultError, ExceptionGroup):
            function()

    thread = threading.Thread(target=caught)
    thread.start()
    thread.join()


def group(error):
    return ExceptionGroup("several", [error])
"""


def run(block: list[Statement], *, is_async: bool, **names: Any) -> None:
    """Run a program.

    Args:
        block: from `statements`.
        is_async: its functions are coroutines.
        names: what it calls: ``logger``, ``buffered``, ``expect`` and ``flush``.
    """
    names |= {"fault": fault, "FaultError": FaultError, "suppress": contextlib.suppress, "threading": threading}
    names |= {"gather": asyncio.gather, "sleep": asyncio.sleep, "contextmanager": contextlib.contextmanager}
    main = "\n".join(Writer(is_async=is_async).function("main", block))
    exec(compile(SUPPORT + main, "<program>", "exec"), names)
    with contextlib.suppress(FaultError, ExceptionGroup):
        asyncio.run(names["main"]()) if is_async else names["main"]()
