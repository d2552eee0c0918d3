"""The JSON Schema for editors, and what stands in the shipped file."""

import json
import logging.config
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

import visigate_logging
from visigate_logging.config.schema import schema
from visigate_logging.config.settings import Settings
from visigate_logging.config.signature import signature

ROOT = Path(__file__).parent.parent.parent
SHIPPED = (ROOT / "logging.yaml").read_text("utf-8")
SHARED = {"JsonFileHandler": "SharedRotatingFileHandler"}
"""A class whose options are explained with another's."""
DICTCONFIG = {"class", "level", "formatter", "filters"}
FORMATTER = {"fmt", "datefmt", "style", "validate", "defaults"}


def explained(section: str) -> dict[str, set[str]]:
    """For each class of a section the options that are named, given or commented out."""
    found: dict[str, set[str]] = {}
    block = re.search(rf"^{section}:\n((?:[ #].*\n|\n)*)", SHIPPED, re.M)
    ready = re.sub(r"^  # (?=\w+:|  )", "  ", block[1], flags=re.M)  # a handler that is there as a comment
    for entry in re.split(r"^  (?=\w+:)", ready, flags=re.M):
        kind = re.search(r"(?:class|\(\)): visigate_logging\.(\w+)", entry)
        if kind:
            names = re.findall(r"^    (?:# )?(\w+(?:, \w+)*)(?=:)", entry, re.M)
            names += re.findall(r"^    # (\w+(?:, \w+)*): as for", entry, re.M)
            found.setdefault(kind[1], set()).update(n for group in names for n in group.split(", "))
    return found


@pytest.mark.parametrize("section", ["handlers", "formatters", "filters"])
def test_the_shipped_file_names_each_option_of_our_classes_and_no_other(section):
    for name, named in explained(section).items():
        taken = set(signature(getattr(visigate_logging, name)).parameters)
        others = explained(section).get(SHARED.get(name, ""), set())
        others |= explained(section).get({v: k for k, v in SHARED.items()}.get(name, ""), set())
        assert taken <= named | others | FORMATTER, name
        assert named - DICTCONFIG <= taken | FORMATTER, name


def test_the_shipped_file_has_an_entry_for_each_of_our_handlers():
    ours = {
        name for name in visigate_logging.__all__ if name.endswith(("Handler", "Recorder")) and name != "ErrorHandler"
    }
    assert set(explained("handlers")) == ours


def test_the_shipped_file_names_each_setting():
    block = re.search(r"^visigate:\n((?:  .*\n)*)", SHIPPED, re.M)
    named = set(re.findall(r"^  (?:# )?(\w+):", block[1], re.M))
    assert named == set(signature(Settings).parameters)


def test_the_schema_knows_each_parameter_with_its_default():
    cases = schema()["properties"]["handlers"]["additionalProperties"]["allOf"]
    paths = [case["if"]["anyOf"][0]["properties"]["class"]["const"] for case in cases]
    then = dict(zip(paths, (case["then"] for case in cases), strict=True))
    json_file = then["visigate_logging.JsonFileHandler"]
    assert json_file["properties"]["maxBytes"]["default"] == 0
    assert json_file["required"] == ["filename"]
    assert not json_file["additionalProperties"]
    assert "logging.handlers.RotatingFileHandler" in then
    for path in paths:
        assert logging.config.BaseConfigurator({}).resolve(path)


def test_the_schema_accepts_what_ships_and_refuses_what_is_misspelt():
    validator = jsonschema.Draft202012Validator(schema())
    values = yaml.safe_load(SHIPPED)
    validator.validate(values)
    values["handlers"]["details"]["maxbytes"] = 5
    assert list(validator.iter_errors(values))
    assert list(validator.iter_errors({"version": 1, "handlrs": {}}))


def test_the_shipped_schema_is_the_one_that_the_checker_prints():
    """After a change of a constructor: ``visigate-errors check --schema > logging.schema.json``."""
    assert json.loads((ROOT / "logging.schema.json").read_text("utf-8")) == schema()
    assert "yaml-language-server: $schema=logging.schema.json" in SHIPPED
