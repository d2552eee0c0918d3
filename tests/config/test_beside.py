"""configure() beside an application and its libraries: none shows secrets, and no handler goes without a word."""

import io
import logging
from pathlib import Path

import flask
import pytest
import werkzeug._internal as werkzeug
from flask.logging import default_handler

from visigate_logging import configure

SECRET = "rtsp://admin:hunter2@10.0.0.7/1"
SHIPPED = Path(__file__).parents[2] / "logging.yaml"


@pytest.fixture(autouse=True)
def fresh_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flask and werkzeug as in a process that has just begun."""
    monkeypatch.setattr(werkzeug, "_logger", None)


def meet(app: flask.Flask) -> None:
    """Say something at every level, as Flask and werkzeug do."""
    werkzeug._log("info", "GET /?camera=%s", SECRET)
    werkzeug._log("error", "no picture from %s", SECRET)
    app.logger.error("no picture from %s", SECRET)
    app.logger.info("a picture from %s", SECRET)


def test_without_configure_they_show_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    meet(flask.Flask("gate"))
    assert "hunter2" in capsys.readouterr().err


def test_with_configure_they_attach_nothing_and_show_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    configure(SHIPPED)
    app = flask.Flask("gate")
    meet(app)
    shown = capsys.readouterr().err
    assert "no picture from rtsp://" in shown
    assert "hunter2" not in shown
    assert app.logger.handlers == logging.getLogger("werkzeug").handlers == []


def test_what_they_have_attached_before_is_taken_away(capsys: pytest.CaptureFixture[str]) -> None:
    app = flask.Flask("gate")
    meet(app)
    assert default_handler in app.logger.handlers
    capsys.readouterr()
    configure(SHIPPED)
    meet(app)
    shown = capsys.readouterr().err
    assert "no picture from rtsp://" in shown
    assert "hunter2" not in shown
    assert "replaced" not in shown


def test_handlers_of_other_loggers_are_kept_and_those_of_root_are_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    logging.basicConfig(filename=tmp_path / "app.log")
    own = logging.StreamHandler(io.StringIO())
    logging.getLogger("gate.audit").addHandler(own)
    configure(SHIPPED)
    assert logging.getLogger("gate.audit").handlers == [own]
    shown = capsys.readouterr().err
    assert shown.count("is replaced by what the configuration names") == 1
    assert f"FileHandler ({tmp_path}/app.log) of logger root" in shown
    configure(SHIPPED)
    assert "is replaced" not in capsys.readouterr().err


def test_a_configuration_without_root_leaves_root_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "logging.yaml"
    path.write_text("version: 1\ndisable_existing_loggers: false\n")
    own = logging.StreamHandler()
    logging.getLogger().addHandler(own)
    configure(path)
    assert own in logging.getLogger().handlers
    assert "replaced" not in capsys.readouterr().err
