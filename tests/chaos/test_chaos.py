"""Six processes log while they are stopped, killed, reloaded and robbed, and the card fills: all is accounted for."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.servers import Server
from tests.handlers.disks import Disk, mounted
from visigate_logging import ThrottledSMTPHandler
from visigate_logging.host import State, host_counts

KINDS = ["threads", "tasks", "forks", "spawned", "threads", "robbed"]
STOPPED_WITHIN = 300.0  # on a machine that has other things to do
SWALLOWED = re.compile(
    r"^Exception ignored in(?:(?!.*visigate_logging).*\n)+?(?:KeyboardInterrupt|SystemExit)\b", re.M
)
CONFIGURATION = """
version: 1
disable_existing_loggers: false
visigate: {{watch: true}}
handlers:
  details:
    class: visigate_logging.JsonFileHandler
    filename: {place}/logs/details.jsonl
    state_dir: {place}/state
    maxBytes: {size}
    backupCount: 10000
  mail:
    class: visigate_logging.ThrottledSMTPHandler
    mailhost: [127.0.0.1, {port}]
    fromaddr: gate@example.org
    toaddrs: admin@example.org
    severity: ERROR
    state_dir: {place}/state
  recovery:
    class: visigate_logging.RecoveryHandler
    state_dir: {place}/state
    procedures:
      camera:
        exceptions: [TimeoutError]
        cooldown: 1
        max_attempts: 1000
        steps: [{{command: {{argv: ["true"]}}}}]
root: {{level: ERROR, handlers: [details, mail, recovery]}}
"""


class Chaos:
    """The processes, and what befalls them.

    Args:
        place: directory for everything.
        disk: where the log is.
        port: of the mail server.
        seed: of what happens when.
    """

    def __init__(self, place: Path, disk: Disk, port: int, seed: int) -> None:
        self.place, self._disk, self._port = place, disk, port
        self._chance = random.Random(seed)
        self._lives: Counter[int] = Counter()
        self._running: dict[int, tuple[str, subprocess.Popen[bytes]]] = {}
        self.events: Counter[str] = Counter()
        for name in ("returned", "theirs", "left", "ready", "stacks", "state"):
            (place / name).mkdir(exist_ok=True)
        self.reload()

    def start(self, slot: int) -> None:
        self._lives[slot] += 1
        name = f"{KINDS[slot]}.{slot}.{self._lives[slot]}"
        command = [sys.executable, "-m", "tests.chaos.process", KINDS[slot], str(self.place), name]
        with (self.place / "stacks" / f"{name}.err").open("wb") as errors:
            process = subprocess.Popen(
                [*command, str(self._chance.randrange(1000))],
                cwd=Path(__file__).parents[2],
                stderr=errors,
                start_new_session=True,
            )
        self._running[slot] = name, process

    def reload(self) -> None:
        """Change the configuration, which all watch."""
        size = self._chance.choice([200_000, 400_000, 800_000])
        text = CONFIGURATION.format(place=self.place, port=self._port, size=size)
        new = self.place / "logging.yaml.new"
        new.write_text(text)
        new.replace(self.place / "logging.yaml")
        self.events["reloads"] += 1

    def stop(self, slot: int, number: signal.Signals) -> None:
        """Send a signal to a process once it runs, and wait for its end."""
        name, process = self._running.pop(slot)
        deadline = time.monotonic() + STOPPED_WITHIN
        while not (self.place / "ready" / name).exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert process.poll() is None, f"{name} has ended: {self._said(name)}"
        self.events[number.name] += 1
        if not self._ends(name, process, number):
            process.send_signal(signal.SIGUSR1)
            time.sleep(STOPPED_WITHIN / 10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            pytest.fail(f"{name} did not end by {number.name}: {(self.place / 'stacks' / name).read_text()}")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # children of a killed parent

    def _ends(self, name: str, process: subprocess.Popen[bytes], number: signal.Signals) -> bool:
        """Send a signal, and again when the interpreter has swallowed it, as it does in others' hooks at a fork."""
        swallowed, deadline = -1, time.monotonic() + STOPPED_WITHIN
        while time.monotonic() < deadline:
            before, swallowed = swallowed, len(SWALLOWED.findall(self._said(name)))
            if before < swallowed:
                process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)
                return True
        return False

    def befall(self) -> None:
        """Let something happen."""
        self._chance.choice([self._end_one] * 4 + [self.reload, self._rob, self._fill])()

    def _end_one(self) -> None:
        slot = self._chance.randrange(len(KINDS))
        self.stop(slot, self._chance.choice([signal.SIGTERM, signal.SIGINT, signal.SIGKILL]))
        self.start(slot)

    def _rob(self) -> None:
        name, process = self._running[KINDS.index("robbed")]
        if (self.place / "ready" / name).exists():
            process.send_signal(signal.SIGUSR2)
            self.events["robberies"] += 1

    def _fill(self) -> None:
        """Fill the card for a while; nobody is killed meanwhile, since what waits in memory would go with him."""
        sign = self.place / "full"
        sign.touch()
        time.sleep(0.5)  # until children that have not seen it have ended
        self._disk.fill()
        time.sleep(self._chance.uniform(0.2, 1.0))
        self._disk.free()
        time.sleep(2.5)  # until all is written
        sign.unlink()
        self.events["full"] += 1

    def end(self) -> None:
        for slot in list(self._running):
            self.stop(slot, signal.SIGTERM)

    def kill_all(self) -> None:
        for _, process in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _said(self, name: str) -> str:
        return (self.place / "stacks" / f"{name}.err").read_text()[-3000:]


def returned(place: Path) -> dict[str, int]:
    """How many calls of each stream had returned."""
    return {p.name: int.from_bytes(p.read_bytes(), sys.byteorder) for p in (place / "returned").iterdir()}


def written(place: Path) -> tuple[Counter[tuple[str, int]], int, Counter[str]]:
    """How often each record is in the files, how many lines are none, and how many others tell of what."""
    found: Counter[tuple[str, int]] = Counter()
    others: Counter[str] = Counter()
    broken = 0
    for path in (place / "logs").glob("details.jsonl*"):
        for line in path.read_bytes().splitlines():
            try:
                told = json.loads(line)
            except ValueError:
                broken += bool(line)
                continue
            info = told["additional_info"]
            if "stream" in info:
                found[info["stream"], info["n"]] += 1
            else:
                others[told["logger"]] += 1
    return found, broken, others


@contextlib.contextmanager
def mail_handler(place: Path) -> Iterator[ThrottledSMTPHandler]:
    """What the processes have for mails."""
    handler = ThrottledSMTPHandler("127.0.0.1", "gate@example.org", "admin@example.org", state_dir=place / "state")
    try:
        yield handler
    finally:
        handler.close()


def forget_shared_memory(place: Path) -> None:
    """Remove what an earlier run has left in shared memory for a directory of this name: it would be counted."""
    with mail_handler(place) as handler:
        shutil.rmtree(handler._notifier(handler.routes[0])._spare.state.directory, ignore_errors=True)


def mail_counts(place: Path) -> dict[str, Any]:
    """What became of the errors that were to be mailed, with those that nobody has read from the journal yet."""
    with mail_handler(place) as handler:
        return dict(handler.counts())


def check(chaos: Chaos) -> None:
    place, calls = chaos.place, returned(chaos.place)
    found, broken, others = written(place)
    state = State(place / "state")
    counts: dict[str, Any] = dict(host_counts(state))
    state.close()
    counts["mail"] = mail_counts(place)
    total = sum(calls.values())
    missing = [(stream, n) for stream, count in calls.items() for n in range(count) if not found[stream, n]]
    print(f"\n{total} records returned, {len(missing)} missing, {broken} lines broken; {dict(chaos.events)}", counts)
    print(f"{found.total()} records written, and of others {dict(others)}")
    assert max(found.values()) == 1, "a record is there twice"
    # A process that ends while the others keep the state file busy says on its standard error what it has lost.
    said = re.findall(r": (\d+) records lost", "".join(p.read_text() for p in (place / "stacks").glob("*.err")))
    dropped = counts[f"{place}/logs/details.jsonl"]["dropped"].get("file not writable", 0) + sum(map(int, said))
    assert len(missing) <= dropped, missing[:20]
    assert not list((place / "state").glob("*.damaged-*")), "the state file was damaged"
    assert broken <= sum(chaos.events.values())
    for name, sheet in counts.items():
        ended = sheet["delivered"] + sheet["folded"] + sum(sheet["dropped"].values())
        assert sheet["accepted"] == ended + sheet["pending"], (name, sheet)
        assert sheet["pending"] >= 0, (name, sheet)
    assert counts["mail"]["accepted"] >= total - len(missing)
    # What is mailed has been in the file before, or was dropped there: the file's handler stands first.
    assert counts["mail"]["accepted"] <= found.total() + others.total() + dropped, "an error was counted twice"
    assert [p.name for p in (place / "theirs").iterdir() if p.stat().st_size] == [], "bytes of ours in others' files"
    left = {p.name: p.read_text() for p in (place / "left").iterdir()}
    assert left == {}, "threads or descriptors are left over"


@pytest.mark.stress
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [1])
def test_all_is_accounted_for(tmp_path: Path, seed: int) -> None:
    seconds = float(os.environ.get("CHAOS_SECONDS", "600"))
    with Server() as server, mounted(tmp_path / "logs", "512M") as disk:
        forget_shared_memory(tmp_path)
        chaos = Chaos(tmp_path, disk, server.port, seed)
        try:
            for slot in range(len(KINDS)):
                chaos.start(slot)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                chaos.befall()
                time.sleep(0.3)
            chaos.end()
            check(chaos)
        finally:
            chaos.kill_all()
            forget_shared_memory(tmp_path)
