"""Forks, in a process of their own: what other tests' threads hold when C code forks stays locked in the child."""

import os
import subprocess
import sys
from pathlib import Path


def test_what_forks_promise_holds_in_a_process_without_other_threads():
    cases = str(Path(__file__).with_name("forks_alone.py"))
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "not stress", "-p", "no:xdist", cases],
        env=alone,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
