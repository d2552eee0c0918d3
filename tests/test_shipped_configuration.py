"""logging.yaml works as shipped, with plain dictConfig, from any directory."""

import importlib.util
import json
import logging
import logging.config
import shutil
import smtplib
import socket
import sqlite3
import sys
import urllib.error
from email.message import Message
from pathlib import Path

import jinja2
import pytest
import requests
import serial
import werkzeug.exceptions
import yaml

from tests.delivery.servers import Server, wait_for
from visigate_logging.cli import main
from visigate_logging.detail.classification import Classifier
from visigate_logging.handlers.smtp import ThrottledSMTPHandler

SHIPPED = Path(__file__).parent.parent / "logging.yaml"
LIBRARIES = {
    "cv2",
    "onvif",
    "zeep",
    "PIL",
    "requests",
    "urllib3",
    "serial",
    "gpiozero",
    "lgpio",
    "werkzeug",
    "jinja2",
}


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in which the shipped file has been loaded by plain dictConfig."""
    monkeypatch.chdir(tmp_path)
    logging.config.dictConfig(yaml.safe_load(SHIPPED.read_text("utf-8")))
    return tmp_path


def fail() -> None:
    try:
        raise ConnectionRefusedError(111, "Connection refused")
    except OSError:
        logging.getLogger("visigate.camera").exception(
            "no picture from rtsp://admin:geheim@10.0.0.9/s1", extra={"password": "geheim", "camera": "entrance"}
        )


def test_an_error_is_in_the_details_and_in_the_log_for_people(gate: Path) -> None:
    fail()
    detail = json.loads((gate / "logs/errors/details.jsonl").read_text())
    assert (detail["error_type"], detail["function"], detail["category"]) == (
        "ConnectionRefusedError",
        "fail",
        "network",
    )
    assert detail["additional_info"] == {"password": "***", "camera": "entrance"}
    text = (gate / "logs/errors/error.log").read_text()
    assert "ConnectionRefusedError: [Errno 111] Connection refused" in text
    assert "Traceback (most recent call last):" in text


def test_no_secret_is_in_any_file_or_on_the_console(gate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fail()
    written = "".join(f.read_text(errors="replace") for f in gate.rglob("*") if f.is_file())
    assert "no picture from" in written
    assert "geheim@" not in written + capsys.readouterr().err
    assert "'geheim'" not in written


def test_files_are_rotated_at_10_mib_with_5_backups() -> None:
    handlers = yaml.safe_load(SHIPPED.read_text("utf-8"))["handlers"]
    for name in ("error_log", "details"):
        assert (handlers[name]["maxBytes"], handlers[name]["backupCount"]) == (10 * 1024 * 1024, 5)


def test_no_key_is_a_word_that_yaml_reads_as_a_boolean() -> None:
    def keys(node: object) -> list[object]:
        if isinstance(node, dict):
            return [*node, *(k for v in node.values() for k in keys(v))]
        return [k for v in node for k in keys(v)] if isinstance(node, list) else []

    assert all(isinstance(key, str) for key in keys(yaml.safe_load(SHIPPED.read_text("utf-8"))))


def library(path: str, base: type[Exception] = Exception) -> type[Exception]:
    """The exception class of a library, which is not installed for this."""
    module, _, name = path.rpartition(".")
    return type(name, (base,), {"__module__": module})


@pytest.mark.parametrize(
    ("error", "logger", "expected"),
    [
        (sqlite3.DatabaseError("database disk image is malformed"), "VisiGate.database", ("database", "CRITICAL")),
        (sqlite3.OperationalError("database is locked"), "VisiGate", ("database", "ERROR")),
        (requests.ConnectTimeout("x"), "VisiGate.integration", ("network", "ERROR")),
        (library("urllib3.exceptions.HTTPError")(), "VisiGate", ("network", "ERROR")),
        (urllib.error.HTTPError("http://x", 500, "x", Message(), None), "VisiGate", ("network", "ERROR")),
        (socket.gaierror(-2, "x"), "VisiGate", ("network", "ERROR")),
        (smtplib.SMTPAuthenticationError(535, b"x"), "visigate.notifications", ("mail", "ERROR")),
        (library("cv2.error")("x"), "VisiGate", ("camera", "ERROR")),
        (library("cv2.error")("x"), "VisiGate.recognition", ("recognition", "ERROR")),
        (library("onvif.exceptions.ONVIFError")("x"), "src.camera", ("camera", "ERROR")),
        (library("zeep.exceptions.Fault", library("zeep.exceptions.Error"))("x"), "src", ("camera", "ERROR")),
        (serial.SerialException("x"), "VisiGate", ("hardware", "ERROR")),
        (serial.SerialException("x"), "VisiGate.barrier", ("hardware", "CRITICAL")),
        (RuntimeError("Please set pin numbering mode using GPIO.setmode(GPIO.BCM)"), "src", ("hardware", "ERROR")),
        (RuntimeError("no words"), "src.anything", ("application", "ERROR")),
        (jinja2.TemplateNotFound("x.html"), "VisiGate.web", ("web", "ERROR")),
        (json.JSONDecodeError("x", "y", 0), "VisiGate", ("data", "ERROR")),
        (werkzeug.exceptions.NotFound(), "VisiGate.web", ("web", "WARNING")),
        (werkzeug.exceptions.InternalServerError(), "VisiGate.web", ("web", "ERROR")),
        (OSError(28, "No space left on device"), "VisiGate", ("system", "CRITICAL")),
        (PermissionError(13, "Permission denied"), "VisiGate", ("system", "ERROR")),
        (KeyError("x"), "VisiGate.barrier", ("barrier", "CRITICAL")),
        (KeyError("x"), "VisiGate.database", ("database", "ERROR")),
        (KeyError("x"), "VisiGate.recognition", ("recognition", "ERROR")),
        (KeyError("x"), "VisiGate.web", ("web", "ERROR")),
        (KeyError("x"), "VisiGate.integration.webhook", ("integration", "ERROR")),
        (KeyError("x"), "VisiGate", ("application", "ERROR")),
        (KeyError("x"), "elsewhere", ("", "ERROR")),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, Exception) else None,
)
def test_what_the_application_meets_has_a_category(error: Exception, logger: str, expected: tuple[str, str]) -> None:
    rules = yaml.safe_load(SHIPPED.read_text("utf-8"))["filters"]["classify"]["rules"]
    record = logging.LogRecord(logger, logging.ERROR, "f", 1, "m", None, (type(error), error, None))
    assert Classifier(rules).filter(record)
    assert (record.category, record.severity) == expected  # type: ignore[attr-defined]


FILLED_IN = {'mailhost: ""  ': "mailhost: {address}  ", "toaddrs: []  ": "toaddrs: [admin@example.org]  "}


def test_as_shipped_nobody_is_mailed_and_nothing_runs_for_it(gate: Path) -> None:
    [mail] = [handler for handler in logging.root.handlers if handler.name == "mail"]
    asked: list[logging.LogRecord] = []
    mail.addFilter(lambda record: not asked.append(record))  # type: ignore[func-returns-value]
    logging.getLogger("VisiGate.barrier").critical("stuck")
    assert isinstance(mail, ThrottledSMTPHandler)
    assert not asked
    assert mail.counts()["accepted"] == 0
    assert not mail._notifiers  # what would have a thread, and files
    assert not list(gate.rglob("*mail*"))


def test_no_library_that_its_rules_name_need_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = {name: module for name, module in sys.modules.items() if name.partition(".")[0] not in LIBRARIES}
    monkeypatch.setattr(sys, "modules", here)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    shutil.copy(SHIPPED, tmp_path)
    assert main(["check", "--strict", str(tmp_path / SHIPPED.name)]) == 0


def test_check_mail_test_and_doctor_say_what_is_missing_for_mail_and_refuse_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(SHIPPED, tmp_path)
    for command, code in (["check", "--strict"], 0), (["mail", "test"], 78), (["doctor"], 1):
        assert main(command) == code
        told = "".join(capsys.readouterr())
        [line] = [line for line in told.splitlines() if "handlers.mail" in line]
        assert "logging.yaml:" in line
        assert "give mailhost (the server) and toaddrs (who is told)" in line
        assert not line.startswith("FAIL")


@pytest.mark.parametrize(("missing", "filled"), [("mailhost", "toaddrs: []  "), ("toaddrs", 'mailhost: ""  ')])
def test_half_of_what_mail_needs_is_a_mistake_at_the_other_half(
    missing: str, filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = SHIPPED.read_text("utf-8").replace(filled, FILLED_IN[filled].format(address="mail.example.org"))
    (tmp_path / "logging.yaml").write_text(text, "utf-8")
    assert main(["check"]) == 78
    [line] = capsys.readouterr().out.splitlines()
    assert f"handlers.mail.{missing}: " in line
    assert "is empty; write" in line


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
def test_a_server_and_an_address_are_all_that_a_first_mail_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = SHIPPED.read_text("utf-8")
    with Server() as server:
        for written, filled in FILLED_IN.items():
            assert text.count(written) == 1
            text = text.replace(written, filled.format(address=server.address))
        (tmp_path / "logging.yaml").write_text(text, "utf-8")
        assert main(["mail", "test"]) == 0, capsys.readouterr()
        assert server.inbox.mails[0][0] == ("admin@example.org",)
        logging.config.dictConfig(yaml.safe_load(text))
        logging.getLogger("VisiGate.barrier").critical("stuck")
        wait_for(lambda: len(server.inbox.mails) == 2)
