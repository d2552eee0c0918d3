"""Changes under load: no record is lost or doubled."""

import json
import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from tests.config import under_load
from visigate_logging.host import Sheet, State, host_counts


@pytest.mark.parametrize("rounds", [40, pytest.param(1000, marks=pytest.mark.stress)])
def test_changes_under_load_neither_lose_nor_double_a_record(tmp_path, rounds):
    """8 threads in each of 2 processes log; each process changes its configuration, three of ten changes fail."""
    command = [sys.executable, "-X", "dev", under_load.__file__, str(tmp_path)]
    children = [
        subprocess.Popen([*command, name, str(rounds)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for name in ("one", "two")
    ]
    told = []
    for child in children:
        out, err = child.communicate(timeout=3000)
        assert child.returncode == 0, err
        assert "Traceback" not in err, err
        told.append(json.loads(out.splitlines()[-1]))
    details = []
    for path in tmp_path.glob("details.jsonl*"):
        details += [orjson.loads(line)["message"] for line in path.read_bytes().splitlines()]
    for name, report in zip(("one", "two"), told, strict=True):
        said = sorted(f"{thread}-{n}" for thread, count in report["said"].items() for n in range(count))
        assert len(said) > rounds
        assert sorted(m for m in details if m.startswith(f"{name}-")) == said
        assert sorted(lines(tmp_path, rf"{name}\.log(\.\d+)?", name)) == said
        assert sorted(lines(tmp_path, rf"{name}\.held", name)) == said
        # A recovery may run just then, and SQLite keeps some for later while others have the file locked.
        assert report["files"][1] <= report["files"][0] + 10
        assert len(report["threads"]) == len(set(report["threads"]))
    [sheet] = [s for handler, s in sheets(tmp_path / "state").items() if handler.endswith("details.jsonl")]
    written = len(details)
    mail = sheets(tmp_path / "mail")["mail"]
    said_in_all = sum(sum(report["said"].values()) for report in told)
    assert mail["accepted"] == said_in_all == mail["delivered"] + mail["folded"] + mail["pending"]
    assert mail["dropped"] == {}
    faults = sum(-(-count // under_load.FAULT_EVERY) for report in told for count in report["said"].values())
    recovery = sheets(tmp_path / "recovery")["recovery"]
    assert recovery["accepted"] == faults == recovery["delivered"] + recovery["folded"]
    assert (sheet["delivered"], sheet["pending"], sheet["dropped"]) == (sheet["accepted"], 0, {})
    assert sheet["delivered"] == written
    print(f"\n{written} records, {2 * rounds} changes, {sum(len(list(tmp_path.glob('*.log*'))) for _ in [0])} files")


def sheets(directory: Path) -> dict[str, Sheet]:
    state = State(directory)
    try:
        return host_counts(state)
    finally:
        state.close()


def lines(directory: Path, pattern: str, name: str) -> list[str]:
    """The threads' messages in the files of that name; the package's own are passed over."""
    found = []
    for path in directory.iterdir():
        if re.fullmatch(pattern, path.name):
            found += [line for line in path.read_text().splitlines() if re.match(rf"{name}-\d+-\d+$", line)]
    return found
