"""CPython's own tests of ``dictConfig`` and of its handlers hold for ours, but for what docs/dictconfig.md lists."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DIFFERENT = set(re.findall(r"`(\w+Test\.test_\w+)`", (ROOT / "docs/dictconfig.md").read_text("utf-8")))

if importlib.util.find_spec("test.test_logging") is None:
    pytest.skip("this interpreter comes without its own tests", allow_module_level=True)


def test_what_fails_of_the_interpreters_own_tests_is_what_the_documentation_lists(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "tests.config.cpython"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(result.stdout or "{}")
    assert set(found["failed"]) == DIFFERENT & set(found["ran"]), "\n".join(found["failed"].values())
    assert len(found["ran"]) >= 45  # 49 with Python 3.11, 62 with 3.13
