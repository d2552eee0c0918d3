"""What people write by mistake, by family, is named at its line, in words that say what to do.

wrong_families.txt has for each family a file in which ``@@`` stands for a mistake, and behind ``--`` the mistakes: a
mistake ends with ``#!``, how many lines below its first one it is to be named (default 0), and an expression for the
words. A file without ``version`` at its margin has it put in front.
"""

import re
from pathlib import Path

import pytest

from visigate_logging.config.check import check
from visigate_logging.config.load import read

MARK = re.compile(r"\s*#!(-?\d*) (.*)$")
LEAST = 0.97
"""The part of the mistakes that must be named at their lines."""


def cases():
    families = Path(__file__).with_name("wrong_families.txt").read_text("utf-8").split("## ")[1:]
    for family in families:
        title, _, rest = family.partition("\n")
        template, _, mistakes = rest.partition("--\n")
        lines = []
        for line in mistakes.splitlines():
            mark = MARK.search(line)
            lines.append(MARK.sub("", line))
            if mark:
                yield title, template, "\n".join(lines), int(mark[1] or 0), mark[2]
                lines = []


CASES = list(cases())
NOT_NAMED: set[str] = set()
"""Mistakes that are not named as they should be."""


def named(path, template, mistake, below, words):
    """What is said instead; nothing when the mistake is named at its line."""
    before = template.partition("@@")[0]
    text = template.replace("@@", mistake)
    head = "" if "version: 1" in text.replace("{version: 1", "") or "move it up" in words else "version: 1\n"
    path.write_text(f"{head}{text}")
    source = read(path)
    line = head.count("\n") + before.count("\n") + 1 + below
    told = [(p.place.line, p.severity, source.told(p)) for p in check(source)]
    found = [t for place, severity, t in told if place == line and re.search(words, t)]
    return "" if found else f"{line}: {words}: {told}"


@pytest.mark.parametrize(
    ("family", "template", "mistake", "below", "words"), CASES, ids=[f"{c[0]}-{c[2]}" for c in CASES]
)
def test_a_mistake_is_named_at_its_line_with_what_to_do(tmp_path, family, template, mistake, below, words):
    said = named(tmp_path / "logging.yaml", template, mistake, below, words)
    if mistake in NOT_NAMED:
        assert said, "is named now: take it from the list"
    else:
        assert not said


def test_there_are_twenty_families_of_ten_mistakes_and_nearly_all_are_named():
    families = {title: [case for case in CASES if case[0] == title] for title, *_ in CASES}
    assert len(families) >= 20
    assert min(map(len, families.values())) >= 10
    assert len(CASES) >= 200
    assert 1 - len(NOT_NAMED) / len(CASES) >= LEAST
