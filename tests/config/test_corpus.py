"""Wrong files, each with the line and the words that name what is wrong: see wrong_files.txt.

``#!`` stands at the end of the line that is to be named, followed by a regular expression for the message; ``#?`` is
the same for a warning. Nothing else is to be complained of. A name that begins with ``3.12`` is that of a file which
earlier versions of Python refuse for another reason.
"""

import logging
import re
import sys
from pathlib import Path

import pytest

from visigate_logging.config.check import check
from visigate_logging.config.load import read


class Siren(logging.Handler):
    """A handler of a third party, with annotations, an own range, and an attribute."""

    def __init__(self, port: int, volume: float = 0.5, tone: str | None = None) -> None:
        super().__init__()
        if not 0 <= volume <= 1:
            raise ValueError(f"volume is {volume}, it must be from 0 to 1")
        self.colour = "red"


FILE = Path(__file__).with_name("wrong_files.txt")
CORPUS = dict(case.split("\n", 1) for case in FILE.read_text("utf-8").split("=== ")[1:])
MARK = re.compile(r"\s*#([!?])\s(.*)$")


@pytest.mark.parametrize("name", CORPUS)
def test_what_is_wrong_is_named_with_its_line_and_nothing_else_is(write, name):
    if name.startswith("3.12") and sys.version_info < (3, 12):
        pytest.skip("what it has came with Python 3.12")
    text = CORPUS[name]
    expected, clean = [], []
    for number, line in enumerate(text.splitlines(), 1):
        mark = MARK.search(line)
        clean.append(MARK.sub("", line))
        if mark:
            expected.append((number, "error" if mark[1] == "!" else "warning", mark[2].strip()))
    path = write("\n".join(clean) + "\n")
    path.chmod(0o644)
    source = read(path)
    found = [(p.place.line, p.severity, source.told(p)) for p in check(source)]
    assert [f[:2] for f in found] == [e[:2] for e in expected], found
    for (_, _, told), (_, _, words) in zip(found, expected, strict=True):
        assert re.search(words, told), told


def test_there_are_sixty_wrong_files_at_least():
    assert len(CORPUS) >= 60
