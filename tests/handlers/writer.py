"""A process that logs numbered errors through a JsonFileHandler, or one to compare it with.

It prints ``ready``, begins with the first line on its standard input, and prints its counts at the end. How many
calls had returned can be read, also after its death, from a file that it maps.
"""

import json
import logging
import mmap
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from visigate_logging import DetailFormatter, JsonFileHandler

__all__ = ["Writer"]


class Writer:
    """Starts the process, and looks at it from outside.

    Args:
        slot: which of several writers it is; each of its records carries it.
        count: how many records it logs.
        pause: seconds between two records.
        peer: use concurrent-log-handler.
        handler: options of the handler.
    """

    def __init__(
        self, directory: Path, slot: int, count: int, *, pause: float = 0, peer: bool = False, **handler: Any
    ) -> None:
        self.slot = slot
        self._progress = directory / f"progress.{slot}"
        self._progress.write_bytes(bytes(8))
        options = {"slot": slot, "count": count, "pause": pause, "peer": peer, "handler": handler}
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__, json.dumps({**options, "progress": str(self._progress)})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            text=True,
        )
        assert self.process.stdout.readline() == "ready\n"

    def begin(self) -> None:
        """Let it log."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def returned(self) -> int:
        """How many of its calls have returned."""
        return int.from_bytes(self._progress.read_bytes(), sys.byteorder)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self._close()

    def counts(self) -> dict[str, Any]:
        """Let it close its handler when all is logged; returns what that has counted."""
        self.process.stdin.close()
        counts = json.loads(self.process.stdout.readline())
        self._close()
        assert self.process.returncode == 0
        return counts

    def _close(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(60)


def main(options: dict[str, Any]) -> None:
    if options["peer"]:
        from concurrent_log_handler import ConcurrentRotatingFileHandler

        handler = ConcurrentRotatingFileHandler(**options["handler"])
        handler.setFormatter(DetailFormatter())
    else:
        handler = JsonFileHandler(**options["handler"])
    logger = logging.getLogger("gate")
    logger.propagate = False
    logger.addHandler(handler)
    with open(options["progress"], "r+b") as file:
        returned = memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        raise ConnectionRefusedError(111, "Connection refused")
    except ConnectionRefusedError as error:
        for n in range(options["count"]):
            logger.error("no picture", exc_info=error, extra={"slot": options["slot"], "n": n})
            returned[0] = n + 1
            if options["pause"]:
                time.sleep(options["pause"])
    sys.stdin.readline()  # until its counts are asked for
    handler.close()
    print(json.dumps({} if options["peer"] else handler.counts()), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
