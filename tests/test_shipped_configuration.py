"""logging.yaml works as shipped, with plain dictConfig, from any directory."""

import json
import logging
import logging.config
from pathlib import Path

import pytest
import yaml

SHIPPED = Path(__file__).parent.parent / "logging.yaml"


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
