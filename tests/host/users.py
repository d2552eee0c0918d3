"""Further users of the host, for tests that are run by root: the gate's own, and a neighbour."""

import os
from pathlib import Path

import pytest

GATE, NEIGHBOUR = 65533, 65532
"""Numbers that need no entry in /etc/passwd."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


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
        except OSError:
            os._exit(1)
        except BaseException:
            os._exit(2)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in {0, 1}, "it failed otherwise than by a refusal"
    return code == 0


def give(path: Path, uid: int = GATE) -> Path:
    """Make a directory of a user's, with those above it open to all, and return it."""
    path.mkdir(parents=True, exist_ok=True)
    os.chown(path, uid, uid)
    above = path.parent
    while above.stat().st_uid == os.geteuid() and above != above.parent:
        above.chmod(above.stat().st_mode | 0o055)
        above = above.parent
    return path
