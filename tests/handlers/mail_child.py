"""A process that logs errors to the mail handler, for the tests that need processes.

Arguments: one JSON object. ``options`` go to the handler, ``errors`` is how many are logged, ``groups`` over how
many groups; ``pause`` seconds between them. For each logging call that has returned a byte goes to standard output.
``end``: ``exit`` (default), ``kill`` (no cleanup), ``wait`` (for the test to kill it). ``way``: ``fork`` or ``spawn``
for a `multiprocessing` child that logs in its place. ``patience``: seconds that it may take to end, instead of 2.
"""

import json
import logging
import logging.config
import multiprocessing
import os
import sys
import time

from visigate_logging.handlers import throttled


def configure(options):
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"mail": {"class": "visigate_logging.ThrottledSMTPHandler"} | options},
            "root": {"handlers": ["mail"], "level": "INFO"},
        }
    )


def raise_in_group(n):
    # One function of its own for each group, because groups are told apart by the place of the error.
    namespace = {"__name__": "src.camera"}
    exec(f"def group_{n}():\n    raise RuntimeError('camera {chr(97 + n)} away')", namespace)
    return namespace[f"group_{n}"]


def main():
    asked = {"errors": 1, "groups": 1, "pause": 0, "end": "exit", "way": "", "patience": 2.0} | json.loads(
        sys.argv[1]
    )
    throttled._EXIT_TIMEOUT = asked["patience"]
    if asked["way"] != "spawn":
        configure(asked["options"])
    if asked["way"]:
        logging.getLogger("parent").info("not mailed")
        child = multiprocessing.get_context(asked["way"]).Process(target=log, args=(asked,))
        child.start()
        child.join()
    else:
        log(asked)


def log(asked):
    if asked["way"] == "spawn":
        configure(asked["options"])
    groups = [raise_in_group(n) for n in range(asked["groups"])]
    logger = logging.getLogger("child")
    for n in range(asked["errors"]):
        try:
            groups[n % len(groups)]()
        except RuntimeError:
            logger.critical("lost", exc_info=True)
        os.write(1, b".")
        time.sleep(asked["pause"])
    if asked["end"] == "kill":
        os.kill(os.getpid(), 9)
    if asked["end"] == "wait":
        time.sleep(600)


if __name__ == "__main__":
    main()
