"""A real ``visigate-errors serve`` for tests."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

PROGRAM = [sys.executable, "-m", "visigate_logging", "serve"]


class Address(str):
    """Where the errors are; what is appended goes before the token that opens them."""

    def __add__(self, path: str) -> str:
        bare, _, token = self.partition("?")
        return f"{bare}{path}{'&' if '?' in path else '?'}{token}" if token else f"{bare}{path}"


@contextmanager
def served(*arguments: object, **environment: str) -> Iterator[Address]:
    """A server in a process of its own, and where it says that the errors are."""
    command = [*PROGRAM, "--port", "0", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | environment) as server:
        assert server.stdout is not None
        try:
            address = re.search(r"http://\S+", server.stdout.readline())
            assert address is not None
            yield Address(address[0])
        finally:
            server.terminate()
            server.stdout.close()
