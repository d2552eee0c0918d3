"""How a process ended is told by those who know, in the order of what they know."""

import json
import os
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.lifecycle.gate import BEGIN, Gate
from visigate_logging.lifecycle import exit_causes
from visigate_logging.lifecycle.dumps import Dump, read_dumps
from visigate_logging.lifecycle.ends import Known, ended
from visigate_logging.lifecycle.exit_causes import Service

FACTS = {"name": "camera.py", "pid": 812}
STARVED = {**FACTS, "memory": [0.91, 0.97]}
DUMPS = {"fatal": [Dump("Aborted", "", ())], "SIGTERM": [Dump("", "", ())], "hang": [Dump("", "0:00:30", ())]}
CASES: list[tuple[str, dict[str, Any], str, str, bool]] = [
    ("a crash counts before all else", {"dumps": DUMPS["fatal"], "kernel": "memory"}, "crash", "Aborted", True),
    (
        "aborted after a hang that was told",
        {"dumps": DUMPS["fatal"], "facts": {**FACTS, "hung": True}},
        "hang",
        "was ended after it had made no progress",
        False,
    ),
    ("aborted while it held the interpreter", {"dumps": DUMPS["hang"] + DUMPS["fatal"]}, "hang", "no progress", True),
    ("its own note of SIGTERM", {"dumps": DUMPS["SIGTERM"]}, "stop", "was told to end (SIGTERM)", False),
    ("killed while it hung", {"dumps": DUMPS["hang"]}, "hang", "no progress for 0:00:30", True),
    ("the kernel's log", {"kernel": "memory", "lasted": 10800.0}, "killed", "was killed for memory after 3 h", True),
    ("the kernel's log of a fault", {"kernel": "fault"}, "crash", "a fault that the kernel has logged", True),
    ("its control group", {"group_kills": 1}, "killed", "was killed for memory", True),
    ("systemd: oom-kill", {"service": Service("oom-kill", "killed", "9")}, "killed", "for memory", True),
    ("systemd: watchdog", {"service": Service("watchdog", "killed", "6")}, "crash", "SIGABRT", True),
    ("systemd: core dump", {"service": Service("core-dump", "dumped", "11")}, "crash", "SIGSEGV", True),
    ("systemd: stop", {"service": Service("", "killed", "TERM")}, "stop", "SIGTERM", False),
    ("systemd: time-out", {"service": Service("timeout", "killed", "KILL")}, "stop", "did not end", False),
    ("systemd: exit code", {"service": Service("exit-code", "exited", "3")}, "exit", "exit code 3", False),
    ("its parent: SIGKILL", {"status": 9}, "killed", "was killed (SIGKILL)", False),
    ("its parent: SIGSEGV with a core", {"status": 0x8B}, "crash", "SIGSEGV", True),
    ("its parent: exit code", {"status": 3 << 8}, "exit", "exit code 3", False),
    ("its own memory", {"facts": STARVED}, "killed", "probably killed for memory; 97 % used and rising", True),
    ("its own memory, and SIGKILL", {"facts": STARVED, "status": 9}, "killed", "probably killed for memory", True),
    ("memory that falls", {"facts": {**FACTS, "memory": [0.99, 0.96]}}, "vanished", "without a word", False),
    ("nothing", {}, "vanished", "ended without a word", False),
    ("facts that are none", {"facts": {"memory": "much"}}, "vanished", "ended without a word", False),
]


@pytest.mark.parametrize(("known", "event", "text", "is_error"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_what_is_known_says_how_it_ended(known: dict[str, Any], event: str, text: str, *, is_error: bool) -> None:
    end = ended(Known(**{"facts": FACTS, **known}))
    assert (end.event, end.is_error) == (event, is_error)
    assert text in end.text


KERNEL_LOG = """6,1,100,-;Linux version 6.1
3,2,5000000,-;Out of memory: Killed process 811 (python3) total-vm:123kB, anon-rss:99kB
6,3,6000000,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),task_memcg=/gate,task=python3,pid=812,uid=0
 SUBSYSTEM=memory
6,4,7000000,-;python3[813]: segfault at 0 ip 00007f error 4 in libcamera.so[7f+1000]
6,5,7000001,-;python3[815]: unhandled level 2 translation fault (11) at 0x00000000
6,6,8000000,-;traps: python3[814] general protection fault ip:7f sp:7f error:0 in libc.so.6
not a line of the log
"""


@pytest.mark.parametrize(
    ("pid", "since", "said"),
    [
        (811, 1, "memory"),
        (812, 1, "memory"),
        (813, 1, "fault"),
        (814, 1, "fault"),
        (815, 1, "fault"),
        (81, 1, ""),
        (811, 6, ""),
    ],
)
def test_the_kernels_log_is_read_for_a_process_and_its_time(
    tmp_path: Path, pid: int, since: float, said: str
) -> None:
    """Line by line, as /dev/kmsg gives one a read."""
    pipe = tmp_path / "kmsg"
    os.mkfifo(pipe)
    keeper = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    os.write(keeper, KERNEL_LOG.encode())
    read = os.read

    def read_line(fd: int, _size: int) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            line += read(fd, 1)
        return line

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exit_causes.os, "read", read_line)
        assert exit_causes.kernel_says(pid, since, str(pipe)) == said
    os.close(keeper)
    assert exit_causes.kernel_says(pid, since, str(tmp_path / "not there")) == ""


def test_the_status_of_a_process_is_known_until_its_parent_asks() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    ticks = exit_causes.start_ticks(child.pid)
    assert exit_causes.lives(child.pid, ticks)
    assert not exit_causes.lives(child.pid, ticks + 1)
    assert exit_causes.exit_status(child.pid, ticks) is None
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not exit_causes.lives(child.pid, ticks)
    assert exit_causes.exit_status(child.pid, ticks) in (9, 0)  # the system may keep it to itself
    child.communicate()
    assert exit_causes.exit_status(child.pid, ticks) is None


def test_systemd_is_asked_for_the_one_run_of_the_service(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a journalctl that answers as systemd 252 does; kill -9 of a service is told as what it was."""
    tool = gate.directory / "bin/journalctl"
    tool.parent.mkdir()
    ended = 1_700_000_000.0
    lines = [
        {"EXIT_CODE": "killed", "EXIT_STATUS": "KILL", "__REALTIME_TIMESTAMP": f"{ended * 1e6:.0f}"},
        {"UNIT_RESULT": "oom-kill", "__REALTIME_TIMESTAMP": f"{ended * 1e6 + 1e9:.0f}"},
    ]
    answer = "\n".join(map(json.dumps, lines))
    tool.write_text(f"#!/bin/sh\necho \"$@\" > {gate.directory}/asked\ncat <<'END'\n{answer}\nEND\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("INVOCATION_ID", "1f" * 16)
    assert gate.run("until_looked(); os.kill(os.getpid(), signal.SIGKILL)") == -9
    monkeypatch.delenv("INVOCATION_ID")
    gate.run("until_looked(); asking = _life.life()._inquest._asking; asking and asking.join()", "next.py")
    assert "INVOCATION_ID=" + "1f" * 16 in (gate.directory / "asked").read_text()
    [record] = gate.records
    assert record["error_type"] == "ProcessKilledError"
    assert "was killed for memory" in record["message"]
    assert datetime.fromisoformat(record["timestamp"]).timestamp() == pytest.approx(ended, abs=0.1)


def test_in_containers_a_number_is_not_taken_for_that_of_another(gate: Gate) -> None:
    """Two have a process of the same number, and one state directory: the one that lives tells of the other's end."""
    container = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*container, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespace can be made")
    (lives := gate.directory / "lives.py").write_text(
        f"{BEGIN}_life.OTHERS_EVERY = 0.1; print('ready', flush=True); sys.stdin.read()"
    )
    (crashes := gate.directory / "crashes.py").write_text(f"{BEGIN}print(os.getpid(), flush=True); os.abort()")
    with subprocess.Popen(
        [*container, sys.executable, str(lives)], cwd=gate.directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as living:
        assert living.stdout is not None
        living.stdout.readline()
        said = subprocess.run(
            [*container, sys.executable, str(crashes)], cwd=gate.directory, stdout=subprocess.PIPE, check=False
        ).stdout
        gate.waits_for(1)
        living.communicate()
    gate.look()
    assert said == b"1\n"
    assert [(r["error_type"], r["pid"], r["process"]) for r in gate.records] == [
        ("ProcessCrashedError", 1, "crashes.py")
    ]
    assert [event for event, _ in gate.ends] == ["crash"]


def test_a_torn_dump_costs_what_is_torn() -> None:
    head = b"Fatal Python error: Bus error\n\nCurrent thread 0x0000ab (most recent call first):\n"
    whole = head + b'  File "a\\xe9.py", line 3 in f\n'
    [dump] = read_dumps(whole + b"\0" * 100)
    assert dump.current.frames == (("aé.py", 3, "f"),)
    assert dump.current.ident == 0xAB
    assert read_dumps(whole[:26]) == [Dump("Bus er", "", ())]
    assert read_dumps(b"") == []


@pytest.mark.parametrize(
    ("version", "own", "used", "limit", "kills"),
    [
        (2, "0::/gate.service", "memory.current", "memory.max", "memory.events"),
        (1, "4:memory:/gate.service\n0::/", "memory.usage_in_bytes", "memory.limit_in_bytes", "memory.oom_control"),
    ],
)
def test_both_versions_of_control_groups_say_how_full_they_are_and_whom_the_kernel_has_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int, own: str, used: str, limit: str, kills: str
) -> None:
    """In a tree as the kernel has it; a limit that is none is no limit."""
    group = tmp_path / ("memory/gate.service" if version == 1 else "gate.service")
    group.mkdir(parents=True)
    (tmp_path / "own").write_text(own)
    monkeypatch.setattr(exit_causes, "_CGROUPS", tmp_path)
    monkeypatch.setattr(exit_causes, "_OWN_CGROUPS", tmp_path / "own")
    assert exit_causes.control_group() == ""
    (group / kills).write_text("low 0\nhigh 7\nmax 9\noom 4\noom_kill 3\noom_group_kill 0\n")
    (group / used).write_text("970\n")
    (group / limit).write_text("max\n")
    assert exit_causes.control_group() == str(group)
    assert exit_causes.oom_kills(str(group)) == 3
    assert _used(group) < 0.97
    (group / limit).write_text("1000\n")
    assert _used(group) == 0.97


def _used(group: Path) -> float:
    found = exit_causes.memory(str(group))
    assert found is not None
    return found.used


def test_kills_that_a_control_group_has_counted_since_are_told(gate: Gate) -> None:
    """In a group of version 2, whose file the test writes in the kernel's place."""
    (group := gate.directory / "group").mkdir()
    (group / "memory.events").write_text("oom 1\noom_kill 1\n")
    program = f"""
    _life.life()._group = "{group}"; _life.life()._told = -100
    while not _life.life().presence.facts.get("oom_kills"): time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)
    """
    assert gate.run(program) == -signal.SIGKILL
    (group / "memory.events").write_text("oom 2\noom_kill 2\n")
    gate.look()
    assert [(r["error_type"], r["pid"]) for r in gate.records] == [("ProcessKilledError", gate.pid)]
    assert [event for event, _ in gate.ends] == ["killed"]


GROUP = Path("/sys/fs/cgroup/memory")


@pytest.mark.skipif(
    not (os.geteuid() == 0 and (GROUP / "memory.limit_in_bytes").exists()), reason="no memory group can be made"
)
def test_what_the_kernel_kills_for_memory_is_told(gate: Gate) -> None:
    """In a real control group of 60 MB, of version 1."""
    group = GROUP / f"visigate-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        pytest.skip("no memory group can be made")
    try:
        (group / "memory.limit_in_bytes").write_text("60M")
        program = f"""
        open("{group}/cgroup.procs", "w").write(str(os.getpid()))
        _life.life()._group = "{group}"; _life.life()._told = -100
        while not _life.life().presence.facts.get("cgroup") == "{group}": time.sleep(0.01)
        kept = [bytearray(10_000_000) for _ in range(1000)]
        """
        assert gate.run(program) == -signal.SIGKILL
        gate.look()
    finally:
        group.rmdir()
    [record] = gate.records
    assert (record["error_type"], record["pid"]) == ("ProcessKilledError", gate.pid)
    assert "was killed for memory" in record["message"]


def test_running_out_of_address_space_is_an_error_like_others_and_no_death(gate: Gate) -> None:
    program = """
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (2_000_000_000, 2_000_000_000))
    bytearray(4_000_000_000)
    """
    assert gate.run(program) == 1
    gate.look()
    assert [r["error_type"] for r in gate.records] == ["MemoryError"]
    assert gate.ends == []
