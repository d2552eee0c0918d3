"""Where Linux's own is absent, as on macOS, every handler does what it must all the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HANDLERS = [
    "tests/handlers/test_conformance.py",
    "tests/handlers/test_json_file.py",
    "tests/recovery/test_conformance.py",
]
LOOK = """
import tests.without_linux
import os, sys, time
from visigate_logging.host import clock, forks
from visigate_logging.host.sync import force
from visigate_logging.recovery.proc import adopt_orphans, end_descendants, holders_of
from pathlib import Path

assert not os.path.exists("/proc/self") and not os.path.exists("/dev/shm")
assert clock.monotonic is time.monotonic
assert clock.boot_id() == ""  # where there is no sysctl of macOS's either
force(os.open(__import__("tempfile").mkstemp()[1], os.O_RDWR))
assert not forks._is_alone()
adopt_orphans()
end_descendants(os.getpid())
assert holders_of([Path("gate.db")]) == ""
"""


def run(*command: str) -> None:
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_each_part_has_its_replacement() -> None:
    run("-c", LOOK)


@pytest.mark.parametrize(
    "cases",
    ["forks or used_after_close", pytest.param("must and not robbed", marks=pytest.mark.stress, id="all")],
)
def test_every_handler_does_what_it_must(cases: str, tmp_path: Path) -> None:
    """All but the case that itself needs what is absent."""
    options = ["-q", "-p", "no:cacheprovider", "-p", "tests.without_linux", "--basetemp", str(tmp_path / "in")]
    os.environ.pop("PYTEST_XDIST_WORKER", None)
    run("-m", "pytest", *options, "-k", f"must and ({cases})", *HANDLERS)
