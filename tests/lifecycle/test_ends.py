"""Whoever ends without a word is told of by the next of the host's processes, once and rightly."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.lifecycle.gate import Gate
from visigate_logging.lifecycle.locked_file import LockedFile

CRASHES = {
    "a null pointer": ("ctypes.string_at(0)", "Segmentation fault (SIGSEGV)", -signal.SIGSEGV),
    "abort": ("os.abort()", "Aborted (SIGABRT)", -signal.SIGABRT),
    "a bus error": (
        """import mmap
    with open("mapped", "w+b") as file:
        file.truncate(8192); view = mmap.mmap(file.fileno(), 8192); file.truncate(0); view[5000]""",
        "Bus error (SIGBUS)",
        -signal.SIGBUS,
    ),
    "a stack overflow": ("faulthandler._stack_overflow()", "Segmentation fault (SIGSEGV)", -signal.SIGSEGV),
}
CRASH = """
def read_frame():
    {}
def watch():
    threading.Event().wait()
threading.Thread(target=watch, name="watcher", daemon=True).start()
read_frame()
"""
LATE = "class Late:\n    def __del__(self): ctypes.string_at(0)\nkept = Late(); kept.me = kept"
QUIET = {
    "kill -9": ("os.kill(os.getpid(), signal.SIGKILL)", -9, ("vanished", "ended without a word")),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM)", -15, ("stop", "was told to end (SIGTERM)")),
    "_exit": ("os._exit(3)", 3, ("exit", "left at once with exit code 3 (os._exit)")),
}


def test_each_end_without_a_word_is_told_once_and_rightly(gate: Gate) -> None:
    """Many in one directory: a crash is a CRITICAL record of the process that crashed, others are events alone."""
    begin = datetime.now(UTC)
    programs = {kind: CRASH.format(code) for kind, (code, *_) in CRASHES.items()}
    programs |= {kind: program for kind, (program, *_) in QUIET.items()} | {"late": LATE}
    statuses, pids = {}, {}
    for kind, program in programs.items():  # one after the other: none sees another's status, or ends while it tells
        statuses[kind] = gate.run(f"until_looked()\n{program}", f"{kind}.py")
        pids[kind] = gate.pid
    gate.look()
    gate.look()
    records = {record["pid"]: record for record in gate.records}
    assert len(gate.records) == len(records)
    assert records.keys() == {pids[kind] for kind in (*CRASHES, "late")}
    for kind, (_, said, status) in CRASHES.items():
        record = records[pids[kind]]
        assert statuses[kind] == status
        assert (record["error_type"], record["level"]) == ("ProcessCrashedError", "CRITICAL")
        assert record["message"] == f"{kind}.py (pid {pids[kind]}) crashed: {said}"
        assert "read_frame" in [frame["function"] for frame in record["exceptions"][0]["frames"]]
        assert record["exceptions"][0]["frames"][0]["code"] == "read_frame()"
        assert begin <= datetime.fromisoformat(record["timestamp"]) <= datetime.now(UTC)
        assert (record["service"], record["release"], record["process"]) == ("gate", "1.4.2", f"{kind}.py")
        others = [" ".join(stack["frames"]) for stack in record["additional_info"]["threads"][1:]]
        assert len([frames for frames in others if "in watch" in frames]) == 1
    for kind, (_, status, (event, text)) in QUIET.items():
        assert statuses[kind] == status
        assert (event, f"{kind}.py (pid {pids[kind]}) {text}") in gate.ends
    assert sorted(event for event, _ in gate.ends) == ["crash"] * 5 + ["exit", "stop", "vanished"], gate.ends


@pytest.mark.parametrize(
    "moment",
    [
        "_life.Timeline.append = lambda _, event, *__, **___: event == 'crash' and end()",
        "Gone.forget = end",
        "held.unlink = lambda path: (unlink(path), end())",
    ],
    ids=["logged", "told", "half removed"],
)
def test_who_ends_while_he_tells_of_another_leaves_nothing_to_be_told_again(gate: Gate, moment: str) -> None:
    teller = gate.start(f"""
    from visigate_logging.lifecycle import processes as held
    from visigate_logging.lifecycle.processes import Gone, unlink
    def end(*_): os.kill(os.getpid(), signal.SIGKILL)
    until_looked()
    {moment}
    _life.LOOK_EVERY = _life.OTHERS_EVERY = 0.1
    print("ready", flush=True); threading.Event().wait()
    """, "teller.py")  # fmt: skip
    try:
        assert teller.stdout is not None
        assert teller.stdout.readline() == "ready\n"
        gate.run("ctypes.string_at(0)")
        teller.communicate(timeout=60)
    finally:
        teller.kill()
    told = f"teller.py (pid {teller.pid}) ended without a word"
    gate.look()
    assert [record["pid"] for record in gate.records] == [gate.pid]
    assert [text for event, text in gate.ends if event == "vanished"] == [told]
    assert len(gate.ends) == 2


def test_crashes_at_one_place_are_one_group(gate: Gate) -> None:
    processes = [gate.start("ctypes.string_at(0)") for _ in range(2)]
    for process in processes:
        process.communicate(timeout=120)
    several = [gate.start("until_looked()", f"next{n}.py") for n in range(3)]  # at once: they tell of each once
    for process in several:
        process.communicate(timeout=120)
    first, second = gate.records
    assert first["fingerprint"] == second["fingerprint"]
    assert {first["pid"], second["pid"]} == {process.pid for process in processes}


CLEAN = {
    "at its last line": "",
    "sys.exit": "sys.exit(3)",
    "os._exit": "os._exit(0)",
    "SIGTERM, handled": "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); os.kill(os.getpid(), signal.SIGTERM)",
    "another program": "os.execv(sys.executable, [sys.executable, '-c', ''])",
    "SIGTERM, handled, and no more hooks": "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
    "visigate_logging.uninstall_hooks(); os.kill(os.getpid(), signal.SIGTERM)",
    "a forked child": "child = os.fork()\nif child == 0: os._exit(0)\nos.wait()",
    "a pool": "from multiprocessing import get_context\n"
    "with get_context('fork').Pool(2) as pool: pool.map(abs, range(4)); pool.close(); pool.join()",
}


def test_of_clean_ends_nothing_is_told(gate: Gate) -> None:
    processes = [gate.start(program, f"clean{n}.py") for n, program in enumerate(CLEAN.values())]
    assert [process.communicate(timeout=120)[1] for process in processes] == [""] * len(CLEAN)
    gate.look()
    assert (gate.ends, gate.records) == ([], [])


@pytest.mark.parametrize("count", [10, pytest.param(100, marks=[pytest.mark.stress, pytest.mark.timeout(900)])])
def test_of_many_clean_ends_is_no_word(gate: Gate, count: int) -> None:
    gate.run(f"for n in range({count}):\n    if os.fork() == 0: sys.exit(n)\n    os.wait()")
    gate.look()
    assert (gate.complained, gate.ends, gate.records) == ("", [], [])
    assert len(list((gate.directory / "logs/state/processes").iterdir())) <= 2  # of the one that has looked


def test_a_sibling_tells_while_it_runs(gate: Gate) -> None:
    sibling = gate.start("print('ready', flush=True); _life.OTHERS_EVERY = 0.1; sys.stdin.read()", "sibling.py",
                         stdin=subprocess.PIPE)  # fmt: skip
    assert sibling.stdout is not None
    assert sibling.stdout.readline() == "ready\n"
    gate.run("ctypes.string_at(0)")
    gate.waits_for(1)
    sibling.communicate("")
    gate.look()
    assert len(gate.records) == 1


def test_the_descriptor_is_looked_at_and_no_crash_is_written_into_another_file(gate: Gate) -> None:
    program = """
    high = _life.life()._dump._file.fd
    os.closerange(3, 4096)
    database = os.open("database", os.O_RDWR | os.O_CREAT)
    os.dup2(database, high)  # the worst case: it gets the number itself
    life = _life.life()
    while not (life.presence.is_seen and life._dump and life._dump.is_held): time.sleep(0.01)
    ctypes.string_at(0)
    """
    assert gate.run(program) == -signal.SIGSEGV
    gate.look()
    assert (gate.directory / "database").read_bytes() == b""
    assert [r["error_type"] for r in gate.records] == ["ProcessCrashedError"]
    assert [event for event, _ in gate.ends] == ["crash"]


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.stress)])
def test_descriptors_that_are_closed_at_any_moment_of_a_look_cost_neither_the_crash_nor_anybodys_file(
    tmp_path: Path, step: int
) -> None:
    run = [sys.executable, "-W", "ignore::DeprecationWarning", "-m", "tests.lifecycle.robbed", str(step)]
    paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(run, cwd=tmp_path, env=paths, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert all(int(moments) > 20 for moments in done.stdout.split())


def test_a_file_that_has_the_number_of_a_removed_one_is_not_taken_for_it(tmp_path: Path) -> None:
    held = LockedFile(tmp_path / "held")
    os.link(held.path, tmp_path / "database")
    held.path.unlink()
    database = os.open(tmp_path / "database", os.O_RDWR)
    os.dup2(database, held.fd)
    assert not held.is_held
    with pytest.raises(OSError, match="somebody has closed the descriptor"):
        held.rewrite(b"{}")
    held.close()
    os.close(held.fd)
    assert os.read(database, 1) == b""
    os.close(database)


def test_what_is_opened_after_all_is_closed_gets_another_number(gate: Gate) -> None:
    gate.run("high = _life.life()._dump._file.fd; os.closerange(3, 4096); print(high, os.open('x', os.O_CREAT))")
    high, low = map(int, gate.said.split())
    assert low < 10 < 900 < high


def test_an_application_that_has_armed_faulthandler_keeps_it(gate: Gate) -> None:
    for when in ("before", "after"):
        arm = "faulthandler.enable(open('mine', 'w'))"
        alone = "until_looked(); _life.OTHERS_EVERY = 1e9"  # else it may see how its child has ended
        program = f"{alone}\nif os.fork() == 0: ctypes.string_at(0)\nos.wait()"
        if when == "before":
            program = f"visigate_logging.uninstall_hooks()\n{arm}\nvisigate_logging.install_hooks()\n{program}"
        else:
            program = f"{arm}\n{program}"
        gate.run(program)
        assert "Segmentation fault" in (gate.directory / "mine").read_text()
        (gate.directory / "mine").unlink()
    gate.look()
    assert [event for event, _ in gate.ends] == ["vanished", "vanished"]


def test_a_forked_child_that_crashes_is_told_as_itself(gate: Gate) -> None:
    gate.run("child = os.fork()\nif child == 0: ctypes.string_at(0)\nos.wait()\nprint(child)")
    gate.look()
    assert [r["pid"] for r in gate.records] == [int(gate.said)]


def test_hooks_beside_plain_dictconfig_tell_as_well(gate: Gate) -> None:
    plain = """
    import logging.config, yaml
    visigate_logging.uninstall_hooks(); _life.begin(None)
    logging.config.dictConfig(yaml.safe_load(open("logging.yaml")))
    visigate_logging.install_hooks()
    """
    assert gate.run(f"{plain}ctypes.string_at(0)") == -signal.SIGSEGV, gate.complained
    assert gate.run(f"{plain}until_looked()") == 0, gate.complained
    assert [r["error_type"] for r in gate.records] == ["ProcessCrashedError"]


def test_a_process_of_an_earlier_version_is_passed_over(gate: Gate) -> None:
    folder = gate.directory / "logs/state/processes"
    folder.mkdir(parents=True)
    (folder / "812.json").write_text('{"pid": 812, "name": "run.py", "hash": "1"}')
    (folder / "813.json").write_text("")
    gate.look()
    assert (gate.ends, gate.records) == ([], [])
    assert not {"812.json", "813.json"} & set(os.listdir(folder))


@pytest.mark.stress
@pytest.mark.timeout(900)
def test_many_crashes_are_each_told_once(gate: Gate) -> None:
    pids = set()
    for _ in range(50):
        gate.run("ctypes.string_at(0)")
        pids.add(gate.pid)
    gate.look()
    while len(gate.records) < 50:
        gate.look()
    assert {r["pid"] for r in gate.records} == pids
    assert len(gate.records) == 50
