"""Further users of the host, for tests that are run by root: the gate's own, and a neighbour."""

import contextlib
import functools
import os
import sys
import tempfile
from pathlib import Path

import pytest

GATE, NEIGHBOUR = 65533, 65532
"""Numbers that need no entry in /etc/passwd."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


SITE = Path(pytest.__file__).parents[1]
PACKAGE = Path(__file__).parents[2]


@functools.cache
def python_for_all():
    """A Python of this version that every user may run, with the environment that has this package in it."""
    for candidate in (sys.executable, f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"):
        found = os.path.realpath(candidate)
        if os.path.exists(found) and as_user(NEIGHBOUR, lambda: os.close(os.open(found, os.O_RDONLY))):  # noqa: B023
            return candidate, {"PYTHONPATH": f"{PACKAGE}{os.pathsep}{SITE}", "PATH": os.environ["PATH"]}
    pytest.skip("no Python of this version that other users may run")


def as_user(uid, act):
    """Let a user of that number act, in a process of its own, and return whether it succeeded."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            act()
            os._exit(0)
        except OSError as error:
            sys.stderr.write(f"{error}\n")
            os._exit(1)
        except BaseException:
            os._exit(2)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in {0, 1}, "it failed otherwise than by a refusal"
    return code == 0


@contextlib.contextmanager
def open_directory():
    """A directory that all users may enter; pytest closes its own to others with each run."""
    with tempfile.TemporaryDirectory(prefix="visigate-users-") as place:
        os.chmod(place, 0o755)
        yield Path(place)


def give(path: Path, uid: int = GATE) -> Path:
    """Make a directory of a user's, and return it."""
    path.mkdir(parents=True, exist_ok=True)
    os.chown(path, uid, uid)
    return path
