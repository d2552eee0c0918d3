"""A process that changes its configuration again and again under load: ``under_load.py DIR NAME ROUNDS``.

It prints, as JSON, how many messages each thread has logged, and what was open before and after.
"""

import gc
import json
import logging
import os
import sys
import threading
import time
from pathlib import Path

from visigate_logging.config.apply import configure
from visigate_logging.exceptions import ConfigurationError

GOOD = """
version: 1
disable_existing_loggers: false
filters:
  classify: {{(): visigate_logging.Classifier, rules: [{{exceptions: [OSError], category: c{n}}}]}}
  gate: {{name: gate}}
formatters:
  plain: {{format: "%(message)s"}}
handlers:
  details: {{class: visigate_logging.JsonFileHandler, filename: details.jsonl, maxBytes: 400000, backupCount: 900,
             level: ERROR, filters: [classify]}}
  rotating: {{class: logging.handlers.RotatingFileHandler, filename: {name}.log, maxBytes: 30000, backupCount: 2000,
              formatter: plain, level: ERROR}}
  held: {{class: logging.FileHandler, filename: {name}.held, formatter: plain, level: ERROR}}
  mail: {{class: visigate_logging.ThrottledSMTPHandler, mailhost: "127.0.0.1:9", fromaddr: a@b.c, toaddrs: [a@b.c],
         severity: ERROR, state_dir: mail, level: ERROR, timeout: 1, filters: [gate]}}
  recovery: {{class: visigate_logging.RecoveryHandler, state_dir: recovery, procedures: {{camera: {{
              exceptions: [ConnectionError], steps: [{{command: {{argv: [sleep, "{n}"]}}}}]}}}}}}
  memory: {{class: logging.handlers.MemoryHandler, capacity: 50, target: held, flushLevel: 60, level: ERROR}}
"""
LOGGERS = (
    "root: {handlers: [details, rotating, memory, mail, recovery]}\n",
    "loggers: {gate: {propagate: false, handlers: [memory, rotating, details, mail, recovery]}}\n",
    "loggers: {gate: {handlers: [details, memory]}, gate.camera: {}}\nroot: {handlers: [rotating, mail, recovery]}\n",
)
FAILS = (
    lambda text: text + "root: [",
    lambda text: text + "x-y: ${GATE_IS_NOT_SET}\n",
    lambda text: text.replace("version: 1", "version: 2"),
    lambda text: text.replace("target: held", "target: hled"),
    lambda text: text.replace("category", "catgory"),
    lambda text: text.replace("maxBytes: 400000", "maxBytes: -1"),
    lambda text: text.replace("filename: details", "sync: alway, filename: details"),
    lambda text: text.replace("  held:", "  y: {class: logging.StreamHandler, '.': {__class__: 1}}\n  held:"),
    lambda text: text.replace("  held:", "  zz: {class: logging.FileHandler, filename: /none/such}\n  held:"),
    lambda text: text.replace("  held:", "  zz: {(): builtins.open, file: /none/such}\n  held:"),
)
FAULT_EVERY = 5
"""Messages of which one has an exception that a recovery is for."""


def log(stop: threading.Event, said: dict[str, int], name: str) -> None:
    logger = logging.getLogger("gate.camera")
    while not stop.is_set():
        # Another exception each time: one that is reported again is no other error.
        error = ConnectionRefusedError("no camera") if said[name] % FAULT_EVERY == 0 else None
        logger.error("%s-%s", name, said[name], exc_info=error)
        said[name] += 1
        time.sleep(0.005)


def open_files() -> int:
    """How many there are when the old handlers have been closed."""
    for thread in threading.enumerate():
        if thread.name == "visigate-retire":
            thread.join()
    gc.collect()
    return len(os.listdir("/dev/fd"))


def main(directory: str, name: str, rounds: int) -> None:
    os.chdir(directory)
    path = Path(f"{name}.yaml")

    def change(n: int) -> None:
        text = GOOD.format(n=n % 7, name=name) + LOGGERS[n % len(LOGGERS)]
        fails = n % 10 in (3, 6, 9)
        path.write_text(FAILS[n // 3 % len(FAILS)](text) if fails else text)
        try:
            configure(path)
        except ConfigurationError:
            assert fails, n
        else:
            assert not fails, path.read_text()

    change(0)
    stop, said = threading.Event(), {f"{name}-{n}": 0 for n in range(8)}
    threads = [threading.Thread(target=log, args=(stop, said, thread), daemon=True) for thread in said]
    for thread in threads:
        thread.start()
    for n in range(1, 20):
        change(n)
    before = open_files()
    for n in range(20, rounds):
        change(n)
    after = open_files()
    stop.set()
    for thread in threads:
        thread.join()
    own: list[str] = []
    for _ in range(3000):  # the thread of a handler that has just been closed may be at its last turn
        own = [thread.name for thread in threading.enumerate() if thread.name.startswith("visigate")]
        if len(own) == len(set(own)):
            break
        time.sleep(0.01)
    logging.shutdown()
    print(json.dumps({"said": said, "files": [before, after], "threads": own}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
