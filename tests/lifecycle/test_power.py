"""One record says how long the power was away, at the right times, or that it cannot be told."""

import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.lifecycle.gate import Gate
from visigate_logging.host.timeline import Timeline
from visigate_logging.lifecycle import incidents, outages, power
from visigate_logging.lifecycle.outages import Absence, Sign
from visigate_logging.lifecycle.power import Power, mark_shutdown

MINUTE = 60.0


class Host:
    """A host whose boots and clocks are as the test has them; the files are real."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.boot, self.booted, self.now, self.offset = "boot-1", 0.0, 1_700_000_000.0, 0.0
        self.is_right = True
        self._power = Power(directory)
        clock = power.clock
        monkeypatch.setattr(power, "boot_id", lambda: self.boot)
        monkeypatch.setattr(power, "clock", lambda: clock()._replace(boot_id=self.boot, seconds=self.uptime))
        monkeypatch.setattr(power, "clock_is_right", lambda: self.is_right)
        monkeypatch.setattr(power, "time", Time(self))
        monkeypatch.setattr(outages, "time", Time(self))
        monkeypatch.setattr(power, "_PSTORE", (directory / "pstore",))
        self.boots(0)

    @property
    def uptime(self) -> float:
        return self.now - self.booted

    def boots(self, after: float, *, wrong_by: float = 0.0) -> None:
        """Be off for some seconds, and then up again, perhaps with a wrong clock."""
        self.now += after
        self.booted, self.boot = self.now - 10, f"boot-{self.now}"
        self.offset, self.is_right = -wrong_by, not wrong_by
        self._power = Power(self.directory)

    def runs(self, seconds: float) -> list[str]:
        """Let time pass, with a look every five seconds; returns what is told."""
        told = []
        end = self.now + seconds
        while self.now < end:
            found = self._power.look()
            if found:
                told += [absence.text for absence in found]
                self._power.told(found)
            self.now += 5
        return told

    def is_set_right(self) -> None:
        """The network sets the clock."""
        self.offset, self.is_right = 0.0, True


class Time:
    """The module, with the host's clock."""

    def __init__(self, host: Host) -> None:
        self.time = lambda: host.now + host.offset
        self.localtime, self.strftime = time.gmtime, time.strftime


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host that has been up for an hour."""
    host = Host(tmp_path, monkeypatch)
    assert host.runs(3600) == []
    return host


def process(directory: Path, boot: str, **facts: Any) -> Path:
    """A file of a process that has not said goodbye."""
    path = directory / "processes" / "812-aa.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"pid": 812, "name": "camera.py", "boot_id": boot, **facts}))
    return path


def test_without_a_unit_it_cannot_be_told_whether_it_was_the_power(host: Host) -> None:
    process(host.directory, host.boot)
    host.boots(180)
    [text] = host.runs(60)
    assert text.startswith("power or kernel, cannot tell: the host was away 23:1")
    assert text.endswith("(4 min)")
    assert host.runs(3600) == []


def test_with_a_unit_that_was_not_stopped_it_was_the_power(host: Host) -> None:
    mark_shutdown(host.directory, "up")
    host.boots(180)
    [text] = host.runs(60)
    assert text == "power was away 23:12–23:16 (4 min)"  # noqa: RUF001 -- as it is told


def test_with_a_unit_that_was_stopped_it_was_a_restart(host: Host) -> None:
    process(host.directory, host.boot)
    mark_shutdown(host.directory, "down")
    host.boots(60)
    [text] = host.runs(60)
    assert text.startswith("restarted: off 23:1")


def test_a_unit_that_was_stopped_by_hand_and_not_at_the_shutdown_says_nothing(host: Host) -> None:
    mark_shutdown(host.directory, "down")
    process(host.directory, host.boot)
    host.runs(3600)
    host.boots(60)
    [text] = host.runs(60)
    assert text.startswith("power or kernel, cannot tell")


def test_when_all_processes_had_ended_well_it_was_a_restart(host: Host) -> None:
    process(host.directory, host.boot, said_goodbye=True)
    host.boots(60)
    [text] = host.runs(60)
    assert text.startswith("restarted")


def test_when_all_processes_had_been_told_to_end_it_was_a_restart(host: Host) -> None:
    process(host.directory, host.boot).with_suffix(".dump").write_text("Stack (most recent call first):\n")
    host.boots(60)
    [text] = host.runs(60)
    assert text.startswith("restarted")


def test_what_the_kernel_has_left_says_that_it_crashed(host: Host) -> None:
    mark_shutdown(host.directory, "up")
    (host.directory / "pstore").mkdir()
    host.boots(60)
    (host.directory / "pstore/dmesg-ramoops-0").write_text("Oops")
    os.utime(host.directory / "pstore/dmesg-ramoops-0", (host.now, host.now))
    [text] = host.runs(60)
    assert text.startswith("the kernel crashed")


def test_with_a_clock_at_1970_it_is_told_when_the_clock_is_right_with_right_times(host: Host) -> None:
    mark_shutdown(host.directory, "up")
    host.boots(180, wrong_by=host.now)
    assert host.runs(120) == []
    host.is_set_right()
    assert host.runs(60) == ["power was away 23:12–23:16 (4 min)"]  # noqa: RUF001 -- as it is told
    assert host.runs(3600) == []


def test_a_clock_that_nobody_sets_is_waited_for_ten_minutes(host: Host) -> None:
    mark_shutdown(host.directory, "up")
    host.boots(180, wrong_by=host.now)
    assert host.runs(500) == []
    [text] = host.runs(200)
    assert text.startswith("power was away from 2023-11-14 23:12")
    assert text.endswith("how long is not known")
    assert host.runs(3600) == []


def test_several_cuts_before_the_clock_is_right_are_each_told(host: Host) -> None:
    mark_shutdown(host.directory, "up")
    host.boots(180, wrong_by=host.now)
    host.runs(60)
    mark_shutdown(host.directory, "up")
    host.boots(180, wrong_by=host.now)
    host.is_set_right()
    first, second = host.runs(60)
    assert first.startswith("power was away from 23:12")
    assert first.endswith("how long is not known")
    assert second.startswith("power was away until 23:2")


def test_the_last_boot_is_found_out_by_one_process_and_the_others_wait(host: Host) -> None:
    host.boots(60)
    assert host._power._lock.acquire()
    other = Power(host.directory)
    assert other.look() is None
    host._power._lock.release()
    assert len(other.look() or []) == 1


def test_a_sign_of_life_is_written_once_a_minute(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []
    really = power.write_atomically
    monkeypatch.setattr(power, "write_atomically", lambda path, text: (written.append(path), really(path, text)))
    host.runs(600)
    assert len(written) == 10


def test_a_power_cut_is_one_error_with_what_was_torn(gate: Gate) -> None:
    """Everything is killed at once, the last lines are torn, and the boot is another; only the clock is real."""
    assert gate.run("until_looked(); logging.error('the last'); os.kill(os.getpid(), signal.SIGKILL)") == -9
    state = gate.directory / "logs/state"
    log = gate.directory / "logs/details.jsonl"
    for path in [*state.glob("processes/*.json"), state / "alive.json", log]:
        text = path.read_text()
        boot = json.loads(text.splitlines()[0]).get("boot_id") or json.loads(text)["sign"]["boot_id"]
        path.write_text(text.replace(boot, "of-before"))
    alive = json.loads((state / "alive.json").read_text())
    alive["sign"] |= {"at": time.time() - 200, "is_right": True}
    (state / "alive.json").write_text(json.dumps(alive))
    with log.open("ab") as file:
        file.write(b'{"timestamp": "2026-' + bytes(512))
    with (state / "timeline.jsonl").open("ab") as file:
        file.write(b'{"time":"2026-11-')
    for booted in (0, time.time()):  # of another boot, and of this
        (state / f"state.sqlite3.damaged-{booted * 1e9:.0f}").write_bytes(b"")
    for _ in range(2):
        gate.run("import visigate_logging.lifecycle.power as p; p.PATIENCE = 0; p.clock_is_right = lambda: True; "
                 "until_looked()", "next.py")  # fmt: skip
    lines = [line for line in log.read_bytes().splitlines() if line.startswith(b"{") and b"\0" not in line]
    records = [json.loads(line) for line in lines]
    assert [r["error_type"] for r in records] == ["ERROR", "PowerLostError"]
    told = records[-1]
    assert told["message"].startswith("power or kernel, cannot tell: the host was away")
    assert told["additional_info"]["cut_off"] == ["camera.py"]
    assert told["additional_info"]["torn_lines"] == {"details.jsonl": 1, "timeline.jsonl": 1}
    assert [len(name) for name in told["additional_info"]["put_aside"]] == [len("state.sqlite3.damaged-") + 19]
    assert told["additional_info"]["times_in_30_days"] == 1
    assert [e["event"] for e in Timeline(state).read() if e["event"] in ("power", "boot", "vanished")] == ["power"]


def test_outages_are_one_group_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[logging.LogRecord] = []

    class Keeps(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record)

    monkeypatch.setattr(logging.getLogger(), "handlers", [Keeps()])
    timeline = Timeline(tmp_path)
    last = Sign("b", 10.0, time.time() - 500, is_right=True, mark="up")
    for away in (100.0, 7000.0):
        absence = Absence(last, time.time() - away, time.time())
        incidents.tell_of_absences([absence], timeline, {"name": "camera.py"})
    first, second = (vars(record)["_visigate_detail"] for record in told)
    assert first["fingerprint"] == second["fingerprint"]
    assert [d["additional_info"]["times_in_30_days"] for d in (first, second)] == [1, 2]
