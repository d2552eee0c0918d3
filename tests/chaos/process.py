"""A process of the chaos: it logs in one of several ways, until a signal ends it.

How many calls of each stream of records had returned can be read, also after a kill, from a file that it maps.
"""

import atexit
import contextlib
import faulthandler
import json
import mmap
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

NUMBERS = range(3, 128)


def look_for_leftovers(directory: Path, name: str) -> None:
    """Say which threads of ours run, and which files of ours are open, when all has ended; the upkeep's may stay."""
    running = [t.name for t in threading.enumerate() if t is not threading.main_thread()]
    if not all(name.startswith("visigate-") for name in running):
        return  # threads of the process go on logging, and what was closed is opened again
    for thread in threading.enumerate():  # the end waits for none longer than it promises; they end by themselves
        if thread.name.startswith("visigate-") and thread.name != "visigate-upkeep":
            thread.join(120)
    running = [t.name for t in threading.enumerate() if t is not threading.main_thread()]
    threads = [name for name in running if name != "visigate-upkeep"]
    files = []
    for fd in NUMBERS:
        try:
            files.append(os.readlink(f"/proc/self/fd/{fd}"))
        except OSError:
            continue
    ours = [file for file in files if file.startswith((f"{directory}/logs", f"{directory}/state"))]
    if threads or ours:
        (directory / "left" / name).write_text(json.dumps([threads, ours]))


class Process:
    """Logs until it is stopped.

    Args:
        directory: of the chaos.
        name: of the process; its streams are numbered behind it.
        seed: of what it does when.
    """

    def __init__(self, directory: Path, name: str, seed: int) -> None:
        self.directory, self.name = directory, name
        self._chance = random.Random(seed)
        self._streams = 0
        self._theirs: list[int] = []

    def stream(self) -> Callable[[], None]:
        """Return what logs the next record of a new stream, and notes that the call has returned."""
        import logging

        self._streams += 1
        name = f"{self.name}-{self._streams}"
        path = self.directory / "returned" / name
        path.write_bytes(bytes(8))
        with path.open("r+b") as file:
            returned = memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")
        logger = logging.getLogger(f"gate.{self.name}")

        def log() -> None:
            n = returned[0]
            try:
                raise (ConnectionRefusedError, KeyError, TimeoutError)[n % 3](f"camera {n % 7}")
            except (OSError, KeyError) as error:
                logger.error("no picture: %s", error, exc_info=n % 2 == 0, extra={"stream": name, "n": n})
            returned[0] = n + 1

        return log

    def pause(self) -> float:
        """Return the seconds until the next record."""
        return self._chance.uniform(0, 0.2)

    def threads(self) -> None:
        """Log from four threads."""
        for _ in range(4):
            threading.Thread(target=self._go_on, args=(self.stream(),), daemon=True).start()
        self._go_on(self.stream())

    def tasks(self) -> None:
        """Log from four tasks of an event loop."""
        import asyncio

        async def go_on(log: Callable[[], None]) -> None:
            while True:
                log()
                await asyncio.sleep(self.pause())

        async def all_of_them() -> None:
            await asyncio.gather(*(go_on(self.stream()) for _ in range(4)))

        asyncio.run(all_of_them())

    def forks(self) -> None:
        """Log, and fork children that log and end in different ways, beside a thread that logs."""
        threading.Thread(target=self._go_on, args=(self.stream(),), daemon=True).start()
        log = self.stream()
        for child in range(1_000_000):
            for _ in range(10):
                log()
            pid = os.fork()
            if pid == 0:
                self.name, self._streams = f"{self.name}.{child}", 0
                self._in_child(child)
            os.waitpid(pid, 0)

    def _in_child(self, number: int) -> None:
        import logging

        log = self.stream()
        for _ in range(10):
            log()
        if (self.directory / "full").exists() or number % 3 == 1:  # then what waits in memory goes with a child
            logging.shutdown()
        elif number % 3 == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(0)

    def spawned(self) -> None:
        """Log, and start children anew that log."""
        import multiprocessing

        log = self.stream()
        for child in range(1_000_000):
            for _ in range(10):
                log()
            name = f"{self.name}.{child}"
            started = multiprocessing.get_context("spawn").Process(target=log_some, args=(str(self.directory), name))
            started.start()
            started.join()

    def lose_descriptors(self) -> None:
        """Close all descriptors, as a careless daemon does, and give their numbers to others' files.

        Not in the middle of a commit: SQLite then writes where it does not look any more, as docs/design.md says.
        """
        from visigate_logging.host import State, forks

        for fd in self._theirs:
            os.close(fd)
        with contextlib.ExitStack() as held:
            for state in [thing for thing in list(forks._watched) if isinstance(thing, State)]:
                held.enter_context(state._lock)
            os.closerange(NUMBERS.start, NUMBERS.stop)
            theirs = self.directory / "theirs" / f"{self.name}-{os.getpid()}"
            self._theirs = [os.open(theirs, os.O_RDWR | os.O_CREAT) for _ in range(40)]

    def _go_on(self, log: Callable[[], None]) -> None:
        while True:
            log()
            time.sleep(self.pause())


def log_some(directory: str, name: str) -> None:
    """Log ten records in a process that was started anew."""
    import visigate_logging

    visigate_logging.configure(Path(directory, "logging.yaml"))
    log = Process(Path(directory), name, 0).stream()
    for _ in range(10):
        log()


def main(kind: str, directory: Path, name: str, seed: int) -> None:
    """Configure, and log until a signal comes."""
    atexit.register(look_for_leftovers, directory, name)  # before logging is imported: it runs after its end
    faulthandler.register(signal.SIGUSR1, (directory / "stacks" / name).open("w"), all_threads=True)

    def end(*_: Any) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    import visigate_logging

    visigate_logging.configure(directory / "logging.yaml")
    process = Process(directory, name, seed)
    if kind == "robbed":
        signal.signal(signal.SIGUSR2, lambda *_: process.lose_descriptors())
        kind = "threads"
    (directory / "ready" / name).touch()
    getattr(process, kind)()


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    except KeyboardInterrupt:
        sys.exit(0)
