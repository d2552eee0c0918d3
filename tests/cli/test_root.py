"""What root's commands do in a directory that is the gate's, whatever its user has planted there."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.host.users import GATE, as_user, give, needs_root, open_directory, python_for_all
from visigate_logging.cli import main
from visigate_logging.config.confirm import put

pytestmark = needs_root

CONFIG = """\
version: 1
handlers:
  details: {class: visigate_logging.JsonFileHandler, filename: logs/details.jsonl, maxBytes: 300, backupCount: 3}
  recovery:
    class: visigate_logging.RecoveryHandler
    state_dir: logs/state
    procedures:
      camera: {exceptions: [ValueError], steps: [{command: {argv: ["true"]}}]}
root: {level: INFO, handlers: [details]}
"""
LOG = "import logging, visigate_logging; visigate_logging.configure(); logging.error('an error')"
PLAINLY = """\
import logging.config, yaml
logging.config.dictConfig(yaml.safe_load(open("logging.yaml")))
logging.error("an error")
"""


@pytest.fixture
def tmp_path():
    """A directory that other users may enter too."""
    with open_directory() as place:
        yield place


@pytest.fixture(scope="module")
def installed():
    """An installation whose directory is the gate's, with two errors of its own."""
    python_for_all()  # root asks, and all know it from then on
    with open_directory() as above, pytest.MonkeyPatch.context() as patch:
        place = give(above / "gate")
        patch.chdir(place)
        (place / "logging.yaml").write_text(CONFIG)
        os.chown("logging.yaml", GATE, GATE)
        assert as_user(GATE, log)
        assert as_user(GATE, log)
        yield place


@pytest.fixture
def gate(tmp_path, monkeypatch, installed):
    """A copy of it, the owners too."""
    place = tmp_path / "gate"
    subprocess.run(["cp", "-a", installed, place], check=True)
    monkeypatch.chdir(place)
    return place


def python(*arguments):
    """Run a Python in a process of its own, and return its exit code and what it said."""
    executable, environment = python_for_all()
    run = [executable, *arguments]
    done = subprocess.run(run, capture_output=True, text=True, check=False, env=environment)
    return done.returncode, done.stdout + done.stderr


def log(code=LOG):
    """Log an error in a process of its own."""
    code, said = python("-c", code)
    if code:
        raise OSError(said)


def command(*arguments):
    """Run a command, as root, in a process of its own, and return its exit code and what it said."""
    return python("-m", "visigate_logging", *arguments)


def foreign(place):
    """What is in a directory and is not the gate's."""
    return [path for path in place.rglob("*") if path.lstat().st_uid != GATE]


COMMANDS = [
    ("status",),
    ("doctor", "--seen"),
    ("recent",),
    ("index",),
    ("recover", "list"),
    ("recover", "run", "camera"),
    ("prune", "--older-than", "1"),
    ("apply", "new.yaml"),
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_command_of_roots_leaves_nothing_that_is_roots(gate, arguments):
    (gate / "new.yaml").write_text(CONFIG + "# changed\n")
    os.chown("new.yaml", GATE, GATE)
    _code, said = command(*arguments)
    assert "Traceback" not in said
    assert foreign(gate) == []


def test_a_process_of_roots_with_the_same_configuration_keeps_no_record_from_the_gate(gate):
    for _ in range(3):
        log(PLAINLY)  # configure refuses root what others can change
    assert foreign(gate) == []
    assert as_user(GATE, log)
    lines = b"".join(path.read_bytes() for path in gate.glob("logs/details.jsonl*"))
    assert lines.count(b"an error") >= 4


def test_root_deletes_nothing_behind_a_linked_folder(gate, tmp_path):
    precious = give(tmp_path / "precious", 0)
    (precious / "1.json").write_text("{}")
    os.rename("logs/state/processes", "logs/state/away")
    assert as_user(GATE, lambda: Path("logs/state/processes").symlink_to(precious))
    for arguments in (("status",), ("doctor",)):
        command(*arguments)
    log(PLAINLY)
    assert (precious / "1.json").read_text() == "{}"
    assert os.listdir(precious) == ["1.json"]


# `apply` itself refuses root what others can change, before it comes to this.
@pytest.mark.parametrize("planted", [".logging.yaml.new", "logging.yaml.before", "logging.yaml.unconfirmed"])
def test_a_configuration_is_put_through_no_link(gate, tmp_path, planted):
    precious = tmp_path / "precious"
    precious.write_text("root's own")
    assert as_user(GATE, lambda: (gate / planted).symlink_to(precious))
    put(gate / "logging.yaml", CONFIG.encode() + b"# changed\n")
    assert (gate / "logging.yaml").read_text().endswith("# changed\n")
    assert (gate / "logging.yaml").stat().st_uid == GATE
    assert precious.read_text() == "root's own"
    assert precious.stat().st_uid == 0


def test_a_configuration_that_is_a_link_of_the_gates_is_not_put_where_it_leads(gate, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text(CONFIG)
    os.unlink("logging.yaml")
    assert as_user(GATE, lambda: (gate / "logging.yaml").symlink_to(precious))
    with pytest.raises(PermissionError, match="is a link that is not root's"):
        put(gate / "logging.yaml", b"version: 1\n")
    assert precious.read_text() == CONFIG


@pytest.mark.parametrize("name", ["state", "state/recovery", "state/recovery.jsonl", "state/state.sqlite3"])
def test_a_recovery_that_root_runs_goes_through_no_link(gate, tmp_path, name):
    precious = tmp_path / "precious"
    precious.mkdir()
    path = gate / "logs" / name
    if path.exists():
        path.rename(gate / "away")
    assert as_user(GATE, lambda: path.symlink_to(precious / "new" if "." in name else precious))
    command("recover", "run", "camera")
    assert os.listdir(precious) == []


def test_the_doctor_names_what_root_has_made_and_the_chown(gate, capsys):
    for path in gate.glob("logs/details.jsonl*"):
        os.chown(path, 0, 0)
    _code, said = command("doctor")
    assert "root has made details.jsonl" in said
    (cure,) = [line for line in said.splitlines() if "sudo chown -h" in line]
    subprocess.run(cure.replace("sudo", ""), shell=True, check=True)
    assert foreign(gate) == []
    assert "root has made" not in command("doctor")[1]


def test_in_a_directory_of_its_own_root_stays_root(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logging.yaml").write_text(CONFIG)
    log()
    assert main(["recent"]) == 0
    assert os.geteuid() == 0
