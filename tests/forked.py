"""Commands as an operator types them, in processes of their own that need no start: forks of one interpreter."""

import importlib
import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import visigate_logging.cli
import visigate_logging.store.store

__all__ = ["Said", "run_each"]


class Said(NamedTuple):
    """What a command wrote, and how it ended."""

    code: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        """What it wrote, on both."""
        return self.out.decode() + self.err.decode()


def run_each(commands: Sequence[Sequence[object]], cwd: Path, **environment: str) -> list[Said]:
    """Run commands one after the other, each as in a process that was started with this environment.

    Args:
        commands: their words, without ``visigate-errors``.
        cwd: where they run.
        environment: what is added to this process's.
    """
    lines = json.dumps([[str(word) for word in words] for words in commands])
    started = [sys.executable, "-m", "tests.forked"]
    paths = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        started, input=lines.encode(), cwd=cwd, env=os.environ | paths | environment, capture_output=True, check=True
    )
    return [Said(code, bytes.fromhex(out), bytes.fromhex(err)) for code, out, err in json.loads(done.stdout)]


def _run(words: list[str]) -> tuple[int, str, str]:
    files = [os.memfd_create(name) for name in ("out", "err")]
    pid = os.fork()
    if not pid:
        for fd, file in zip((1, 2), files, strict=True):
            os.dup2(file, fd)
        _end(words)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    written = [os.pread(file, os.fstat(file).st_size, 0).hex() for file in files]
    for file in files:
        os.close(file)
    return code, written[0], written[1]


def _end(words: list[str]) -> None:
    from visigate_logging.cli import main

    code: object = 70
    try:
        sys.argv = ["visigate-errors", *words]
        code = main(words)
    except SystemExit as stop:
        code = stop.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    for module in pkgutil.iter_modules(visigate_logging.cli.__path__, "visigate_logging.cli."):
        importlib.import_module(module.name)  # once for all

    asked = json.loads(sys.stdin.buffer.read())
    sys.__stdout__.write(json.dumps([_run(words) for words in asked]))
