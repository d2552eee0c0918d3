"""``visigate-errors check``, ``apply``, ``status`` and ``doctor``."""

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from tests.waiting import wait_until
from visigate_logging.cli import main
from visigate_logging.config.confirm import put, put_on_trial
from visigate_logging.host import CountSheet, State
from visigate_logging.recovery.budgets import Budgets
from visigate_logging.recovery.policy import Budget, begin

SHIPPED = Path(__file__).parent.parent.parent / "logging.yaml"
GATE = """
version: 1
disable_existing_loggers: false
visigate: {{service: gate, watch: true}}
handlers:
  details: {{class: visigate_logging.JsonFileHandler, filename: details.jsonl, maxBytes: {size}, backupCount: 2}}
root: {{level: INFO, handlers: [details]}}
"""
PROCESS = """
import logging, sys, time
from visigate_logging.config.apply import configure
configure("logging.yaml")
print("ready", flush=True)
while True:
    logging.getLogger("gate").error("x")
    time.sleep(0.05)
"""


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logging.yaml").write_text(GATE.format(size=100_000))
    return tmp_path


@pytest.fixture
def process(directory):
    """A gate that runs with logging.yaml and watches it."""
    child = subprocess.Popen([sys.executable, "-c", PROCESS], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    yield child
    child.kill()
    child.communicate()


def test_a_fine_file_passes_strictly(capsys):
    assert main(["check", "--strict", str(SHIPPED)]) == 0
    assert capsys.readouterr().err == f"{SHIPPED}: 0 errors, 0 warnings\n"


@pytest.mark.parametrize("path", [SHIPPED, *sorted(SHIPPED.parent.glob("examples/*.yaml"))], ids=lambda p: p.name)
def test_every_shipped_configuration_passes_strictly(path):
    assert main(["check", "--strict", str(path)]) == 0


def test_errors_are_told_with_file_line_column_and_key(directory, capsys):
    (directory / "bad.yaml").write_text("version: 1\nroot:\n  levle: INFO\n")
    assert main(["check", "bad.yaml"]) == 78
    assert "bad.yaml:3:3: root.levle: is not known; possible are filters, handlers, level" in capsys.readouterr().out


def test_warnings_are_errors_when_strict(directory, capsys):
    (directory / "odd.yaml").write_text("version: 1\nformatters: {f: {format: '%(message)s'}}\n")
    assert main(["check", "odd.yaml"]) == 0
    assert main(["check", "--strict", "odd.yaml"]) == 78


def test_for_programs_problems_are_one_document(directory, capsys):
    (directory / "bad.yaml").write_text("version: 1\nhandlrs: {}\n")
    assert main(["check", "--json", "bad.yaml"]) == 78
    [problem] = orjson.loads(capsys.readouterr().out)
    assert problem.items() >= {"line": 2, "column": 1, "key": "handlrs", "severity": "error"}.items()


def test_a_file_that_is_not_there_is_a_wrong_configuration(capsys):
    assert main(["check", "none.yaml"]) == 78
    assert "none.yaml cannot be read" in capsys.readouterr().err


def test_checking_makes_nothing(directory):
    before = sorted(directory.rglob("*"))
    (directory / "logging.yaml").write_text(SHIPPED.read_text("utf-8"))
    assert main(["check"]) == 0
    assert sorted(directory.rglob("*")) == before


def test_the_user_who_lacks_a_right_is_named(directory, capsys):
    directory.chmod(0o755)
    assert main(["check", "--user", "nobody"]) == 78
    out = capsys.readouterr().out
    assert "nobody cannot" in out
    assert "sudo chown nobody" in out or "cannot be looked into" in out


def test_status_tells_of_each_process_and_what_it_runs(process, capsys):
    assert main(["status", "--json"]) == 0
    told = orjson.loads(capsys.readouterr().out)
    [facts] = told["processes"]
    assert (facts["pid"], facts["service"], facts["current"]) == (process.pid, "gate", True)
    assert facts["hash"] == told["config"]["hash"]
    assert "is in effect" in told["messages"][-1]["message"]
    assert main(["status"]) == 0
    assert str(process.pid) in capsys.readouterr().out


def test_a_killed_process_is_not_told_of(process, capsys):
    process.kill()
    process.wait()
    main(["status", "--json"])
    assert orjson.loads(capsys.readouterr().out)["processes"] == []


def test_apply_sees_the_change_taken_up(process, directory, capsys):
    (directory / "new.yaml").write_text(GATE.format(size=200_000))
    assert main(["apply", "new.yaml"]) == 0
    assert f"{process.pid} -c: runs it" in capsys.readouterr().out
    assert "200000" in (directory / "logging.yaml").read_text()
    assert "100000" in (directory / "logging.yaml.before").read_text()


def test_apply_refuses_a_wrong_file_and_changes_nothing(directory, capsys):
    (directory / "new.yaml").write_text(GATE.format(size=-1))
    assert main(["apply", "new.yaml"]) == 78
    assert "100000" in (directory / "logging.yaml").read_text()


def apply_in_terminal(directory, seconds="30"):
    (directory / "new.yaml").write_text(GATE.format(size=200_000))
    command = [sys.executable, "-m", "visigate_logging", "apply", "new.yaml", "--confirm", seconds]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while "Type yes" not in child.stdout.readline():
        assert child.poll() is None
    return child


def test_a_confirmed_change_is_kept(process, directory):
    child = apply_in_terminal(directory)
    out, _ = child.communicate("yes\n", timeout=30)
    assert (child.returncode, "kept" in out) == (0, True)
    assert "200000" in (directory / "logging.yaml").read_text()


@pytest.mark.parametrize("how", ["time", "no", "hangup", "closed"])
def test_an_unconfirmed_change_goes_back(process, directory, how):
    child = apply_in_terminal(directory, "0.5" if how == "time" else "30")
    if how == "hangup":
        child.send_signal(signal.SIGHUP)
        child.wait(30)  # with the terminal still open
    out, _ = child.communicate("no\n" if how == "no" else None, timeout=30)
    assert child.returncode == 1
    assert "is as it was" in out
    assert f"{process.pid} -c: runs it" in out
    assert "100000" in (directory / "logging.yaml").read_text()


def killed_during_trial(directory):
    child = apply_in_terminal(directory)
    child.kill()
    child.communicate()
    return directory / "logging.yaml"


def runs(capsys):
    main(["status", "--json"])
    [facts] = orjson.loads(capsys.readouterr().out)["processes"]
    return facts["current"]


def test_what_nobody_can_confirm_any_more_is_taken_back_by_who_watches(process, directory, capsys):
    path = killed_during_trial(directory)
    wait_until(lambda: "100000" in path.read_text())
    wait_until(lambda: not Path(f"{path}.unconfirmed").exists())
    wait_until(lambda: runs(capsys))
    wait_until(lambda: "was not confirmed, and who would have done so is gone" in status_text(capsys))


def status_text(capsys):
    main(["status"])
    return capsys.readouterr().out


CANNOT_REPLACE = """
import os

def refused(*args, **kwargs):
    raise OSError(30, "Read-only file system")

os.rename = refused  # a file's owner, and so its directory, could be another's, but these tests may be root's
"""


def configured(prelude=""):
    """The content that a process which starts now runs with."""
    code = prelude + "from visigate_logging import configure; print(configure().source.content.decode())"
    return subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout


def test_what_nobody_can_confirm_any_more_is_taken_back_by_who_starts(directory):
    path = killed_during_trial(directory)
    assert "200000" in path.read_text()
    child = subprocess.Popen(
        [sys.executable, "-c", PROCESS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "ready\n"
    child.kill()
    child.communicate()
    assert "100000" in path.read_text()


def test_who_may_not_write_the_file_runs_what_was_before_all_the_same_and_the_doctor_says_so(directory, capsys):
    path = killed_during_trial(directory)
    assert "100000" in configured(CANNOT_REPLACE)
    assert "200000" in path.read_text()
    main(["doctor"])
    out = capsys.readouterr().out
    assert "FAIL  trial: logging.yaml was put there on trial" in out
    assert "cannot be put back" in status_text(capsys)


def test_a_file_that_somebody_edits_after_an_abandoned_trial_is_theirs(directory):
    path = killed_during_trial(directory)
    path.write_text(GATE.format(size=300_000))
    assert "300000" in configured()
    assert "300000" in path.read_text()


def test_apply_takes_an_abandoned_trial_back_before_anything_else(directory, capsys):
    path = killed_during_trial(directory)
    (directory / "new.yaml").write_text("version: 2")
    assert main(["apply", "new.yaml"]) == 78
    assert "100000" in path.read_text()
    assert "nobody confirmed it" in capsys.readouterr().err


def test_another_change_waits_for_the_end_of_a_trial(directory):
    child = apply_in_terminal(directory)
    (directory / "other.yaml").write_text(GATE.format(size=300_000))
    for how in ([], ["--confirm", "9"]):
        command = [sys.executable, "-m", "visigate_logging", "apply", "other.yaml", *how]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 78
        assert "is on trial already" in done.stderr
    child.communicate("yes\n", timeout=30)
    assert "200000" in (directory / "logging.yaml").read_text()


def test_a_change_that_went_back_leaves_what_was_before_the_one_that_was_kept(directory):
    path = directory / "logging.yaml"
    first = path.read_bytes()
    put(path, b"second: 2")
    with contextlib.suppress(KeyboardInterrupt):
        put_on_trial(path, b"third: 3", lambda: signal.raise_signal(signal.SIGINT))
    assert (path.read_bytes(), (directory / "logging.yaml.before").read_bytes()) == (b"second: 2", first)
    assert put_on_trial(path, b"fourth: 4", lambda: True)
    assert (directory / "logging.yaml.before").read_bytes() == b"second: 2"
    assert not (directory / "logging.yaml.earlier").exists()


def test_a_user_who_is_not_there_is_said(directory, capsys):
    with pytest.raises(SystemExit):
        main(["check", "--user", "nobdy"])
    assert "there is no user nobdy on this host" in capsys.readouterr().err


def test_to_apply_the_same_again_costs_nothing_of_what_was_before(directory):
    (directory / "new.yaml").write_text(GATE.format(size=200_000))
    assert [main(["apply", "new.yaml"]) for _ in range(2)] == [0, 0]
    assert "100000" in (directory / "logging.yaml.before").read_text()
    assert main(["apply", "new.yaml", "--confirm", "9"]) == 78


def test_who_may_not_read_the_file_may_not_read_what_stands_beside_it(directory):
    (directory / "logging.yaml").chmod(0o640)
    (directory / "new.yaml").write_text(GATE.format(size=200_000))
    assert main(["apply", "new.yaml"]) == 0
    assert {p.stat().st_mode & 0o777 for p in directory.glob("logging.yaml*")} == {0o640}


def test_the_doctor_finds_all_well(process, capsys):
    deadline = time.monotonic() + 30
    while main(["doctor"]) and time.monotonic() < deadline:
        capsys.readouterr()
        time.sleep(0.2)
    out = capsys.readouterr().out
    assert "FAIL" not in out
    for about in ("configuration", "processes", "disk", "clock"):
        assert f"ok    {about}" in out


def test_the_doctor_names_what_is_wrong_and_what_to_do(process, directory, capsys):
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)  # it writes no more
    path = directory / "logging.yaml"
    path.write_text(GATE.format(size=10**15) + "formatters: {f: {}}\n")
    os.utime(directory / "details.jsonl", (time.time() + 9000, time.time() + 9000))
    assert main(["doctor", "--json"]) == 1
    found = {f["about"]: f for f in orjson.loads(capsys.readouterr().out) if not f["well"]}
    assert "still on the old one" in found["processes"]["cure"]
    assert "lower maxBytes" in found["disk"]["cure"]
    assert "before the last error" in found["clock"]["text"]


def test_the_doctor_asks_the_mail_server(directory, capsys):
    mail = "  mail: {class: visigate_logging.ThrottledSMTPHandler, mailhost: '127.0.0.1:9', fromaddr: a@b.c,\n"
    mail += "         toaddrs: [a@b.c], timeout: 1}\nroot: {level: INFO, handlers: [details, mail]}\n"
    text = GATE.format(size=1000).partition("root:")[0] + mail
    (directory / "logging.yaml").write_text(text)
    assert main(["doctor", "--json"]) == 1
    found = [f for f in orjson.loads(capsys.readouterr().out) if f["about"] == "mail server"]
    assert [f["well"] for f in found] == [False]
    assert found[0]["cure"]


RESTORE = """  recover:
    class: visigate_logging.RecoveryHandler
    state_dir: state
    procedures:
      database:
        exceptions: [sqlite3.DatabaseError]
        steps: [{restore_sqlite: {database: gate.db, backups: [backup.db]}}]
root: {level: INFO, handlers: [details, recover]}
"""


@pytest.fixture
def database(directory):
    """A configuration with a procedure that restores a database, and a backup for it."""
    (directory / "logging.yaml").write_text(GATE.format(size=1000).partition("root:")[0] + RESTORE)
    with contextlib.closing(sqlite3.connect("backup.db")) as backup, backup:
        backup.execute("CREATE TABLE vehicles (plate TEXT)")
        backup.execute("INSERT INTO vehicles VALUES ('B-VG 1')")
    return directory


def backups(capsys):
    assert main(["doctor", "--json"]) in (0, 1)
    found = orjson.loads(capsys.readouterr().out)
    return [(f["well"], f["text"]) for f in found if f["about"] == "backups"]


def test_the_doctor_looks_into_backups(database, capsys):
    assert backups(capsys) == [(True, "backup.db: whole")]
    content = bytearray((database / "backup.db").read_bytes())
    content[4096 + 8 :] = b"x" * len(content[4096 + 8 :])
    (database / "backup.db").write_bytes(content)
    [(well, text)] = backups(capsys)
    assert not well
    assert text.startswith("backup.db: ")
    (database / "backup.db").unlink()
    [(well, text)] = backups(capsys)
    assert not well
    assert "none of backup.db exists" in text


def test_status_tells_of_recovery_budgets_and_outboxes(database, capsys):
    budgets = Budgets(database / "state")
    budgets.save("database", begin(Budget(), budgets.load("database")[1]))
    budgets.state.close()
    (database / "state/outbox/mail").mkdir(parents=True)
    (database / "state/outbox/mail/0179.eml").write_bytes(b"Subject: errors\n\n" + b"x" * 2620)
    assert main(["status", "--json"]) == 0
    told = orjson.loads(capsys.readouterr().out)
    assert [(r["key"], r["attempts"], r["state"]) for r in told["recoveries"]] == [("database", 1, "ready")]
    assert told["outboxes"]["mail"]["waiting"] == 1
    assert main(["status"]) == 0
    out = capsys.readouterr().out
    assert "recovery database: 1 attempt, ready" in out
    assert "outbox mail: 1 mail" in out


def test_status_and_doctor_make_nothing(database, capsys):
    before = sorted(database.rglob("*"))
    main(["status"])
    main(["doctor"])
    assert sorted(database.rglob("*")) == before


def test_status_and_doctor_tell_of_the_last_failure_of_each_handler(database, capsys):
    state, sheet = State(database / "state"), CountSheet("recovery")
    sheet.fail("database failed: restore_sqlite: no backup is valid")
    sheet.publish(state)
    main(["status", "--json"])
    handlers = orjson.loads(capsys.readouterr().out)["handlers"]
    assert handlers["recovery"]["last_failure"]["text"] == "database failed: restore_sqlite: no backup is valid"
    main(["status"])
    assert re.search(r"last failure of recovery: \d{4}-.*no backup is valid", capsys.readouterr().out)
    assert [f["well"] for f in last_failures(capsys)] == [False]
    with state.transaction() as connection:
        connection.execute("UPDATE failures SET time = '2020-01-01T00:00:00Z'")
    assert [f["well"] for f in last_failures(capsys)] == [True]
    state.close()


def test_the_doctor_tells_of_a_loss_until_somebody_has_seen_it(database, capsys):
    state, sheet = State(database / "state"), CountSheet("mail")

    def lose(number):
        sheet.accept(number)
        sheet.drop("queue full", number)
        sheet.publish(state)

    lose(2)
    assert [(f["well"], "lost: 2 queue full" in f["text"]) for f in sums(capsys)] == [(False, True)]
    assert [f["well"] for f in sums(capsys, "--seen")] == [True]
    assert [f["well"] for f in sums(capsys)] == [True]
    lose(1)
    assert [(f["well"], "lost: 1 queue full" in f["text"]) for f in sums(capsys)] == [(False, True)]
    state.close()


def sums(capsys, *args):
    main(["doctor", "--json", *args])
    return [f for f in orjson.loads(capsys.readouterr().out) if f["about"] == "sums"]


def last_failures(capsys):
    main(["doctor", "--json"])
    return [f for f in orjson.loads(capsys.readouterr().out) if f["about"] == "last failure"]


OWN = """
version: 1
handlers:
  details: {class: visigate_logging.JsonFileHandler, filename: details.jsonl}
  chat: {class: gate_of_our_own.Chat}
  recovery:
    class: visigate_logging.RecoveryHandler
    state_dir: state
    procedures:
      camera: {exceptions: [CameraError], steps: [{reopen: {callable: "gate_of_our_own:reopen"}}]}
root: {handlers: [details, chat, recovery]}
"""


@pytest.fixture
def gate(tmp_path, monkeypatch):
    """A directory with a configuration that names the application's own classes, which is not imported yet."""
    module = "import logging\n\nclass Chat(logging.NullHandler):\n    pass\n\ndef reopen(context):\n    return True\n"
    (tmp_path / "gate_of_our_own.py").write_text(module)
    (tmp_path / "logging.yaml").write_text(OWN)
    yield tmp_path
    sys.modules.pop("gate_of_our_own", None)


def test_classes_beside_the_configuration_and_in_the_working_directory_are_found(gate, monkeypatch, capsys):
    monkeypatch.chdir("/")
    assert main(["check", str(gate / "logging.yaml")]) == 0, capsys.readouterr().out
    sys.modules.pop("gate_of_our_own")
    monkeypatch.chdir(gate)
    assert main(["recover", "list"]) == 0
    assert str(gate) not in sys.path


def test_the_commands_that_need_no_class_say_what_could_not_be_loaded(gate, capsys):
    assert main(["check", "--no-path", str(gate / "logging.yaml")]) == 78
    assert "--path DIRECTORY" in capsys.readouterr().out
    assert main(["status", "--no-path", "--config", str(gate / "logging.yaml")]) == 0
    assert "not loaded: " in (out := capsys.readouterr().out)
    assert "gate_of_our_own.Chat cannot be imported" in out
    assert main(["doctor", "--no-path", "--offline", "--config", str(gate / "logging.yaml")]) == 1
    told = capsys.readouterr().out
    assert "FAIL  configuration" in told
    assert "FAIL  backups" not in told


def test_recoveries_are_listed_when_what_they_call_cannot_be_imported_which_is_said(gate, capsys):
    (gate / "gate_of_our_own.py").unlink()
    for action, code in ("list", 0), ("history", 1):  # nothing has run yet
        assert main(["recover", action, "--config", str(gate / "logging.yaml")]) == code
        told = capsys.readouterr()
        assert "'gate_of_our_own:reopen' cannot be reached" in told.err
        assert "gate_of_our_own.Chat cannot be imported" in told.err
        assert ("reopen" in told.out) is (action == "list")
    assert main(["recover", "run", "camera", "--config", str(gate / "logging.yaml")]) == 78


def test_a_directory_that_is_named_is_looked_into(gate, monkeypatch, tmp_path_factory, capsys):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (gate / "gate_of_our_own.py").rename(elsewhere / "gate_of_our_own.py")
    monkeypatch.chdir("/")
    assert main(["check", str(gate / "logging.yaml")]) == 78
    assert main(["check", "--path", str(elsewhere), str(gate / "logging.yaml")]) == 0, capsys.readouterr().out


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be other users")
def test_root_imports_nothing_from_a_directory_that_another_user_can_change(gate, capsys):
    os.chown(gate, 54321, 54321)
    assert main(["check", str(gate / "logging.yaml")]) == 78
    told = capsys.readouterr()
    assert "gate_of_our_own.Chat cannot be imported" in told.out
    assert f"classes in {gate} are left out: user 54321, whose it is, could change {gate}" in told.err
