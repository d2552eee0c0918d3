"""A gate for each test."""

from pathlib import Path

import pytest

from tests.lifecycle.gate import Gate


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """A directory in which processes run."""
    return Gate(tmp_path)
