"""Six processes write, ``dd`` damages their database, it is restored, and every commit is accounted for."""

import json
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.recovery.databases import PAGE, content, make
from tests.recovery.service import configuration
from tests.waiting import wait_until
from visigate_logging.recovery.audit import Audit
from visigate_logging.recovery.steps import STEPS
from visigate_logging.recovery.steps.base import Context

WRITER = """
import json, logging, logging.config, sqlite3, sys, time
from pathlib import Path

folder, name = Path(sys.argv[1]), sys.argv[2]
logging.config.dictConfig(json.loads((folder / "logging.json").read_text()))
connection = sqlite3.connect(folder / "gate.db", timeout=10, isolation_level=None)
with (folder / f"{name}.acknowledged").open("w") as acknowledged:
    number = 0
    while not (folder / "stop").exists():
        number += 1
        plate = f"{name}-{number}"
        begun = time.time()
        try:
            connection.execute("INSERT INTO vehicles (plate, note) VALUES (?, ?)", (plate, "y" * 60))
            print(begun, plate, file=acknowledged, flush=True)
            if number % 40 == 0:
                connection.execute("SELECT sum(length(note)) FROM vehicles").fetchone()
        except sqlite3.Error as error:
            logging.getLogger("gate").error(f"the vehicles cannot be used: {error}")
            time.sleep(0.1)
        time.sleep(0.002)
"""


def run_load(folder: Path, mode: str, seconds: float) -> dict[str, int]:
    database, backup = make(folder / "gate.db", mode, 3000), folder / "backups" / "gate.db"
    configuration(folder, database, backup)
    assert STEPS["backup_sqlite"](database=str(database), backup=str(backup)).run(Context()).status == "done"
    (folder / "writer.py").write_text(WRITER)
    writers = [subprocess.Popen([sys.executable, str(folder / "writer.py"), str(folder), f"W{n}"]) for n in range(6)]
    try:
        time.sleep(seconds)
        # Leaves of old vehicles, so that what was written since the backup can still be read.
        command = ["dd", "if=/dev/urandom", f"of={database}", f"bs={PAGE}", "seek=30", "count=6", "conv=notrunc"]
        subprocess.run(command, check=True, capture_output=True)
        wait_until(lambda: _restored_at(folder) is not None, 90)
        time.sleep(seconds)
    finally:
        (folder / "stop").touch()
        for writer in writers:
            writer.wait(60)
    return _account(folder, database, backup)


def _restored_at(folder: Path) -> float | None:
    for line in Audit(folder / "state").read():
        if line["event"] == "outcome" and line["status"] == "done":
            return datetime.fromisoformat(line["timestamp"]).timestamp()
    return None


def _account(folder: Path, database: Path, backup: Path) -> dict[str, int]:
    restored, found = _restored_at(folder), content(database)
    assert restored is not None
    lines = [line.split() for path in folder.glob("*.acknowledged") for line in path.read_text().splitlines()]
    acknowledged = {plate: float(begun) for begun, plate in lines}
    (changes,) = folder.glob("gate.db.damaged-*/changes.jsonl")
    listed = {c["row"]["plate"] for c in map(json.loads, changes.read_text().splitlines()) if c["change"] == "added"}
    after = {plate for plate, begun in acknowledged.items() if begun > restored}
    assert after, "nobody wrote after the restore"
    assert after <= found, "a commit after the restore is not there"
    assert content(backup) <= found
    return {
        "acknowledged": len(acknowledged),
        "after the restore": len(after),
        "in the database": len(acknowledged.keys() & found),
        "listed": len((acknowledged.keys() & listed) - found),
        "neither": len(acknowledged.keys() - found - listed),
    }


@pytest.mark.stress
@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_six_processes_lose_no_commit_after_a_restore_and_those_before_are_listed(tmp_path, mode):
    figures = run_load(tmp_path, mode, 5)
    print(mode, figures)
    assert figures["neither"] == 0
