"""configure: a YAML file becomes the running configuration."""

import logging
import os

import pytest

from visigate_logging.config.apply import configure
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.hooks import uninstall_hooks


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """The environment and the hooks as they were; the working directory is a temporary one."""
    monkeypatch.chdir(tmp_path)
    for name in ("VISIGATE_SERVICE", "VISIGATE_RELEASE"):
        monkeypatch.setenv(name, "")
    yield
    uninstall_hooks()


@pytest.fixture
def write(tmp_path):
    def make(text, name="logging.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return make


GOOD = """
version: 1
disable_existing_loggers: false
visigate: {service: gate-north, release: "1.4"}
handlers:
  details:
    class: visigate_logging.JsonFileHandler
    filename: details.jsonl
root: {handlers: [details]}
"""


def test_a_file_becomes_the_running_configuration(write, tmp_path):
    configure(write(GOOD))
    logging.getLogger("gate").error("camera does not answer")
    line = (tmp_path / "details.jsonl").read_text()
    assert '"service":"gate-north"' in line
    assert '"release":"1.4"' in line


def test_children_inherit_service_and_release(write):
    configure(write(GOOD))
    assert (os.environ["VISIGATE_SERVICE"], os.environ["VISIGATE_RELEASE"]) == ("gate-north", "1.4")


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("version: 1\nroot: [", "", "not YAML"),
        ("version: 1\nroot: {level: '${GATE_NONE}'}", "root.level", "environment has no GATE_NONE"),
        ("version: 1\nvisigate: {servise: x}", "visigate.servise", "service"),
        ("version: 1\nvisigate: {hooks: 1}", "visigate.hooks", "1"),
    ],
)
def test_a_file_that_cannot_be_leaves_the_running_configuration_as_it_was(write, tmp_path, text, key, words):
    configure(write(GOOD))
    before = logging.getLogger().handlers[:]
    with pytest.raises(ConfigurationError, match=words) as raised:
        configure(write(text, "other.yaml"))
    assert raised.value.key == key
    assert logging.getLogger().handlers == before
    assert os.environ["VISIGATE_SERVICE"] == "gate-north"
    logging.getLogger("gate").error("still told")
    assert "still told" in (tmp_path / "details.jsonl").read_text()
