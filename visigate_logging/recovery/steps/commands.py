"""Programs that steps start: the end of what they write is kept, and nothing they do can block us."""

import os
import subprocess
from collections.abc import Sequence
from threading import Thread
from typing import IO

KEPT = 2000


def call(argv: Sequence[str]) -> tuple[int, str]:
    """Run a program to its end: its exit code (127 when it cannot be started), and the end of its output."""
    try:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as error:
        return 127, f"{argv[0]} cannot be started: {error}"
    tail = bytearray()
    reader = Thread(target=_keep_end, args=(process.stdout, tail), daemon=True)
    reader.start()
    code = process.wait()
    reader.join(0.5)  # what it left running in the background may hold its output open for ever
    return code, bytes(tail).decode(errors="replace").strip()


def _keep_end(stream: IO[bytes], tail: bytearray) -> None:
    with stream:
        while data := os.read(stream.fileno(), 8192):
            tail += data
            del tail[:-KEPT]
