"""CPython's own tests of tracebacks, run through us: each exception that they print is printed alike."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("cpython_tracebacks.py")

NOT_OURS = {
    # Their tracebacks are no types.TracebackType but stand-ins whose code objects lack co_qualname and f_globals.
    "test_locals",
    "test_no_locals",
    "test_lookup_lines",
}
"""Tests of CPython whose exceptions differ, with the reason."""


@pytest.mark.stress
def test_the_exceptions_of_cpythons_own_tests_are_printed_alike(tmp_path: Path) -> None:
    pytest.importorskip("test.test_traceback", reason="this Python comes without its own tests")
    done = subprocess.run([sys.executable, PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["printed"] > 200
    assert set(told["different"]) <= NOT_OURS
