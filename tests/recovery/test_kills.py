"""Killed in any phase of a restore, the next start finishes it, and that costs no attempt."""

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.recovery.databases import ALL_DAMAGE, content, make
from tests.recovery.service import Service, configuration
from visigate_logging.recovery.budgets import Budgets

# The step runs in the service's own process here, so that one kill ends both, as a power cut does.
KILLED = '''
import itertools, json, logging, logging.config, os, signal, sqlite3, sys
from visigate_logging.recovery import execution, runner
from visigate_logging.options.reading import build
from visigate_logging.recovery.child import attempt
from visigate_logging.recovery.sqlite import changes, check, copy, files, restore
from visigate_logging.recovery.steps import step_named

folder, phase, moment = sys.argv[1], sys.argv[2], int(sys.argv[3])


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def in_process(name, parameters, context, _timeout, act="run"):
    if phase == ("begins" if name == "restore_sqlite" else "verifies"):
        kill()
    return attempt(build(step_named(name), parameters, name), context, act)


def kill_after(module, name, calls=1):
    function, counter = getattr(module, name), itertools.count(1)

    def called(*args, **kwargs):
        result = function(*args, **kwargs)
        if next(counter) == calls:
            kill()
        return result

    setattr(module, name, called)


def copy_some(source, target, _size):
    """Half of each file, up to the file in whose middle the kill comes."""
    data = source.read()
    target.write(data[: len(data) // 2])
    target.flush()
    if next(files_copied) == 1 + moment % 3:
        kill()
    target.write(data[len(data) // 2 :])


def some_rows(*args):
    for number, change in enumerate(all_rows(*args)):
        if number == moment * 7:
            kill()
        yield change


files_copied, all_rows = itertools.count(1), changes._changes
execution.run_in_child = in_process
copy.STEP = 3
if phase == "looks":
    kill_after(check, "problems_of", 1 + moment % 2)
elif phase == "chooses":
    kill_after(restore, "choose")
elif phase == "puts aside":
    files.shutil.copyfileobj = copy_some
elif phase == "has put aside":
    kill_after(files, "put_aside")
elif phase == "copies":
    kill_after(copy._Gate, "__call__", 1 + moment)
elif phase == "has copied":
    kill_after(copy, "copy_database")
elif phase == "lists rows":
    changes._changes = some_rows
elif phase == "compares":
    kill_after(check, "difference")
elif phase == "books":
    kill_after(runner.Runner, "_run")
logging.config.dictConfig(json.load(open(f"{folder}/logging.json")))
error = sqlite3.DatabaseError("database disk image is malformed")
error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
logging.getLogger("gate").error("x", exc_info=error)
logging._handlers["recovery"].wait(100)
'''
PHASES = (
    *("begins", "looks", "chooses", "puts aside", "has put aside", "copies", "has copied", "lists rows", "compares"),
    *("verifies", "books"),
)
KINDS = ("pages in the middle", "page 1", "half", "missing file", "0 bytes", "header random")


def kill_in(folder: Path, phase: str, moment: int, damage: str, mode: str) -> bool:
    """Whether the kill came; then the database is whole or as it was, and the next start finishes."""
    folder.mkdir()
    database, backup = make(folder / "gate.db", mode, 1500), make(folder / "backup.db", mode, 1200)
    good = content(backup)
    configuration(folder, database, backup, max_attempts=1)
    ALL_DAMAGE[damage](database)
    (folder / "killed.py").write_text(KILLED)
    code = subprocess.run([sys.executable, str(folder / "killed.py"), str(folder), phase, str(moment)], check=False)
    assert _plates_of_a_copy(folder) in (good, None), "half a database"
    service = Service(folder, database)
    assert content(database) == good, "before dictConfig has returned"
    service.stop()
    told = (folder / "told.log").read_text()
    assert "CHANGES SINCE THEN ARE GONE" in told, told
    (aside,) = folder.glob("gate.db.damaged-*")
    assert (aside / "changes.jsonl").exists() == (aside / "gate.db").exists() & (damage != "0 bytes")
    assert not list((folder / "state" / "recovery").glob("*.pending"))
    assert not list(folder.glob("*.partial"))
    budgets = Budgets(folder / "state")
    budget, _now = budgets.load("database")
    budgets.state.close()
    assert budget.given_up is None
    assert budget.failures == 0
    return code.returncode == -signal.SIGKILL


def _plates_of_a_copy(folder: Path) -> set[str] | None:
    """The plates that the files hold right after the kill; None when SQLite itself calls them damaged or empty."""
    copied = folder / "copied"
    copied.mkdir()
    for path in folder.glob("gate.db*"):
        if path.is_file():
            shutil.copy(path, copied)
    try:
        with closing(sqlite3.connect(copied / "gate.db")) as connection:
            if connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                return None
            return {plate for (plate,) in connection.execute("SELECT plate FROM vehicles")}
    except sqlite3.DatabaseError:
        return None


@pytest.mark.parametrize("phase", ["puts aside", "copies"])
def test_killed_in_a_phase_the_next_start_finishes(tmp_path, phase):
    assert kill_in(tmp_path / "case", phase, 1, "pages in the middle", "wal")


@pytest.mark.stress
@pytest.mark.timeout(3600)
def test_100_kills_aimed_at_each_phase(tmp_path):
    chance, killed, case = random.Random(11), dict.fromkeys(PHASES, 0), 0
    while sum(killed.values()) < 100:
        phase = PHASES[case % len(PHASES)]
        damage = "page 2 zeroed" if phase == "lists rows" else chance.choice(KINDS)
        mode = chance.choice(("wal", "delete"))
        folder = tmp_path / f"case{case}"
        killed[phase] += kill_in(folder, phase, chance.randrange(12), damage, mode)
        shutil.rmtree(folder)
        case += 1
        assert case < 200
    print(json.dumps(killed), "kills in", case, "restores")
