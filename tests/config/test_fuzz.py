"""Random mutations of the shipped file."""

import random
from pathlib import Path

import pytest

from visigate_logging.config.apply import configure
from visigate_logging.config.check import check
from visigate_logging.config.load import read
from visigate_logging.config.source import ERROR

# Without slashes, so that no mutation names a place outside the working directory.
SHIPPED = (Path(__file__).parent.parent.parent / "logging.yaml").read_text("utf-8").replace("logs/errors/", "logs-")
LINES = [line for line in SHIPPED.splitlines() if line.strip() and not line.lstrip().startswith("#")]
WORDS = [
    "",
    "null",
    "true",
    "-1",
    "1e9",
    "[]",
    "{}",
    "[[]]",
    "*x",
    "&x",
    "'",
    '"',
    ":",
    "- ",
    "  ",
    "\t",
    "${HOME}",
    "${X}",
]
WORDS += [
    "file:",
    "ext://sys.stdout",
    "cfg://handlers",
    "()",
    "class: logging.NullHandler",
    "level: DEBUG",
    "\x00",
    "é",
    "%",
    "@",
]
WORDS += [
    "logging.Handler",
    "visigate_logging.ErrorStore",
    "builtins.int",
    "9" * 400,
    "2026-01-01",
    "!!set",
    "<<: {a: 1}",
]


def mutated(chance: random.Random) -> str:
    """The shipped file with some lines, words or characters taken away, doubled, exchanged or put in."""
    lines = LINES[:]
    for _ in range(chance.choice((1, 1, 1, 1, 2, 5))):
        at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        line = lines[at]
        cut = chance.randrange(len(line) + 1)
        match chance.randrange(7):
            case 0:
                lines[at], lines[other] = lines[other], line
            case 1:
                lines.insert(other, line)
            case 2:
                lines[at] = line[:cut] + line[cut + 1 :]
            case 3:
                lines[at] = line[:cut] + chance.choice(WORDS) + line[cut:]
            case 4:
                head, colon, _ = line.partition(":")
                lines[at] = f"{head}{colon} {chance.choice(WORDS)}"
            case 5:
                lines[at] = " " * chance.randrange(8) + line.lstrip()
            case 6:
                if len(lines) > 1:
                    del lines[at]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("first", "number"), [(0, 150), (1000, 150), pytest.param(10_000, 5000, marks=pytest.mark.stress)]
)
def test_the_checker_never_crashes_and_what_it_passes_is_applied(write, first, number):
    passed = 0
    for seed in range(first, first + number):
        text = mutated(random.Random(seed))
        path = write(text)
        problems = check(read(path))
        if not [p for p in problems if p.severity == ERROR]:
            passed += 1
            configure(path)
    assert number * 0.05 < passed < number * 0.9  # both ways are tried
    print(f"\n{number} mutations, {passed} passed and were applied")


@pytest.mark.parametrize("seed", range(60))
def test_bytes_that_are_no_text_do_not_crash_it(tmp_path, seed):
    chance = random.Random(seed)
    content = bytearray(SHIPPED.encode())
    for _ in range(chance.choice((1, 20, 2000))):
        content[chance.randrange(len(content))] = chance.randrange(256)
    path = tmp_path / "logging.yaml"
    path.write_bytes(content)
    check(read(path))
