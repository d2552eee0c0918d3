"""CPython's own tests of logging with our parts in the place of its own; prints as JSON what failed, and why.

Run in a process of its own: these tests want loggers that nobody else, pytest least of all, has put handlers on.
"""

import json
import logging.config
import logging.handlers
import sys
import unittest
import warnings
from pathlib import Path
from unittest import mock

import yaml

from visigate_logging import JsonFileHandler, SharedRotatingFileHandler, ThrottledSMTPHandler
from visigate_logging.config import apply

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what the interpreter's tests import
    import test.test_logging as suite  # type: ignore[import-not-found]


def can_be_written(values):
    """Whether a mapping can stand in a file: without classes, functions and other objects."""
    try:
        return yaml.safe_load(yaml.safe_dump(values)) == values
    except yaml.YAMLError:
        return False


class ConfigDictTest(suite.ConfigDictTest):
    """What ``dictConfig`` is to do, by the seam that its tests have."""

    def setUp(self):
        super().setUp()
        logging.getLogger("visigate_logging").setLevel(
            logging.ERROR
        )  # it says what is in effect, on the same handlers
        self.addCleanup(setattr, apply, "_running", None)

    def apply_config(self, conf):
        """Configure from a file, or, as `configure` does once it has read one, from the mapping."""
        path = Path("logging.yaml")
        if can_be_written(conf):
            path.write_text(yaml.safe_dump(conf))
            apply.configure(path)
        else:
            apply.apply(apply.Source(path, b"", values=conf))


def in_place_of(owner, name, ours):
    """Run a class of tests with a class of ours under the name of the standard library's."""

    def decorate(case):
        for test in unittest.defaultTestLoader.getTestCaseNames(case):
            setattr(case, test, mock.patch.object(owner, name, ours)(getattr(case, test)))
        return case

    return decorate


@in_place_of(logging.handlers, "RotatingFileHandler", SharedRotatingFileHandler)
class RotatingFileHandlerTest(suite.RotatingFileHandlerTest):
    """`SharedRotatingFileHandler` as a RotatingFileHandler."""


@in_place_of(logging, "FileHandler", SharedRotatingFileHandler)
class FileHandlerTest(suite.FileHandlerTest):
    """`SharedRotatingFileHandler` as a FileHandler."""


@in_place_of(logging, "FileHandler", JsonFileHandler)
class JsonFileHandlerTest(suite.FileHandlerTest):
    """`JsonFileHandler` as a FileHandler."""


@in_place_of(logging.handlers, "SMTPHandler", ThrottledSMTPHandler)
class SMTPHandlerTest(suite.SMTPHandlerTest):
    """`ThrottledSMTPHandler` as an SMTPHandler."""

    TIMEOUT = 2.0


def names(cases):
    """The names of tests, as CASE.TEST."""
    return [name for case in cases for name in (names(case) if isinstance(case, unittest.TestSuite) else [case.id()])]


if __name__ == "__main__":
    cases = unittest.defaultTestLoader.loadTestsFromName("__main__")
    ran = [name.removeprefix("__main__.") for name in names(cases)]
    with open("unittest.log", "w", encoding="utf-8") as log:
        result = unittest.TextTestRunner(log, verbosity=2).run(cases)
    failed = {str(test.id()).removeprefix("__main__."): text for test, text in [*result.failures, *result.errors]}
    json.dump({"ran": ran, "failed": failed}, sys.stdout)
