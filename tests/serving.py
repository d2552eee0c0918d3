"""A real ``visigate-errors serve`` for tests."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

PROGRAM = [sys.executable, "-m", "visigate_logging", "serve"]


@contextmanager
def served(*arguments: object, **environment: str) -> Iterator[str]:
    """A server in a process of its own, and where it says that the errors are."""
    command = [*PROGRAM, "--port", "0", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | environment) as server:
        assert server.stdout is not None
        try:
            address = re.search(r"http://\S+", server.stdout.readline())
            assert address is not None
            yield address[0]
        finally:
            server.terminate()
            server.stdout.close()
