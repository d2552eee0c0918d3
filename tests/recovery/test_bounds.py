"""What an error brings with it cannot make a step do what nobody has meant; and what a step starts, it can end."""

import sys
from pathlib import Path

import pytest

from tests.waiting import wait_until
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.recovery.budgets import Budgets, Marks
from visigate_logging.recovery.procedures import parse_procedures
from visigate_logging.recovery.process import run_in_child
from visigate_logging.recovery.runner import Runner
from visigate_logging.recovery.steps import STEPS
from visigate_logging.recovery.steps.base import Context, Outcome, Status


def run(tmp_path: Path, step: dict, *, key: str = "", **given: object) -> Outcome:
    procedures = parse_procedures({"p": {"exceptions": ["X"], "steps": [step], **given}})
    runner = Runner(procedures, tmp_path / "state")
    (tmp_path / "state" / "recovery").mkdir(parents=True)
    outcome = runner.run(procedures[0], Context(procedure="p", key=key))
    runner.close()
    return outcome


@pytest.mark.parametrize("unit", ["reboot.target", "gate.socket", "getty@tty1.timer", "-f"])
def test_only_services_are_restarted(unit):
    with pytest.raises(ValueError, match="service"):
        STEPS["restart_service"](service=unit)


def test_a_service_that_an_error_names_must_be_allowed(tmp_path):
    with pytest.raises(ConfigurationError, match=r"must be listed in allowed"):
        parse_procedures({"p": {"exceptions": ["X"], "steps": [{"restart_service": {"service": "{key}"}}]}})
    step = {"restart_service": {"service": "gate-{key}", "allowed": ["gate-north"]}}
    for key in ("south", "reboot.target", "../sshd"):
        outcome = run(tmp_path / key.replace("/", "_"), step, key=key)
        assert outcome.status is Status.REFUSED, key
        assert "gate-" in outcome.message


@pytest.mark.parametrize(
    "step",
    [
        {"restart_service": {"service": "systemd-reboot"}},
        {"command": {"argv": ["sudo", "/sbin/reboot"]}},
        {"command": {"argv": ["systemctl", "start", "poweroff.target"]}},
        {"command": {"argv": ["sh", "-c", "sleep 1; shutdown -r now"]}},
    ],
    ids=str,
)
def test_whatever_ends_the_host_needs_leave(step):
    given = {"p": {"exceptions": ["X"], "steps": [step]}}
    with pytest.raises(ConfigurationError, match="allow_reboot"):
        parse_procedures(given)
    assert parse_procedures(given, allow_reboot=True)


def test_an_error_cannot_name_what_ends_the_host(tmp_path):
    outcome = run(tmp_path, {"command": {"argv": ["echo", "start", "{key}"]}}, key="reboot.target")
    assert outcome.status is Status.REFUSED
    assert "would reboot the host" in outcome.message


@pytest.mark.parametrize("host", ["7", "0x7f.1", "127.1", "_", "10.0.0.256"])
def test_a_number_is_no_host(tmp_path, host):
    for step in ({"probe_rtsp": {"url": "rtsp://{key}:554/"}}, {"probe_tcp": {"host": "{key}", "port": 80}}):
        outcome = run(tmp_path / str(len(step)) / next(iter(step)), step, key=host)
        assert outcome.status is Status.REFUSED
        assert "neither a name nor an address" in outcome.message


@pytest.mark.parametrize("host", ["10.0.0.7", "fe80::1", "camera-7", "7.camera.local", "north"])
def test_an_address_or_a_name_is_a_host(host):
    STEPS["probe_tcp"](host=host, port=80)
    STEPS["probe_http"](url=f"http://user:pw@[{host}]:80/x" if ":" in host else f"http://user:pw@{host}:80/x")


def test_probes_alone_use_up_no_budget_and_neither_mend_nor_give_up(tmp_path):
    told = []
    step = {"probe_tcp": {"host": "127.0.0.1", "port": 9, "timeout": 1}}
    procedures = parse_procedures({"p": {"exceptions": ["X"], "steps": [step], "cooldown": 0, "max_attempts": 1}})
    runner = Runner(procedures, tmp_path / "state", tell=told.append)
    for _ in range(4):
        runner.answer(Context(procedure="p"))
    assert Budgets(tmp_path / "state").load("p")[0].attempts == ()
    assert {t.outcome.status for t in told} == {Status.DIAGNOSED}
    assert {t.level for t in told} == {30}
    runner.close()


def test_a_lock_makes_nothing_where_there_is_no_folder(tmp_path):
    step = {"restore_sqlite": {"database": str(tmp_path / "data" / "gate.db"), "backups": [str(tmp_path / "b.db")]}}
    (tmp_path / "b.db").touch()
    outcome = run(tmp_path, step)
    assert outcome.status is Status.FAILED
    assert "there is no folder" in outcome.message
    assert not (tmp_path / "data").exists()
    assert not list(Marks(tmp_path / "state").pending())


def test_a_database_that_is_nowhere_with_no_backup_is_refused(tmp_path):
    step = {"restore_sqlite": {"database": str(tmp_path / "gate.db"), "backups": [str(tmp_path / "b.db")]}}
    outcome = run(tmp_path, step)
    assert outcome.status is Status.REFUSED
    assert "is the path right?" in outcome.message


@pytest.mark.parametrize("database", ["postgresql://gate@db/visigate", "mysql://x", "sqlite:///data/gate.db", ""])
def test_a_database_that_is_no_file_of_sqlite_is_refused_in_words(database):
    with pytest.raises(ValueError, match="SQLite"):
        STEPS["restore_sqlite"](database=database, backups=("b",))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux can find them")
@pytest.mark.parametrize("how", ["setsid sh -c", '(setsid sh -c \'exec setsid sh -c "$0"\' "$0" &) ; : '])
def test_what_left_the_session_of_a_step_is_ended_with_it(tmp_path, how):
    inner = f"echo $$ > {tmp_path}/pid; exec sleep 300"
    script = f"{how} '{inner}' & sleep 300" if how.startswith("setsid") else f"(setsid sh -c '{inner}' &); sleep 300"
    outcome = run_in_child("command", {"argv": ["sh", "-c", script]}, Context(), 2)
    assert outcome.details == {"timed_out": True}
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not Path(f"/proc/{pid}").exists() or _state(pid) == "Z")


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


STEP_OF_OTHERS = '''
from dataclasses import dataclass
from visigate_logging.recovery.steps.base import Context, Outcome, Status, Step


@dataclass(frozen=True, kw_only=True)
class Blink(Step):
    """Blink so that the guard looks.

    Args:
        times: how often.
    """

    times: int = 3

    def run(self, context: Context) -> Outcome:
        return Outcome(Status.DONE, f"blinked {self.times} times for {context.error_type}")


NOT_ONE = 7
'''


@pytest.fixture
def gate_steps(tmp_path, monkeypatch):
    (tmp_path / "gate_steps.py").write_text(STEP_OF_OTHERS)
    monkeypatch.delitem(sys.modules, "gate_steps", raising=False)  # of another test
    info = tmp_path / "gate_steps-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gate-steps\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[visigate_logging.steps]\nblink = gate_steps:Blink\n")
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("gate_steps")
@pytest.mark.parametrize("name", ["gate_steps.Blink", "blink"])
def test_a_step_of_another_package_is_used_like_ours(tmp_path, name):
    outcome = run(tmp_path, {name: {"times": 2}})
    assert outcome.status is Status.DONE
    assert "blinked 2 times" in outcome.message
    with pytest.raises(ConfigurationError) as caught:
        parse_procedures({"p": {"exceptions": ["X"], "steps": [{name: {"time": 2}}]}})
    assert caught.value.key == f"procedures.p.steps.0.{name}.time"


@pytest.mark.usefixtures("gate_steps")
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("gate_steps.Blnk", "cannot be imported"),
        ("gate_steps.NOT_ONE", "not a dataclass that derives from"),
        ("nosuch.Step", "cannot be imported"),
        ("blnk", "possible are"),
    ],
)
def test_what_is_no_step_is_refused_with_the_reason(name, problem):
    with pytest.raises(ConfigurationError, match=problem):
        parse_procedures({"p": {"exceptions": ["X"], "steps": [{name: {}}]}})
