"""Run CPython's ``test_traceback`` with each exception that it looks at printed by us as well."""

import io
import json
import sys
import traceback
import unittest
from types import TracebackType
from typing import Any

from visigate_logging.detail.stacks import StackCache
from visigate_logging.detail.tracebacks import format_exception, walk_chain


class Compared:
    """Counts the exceptions, and names the tests in which one is printed otherwise."""

    def __init__(self) -> None:
        self.printed = 0
        self.different: list[str] = []
        self.test = ""
        self._is_busy = False

    def compare(self, exc: BaseException, tb: TracebackType | None) -> None:
        """Print an exception both ways."""
        if self._is_busy:
            return
        self._is_busy = True
        try:
            try:
                expected = "".join(traceback.format_exception(type(exc), exc, tb))
            except Exception:  # what Python cannot print has nothing to be compared with
                return
            try:
                text = format_exception(walk_chain(exc, tb, StackCache(str, lambda *_: True)), tb)
            except Exception as error:
                text = repr(error)
            self.printed += 1
            if text != expected:
                self.different.append(self.test)
        finally:
            self._is_busy = False


def main() -> None:
    """Write as JSON what was found."""
    compared = Compared()
    original = traceback.TracebackException.__init__

    def init(self: Any, kind: Any, value: Any, tb: Any, **options: Any) -> None:
        original(self, kind, value, tb, **options)
        if isinstance(value, BaseException) and not options.get("_seen"):
            compared.compare(value, tb)

    class Result(unittest.TextTestResult):
        def startTest(self, test: unittest.TestCase) -> None:
            compared.test = test.id().rpartition(".")[2]
            super().startTest(test)

    traceback.TracebackException.__init__ = init  # type: ignore[method-assign]
    suite = unittest.defaultTestLoader.loadTestsFromName("test.test_traceback")
    unittest.TextTestRunner(stream=io.StringIO(), resultclass=Result).run(suite)
    sys.stdout.write("\n" + json.dumps({"printed": compared.printed, "different": compared.different}) + "\n")


if __name__ == "__main__":
    main()
