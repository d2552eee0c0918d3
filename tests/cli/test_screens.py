"""What commands show is what somebody has read and found good: the screens stored in ``screens/``."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.cli.screening import COMMANDS, MISTAKES, PAGE, file_of, page_of
from visigate_logging.cli.output import width


@pytest.fixture(scope="module")
def shown():
    """The screens as they are now, by command; the path of the gate is as long as when they were stored."""
    with tempfile.TemporaryDirectory(prefix="gate-", dir="/tmp") as directory:
        done = subprocess.run(
            [sys.executable, "-m", "tests.cli.screening", directory],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            check=True,
        )
    return json.loads(done.stdout)


@pytest.mark.parametrize("command", [*COMMANDS, *MISTAKES])
def test_a_command_shows_what_was_read_and_found_good(shown, command):
    assert shown[command] == file_of(command).read_text("utf-8")


@pytest.mark.parametrize("command", [*COMMANDS, *MISTAKES])
def test_no_line_of_a_list_is_wider_than_the_terminal(command):
    narrow = file_of(command).read_text("utf-8").partition("\n--- ")[0]
    assert max(map(width, narrow.splitlines())) <= 80


def test_the_documents_show_what_the_commands_do(shown):
    assert page_of(shown) == PAGE.read_text("utf-8")
