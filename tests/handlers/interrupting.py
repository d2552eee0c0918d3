"""Logs errors and is interrupted at random moments; tells as JSON what arrived: ``WAY[ stdlib] COUNT PATH``."""

import ctypes
import json
import logging
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from visigate_logging import Classifier, JsonFileHandler


class Stop(BaseException):
    """Raised from outside, at any moment."""


class Interrupted:
    """Logs until it was interrupted so often.

    Args:
        handler: what is logged to.
        count: how often.
    """

    def __init__(self, handler: logging.Handler, count: int) -> None:
        self.logger = logging.Logger("gate")
        self.logger.addHandler(handler)
        self.count = count
        self.raised = self.caught = 0
        self.inside = False

    def log(self) -> None:
        try:
            raise ConnectionRefusedError(111, "refused")
        except OSError as e:
            self.inside = True
            self.logger.error(f"cannot connect: {e}", exc_info=True)
            self.inside = False

    def by_signal(self) -> None:
        """Raise in a signal handler, while a call is being made."""
        chance = random.Random()

        def interrupt(*_: Any) -> None:
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.00005, 0.0008))
            if self.inside and self.raised < self.count:
                self.inside = False
                self.raised += 1
                raise Stop

        signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        while self.raised < self.count:
            try:
                self.log()
            except Stop:
                self.caught += 1
        signal.setitimer(signal.ITIMER_REAL, 0)

    def by_thread(self) -> None:
        """Raise in another thread with ``PyThreadState_SetAsyncExc``; none is sent before the last has arrived."""
        arrived = threading.Event()
        is_over = False
        swallows = sys.unraisablehook

        def swallowed(told: Any) -> None:
            arrived.set()  # in a destructor or callback of the interpreter's, which lets nothing out
            swallows(told)

        def work() -> None:
            while not is_over:
                try:
                    while not is_over:
                        self.log()
                except Stop:
                    self.inside = False  # before the next may come: what arrived here would end the thread
                    self.caught += 1
                    arrived.set()

        sys.unraisablehook = swallowed
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        chance = random.Random()
        while self.raised < self.count:
            arrived.clear()
            while not self.inside:  # else it may arrive between two tries
                assert thread.is_alive(), "it was interrupted where nobody catches it"
                time.sleep(0)
            self.raised += 1
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(Stop))
            arrived.wait(1)
            time.sleep(chance.uniform(0, 0.0005))
        is_over = True
        thread.join(10)
        sys.unraisablehook = swallows


def in_time(action: Callable[[], object]) -> bool:
    """Whether an action in another thread comes to its end."""
    thread = threading.Thread(target=action, daemon=True)
    thread.start()
    thread.join(20)
    return not thread.is_alive()


def main() -> None:
    """Run, and tell."""
    way, count, path = sys.argv[1].split(), int(sys.argv[2]), Path(sys.argv[3])
    sys.unraisablehook = lambda _: None
    handler: Any = logging.FileHandler(path) if "stdlib" in way else JsonFileHandler(path)
    handler.addFilter(Classifier([{"exceptions": ["OSError"], "causes": True, "category": "network"}]))
    interrupted = Interrupted(handler, count)
    interrupted.log()  # an import that is interrupted leaves Python's own lock held
    interrupted.by_signal() if way[0] == "signal" else interrupted.by_thread()
    told = {"raised": interrupted.raised, "caught": interrupted.caught}
    if isinstance(handler, JsonFileHandler):  # the standard library's may keep its lock: nobody waits for it
        told["goes on"] = in_time(interrupted.log)
        lines = path.read_bytes().splitlines()
        told |= {"counts": handler.counts(), "lines": len(lines), "torn": sum(map(is_torn, lines))}  # type: ignore[dict-item]
        told["goes on"] = told["goes on"] and in_time(handler.close)
    print(json.dumps(told))


def is_torn(line: bytes) -> bool:
    """Whether a line is no record."""
    try:
        json.loads(line)
    except ValueError:
        return True
    return False


if __name__ == "__main__":
    main()
