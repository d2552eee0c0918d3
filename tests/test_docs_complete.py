"""What can be given is documented, and what is documented can be given."""

import configparser
import re
from dataclasses import fields
from pathlib import Path

import pytest

import visigate_logging
from tests.commands_page import PAGE, page
from visigate_logging.cli import COMMANDS
from visigate_logging.config.signature import signature
from visigate_logging.recovery.policy import Backoff
from visigate_logging.recovery.procedures import Procedure, Verify
from visigate_logging.recovery.steps import STEPS

ROOT = Path(__file__).parent.parent
PAGES = {path.name: path.read_text("utf-8") for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")
EXTRAS = {*SETUP["options.extras_require"]}
MANUAL = (ROOT / "logging.yaml").read_text("utf-8")


def test_each_subcommand_with_its_options_is_documented_and_no_other():
    assert PAGE.read_text("utf-8") == page(), "python -m tests.commands_page"


@pytest.mark.parametrize("name", sorted({*PAGES} - {"commands.md"}))  # which shows wrong usage, too
def test_each_subcommand_that_a_page_names_exists(name):
    named = set(re.findall(r"visigate-errors ([a-z][a-z-]*)", PAGES[name]))
    assert named <= {command.name for command in COMMANDS}


def test_what_is_installed_comes_from_a_clone_as_the_package_is_on_no_index():
    for name, text in PAGES.items() | {("logging.yaml", MANUAL)}:
        assert "pip install 'visigate-logging" not in text, name
        for extras in re.findall(r"pip install '[./]*\[([^\]]+)\]'", text):
            assert set(extras.split(",")) <= EXTRAS, name


@pytest.mark.parametrize("name", [name for name in visigate_logging.__all__ if name[0].isupper()])
def test_each_parameter_of_a_public_class_is_documented(name):
    text = MANUAL + "".join(PAGES.values())
    parameters = signature(getattr(visigate_logging, name)).parameters
    assert {one for one in parameters if not re.search(rf"\b{one}\b", text)} == set()


def test_each_step_has_its_parameters_in_the_table_and_no_other():
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", PAGES["recovery.md"], re.MULTILINE)
    told = {name: set(re.findall(r"`(\w+)`", parameters)) for name, parameters in rows}
    assert told == {name: {field.name for field in fields(step)} for name, step in STEPS.items()}


@pytest.mark.parametrize("kind", [Procedure, Verify, Backoff])
def test_each_option_of_a_procedure_is_documented(kind):
    text = PAGES["recovery.md"] + MANUAL
    assert {field.name for field in fields(kind) if not re.search(rf"\b{field.name}\b", text)} == set()
