"""The examples run as they stand."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Counter[str]]:
    """What the example gate printed, and how many errors of each type it captured."""
    directory = tmp_path_factory.mktemp("gate")
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "gate.py"), str(directory)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = (directory / "logs/errors/details.jsonl").read_text().splitlines()
    return done.stdout, Counter(f"{r['process']} {r['error_type']}" for r in map(json.loads, lines))


def test_the_gate_captures_every_fault_that_it_meets(gate: tuple[str, Counter[str]]) -> None:
    once = ("camera KeyError", "recognition RecognitionError", "recognition JSONDecodeError", "trainer ValueError")
    assert {name: gate[1][name] for name in once} == dict.fromkeys(once, 1)
    assert gate[1]["camera CameraError"] > 10
    assert gate[1]["entry DatabaseError"] >= 2, "locked, then damaged"


def test_the_gate_shows_what_it_captured_and_where_the_files_are(gate: tuple[str, Counter[str]]) -> None:
    for text in (
        "JSONDecodeError",
        "DatabaseError",
        "details.jsonl",
        "error.log",
        "visigate-errors show",
        "visigate-errors serve",
    ):
        assert text in gate[0]


def test_the_gate_mends_its_database_while_two_processes_write_and_its_camera(gate: tuple[str, Counter[str]]) -> None:
    assert "permits.sqlite3: integrity ok" in gate[0]
    assert "is restored from backups/permits.sqlite3" in " ".join(gate[0].split())
    assert "done: reopen: gate:reopen was called" in gate[0]


def test_the_gate_tells_administrators_every_error_in_a_few_mails(gate: tuple[str, Counter[str]]) -> None:
    told = re.search(r"told: (\d+) errors in (\d+) mails", gate[0])
    assert told is not None
    assert int(told[1]) >= sum(gate[1].values()) - 2 > int(told[2]), "but for the outcomes below a warning"
    assert 1 <= int(told[2]) <= 12


def groups_in(text: str, between: str) -> list[tuple[int, str]]:
    """Count and what can be compared of the title, by group: without ports, as far as the README has room for it."""
    rows = re.findall(rf"^ *(\d+){between}[^\n]*?new{between}([^\n]+)", text, re.MULTILINE)
    return sorted((int(count), re.sub(r"\d{4,}.*|…?  .*| \(.*", "", title)[:36]) for count, title in rows)


def test_the_readme_shows_what_the_gate_does(gate: tuple[str, Counter[str]]) -> None:
    readme = (EXAMPLES.parent / "README.md").read_text("utf-8").partition("`make demo` starts")[2]
    shown, found = groups_in(readme, "  "), groups_in(gate[0], "\t")
    assert [title for _, title in sorted(shown, key=lambda one: one[1])] == sorted(title for _, title in found)
    assert {title for n, title in shown if n == 1} == {title for n, title in found if n == 1}
    assert f"told: {sum(n for n, _ in shown)} errors" in readme, "no group is left out, or counted as of another run"


def test_the_mail_example_tells_every_error_in_a_few_mails(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "mail.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "1000 errors became" in done.stdout
    assert "1,000 = told" in done.stdout
