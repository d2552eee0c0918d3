"""What a step says is kept and told without its secrets."""

import logging

import pytest

from visigate_logging.recovery.audit import Audit
from visigate_logging.recovery.procedures import parse_procedures
from visigate_logging.recovery.runner import Runner
from visigate_logging.recovery.steps.base import Context


@pytest.mark.parametrize(
    "step",
    [
        {"command": {"argv": ["sh", "-c", "echo password=hunter2; exit 3"]}},
        {"command": {"argv": ["sh", "-c", "echo rtsp://admin:hunter2@10.0.0.7/1 >&2"]}},
        {"notify": {"message": "no picture from rtsp://admin:hunter2@10.0.0.7/1"}},
    ],
)
def test_a_secret_that_a_step_says_is_masked_in_the_audit_trail_and_in_what_is_told(step, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    runner = Runner(parse_procedures({"camera": {"exceptions": ["CameraError"], "steps": [step]}}), tmp_path)
    runner.answer(Context(procedure="camera", error_type="CameraError"))
    runner.close()
    assert [line["event"] for line in Audit(tmp_path).read()][-1] == "outcome"
    assert "hunter2" not in Audit(tmp_path).path.read_text()
    assert caplog.records
    assert "hunter2" not in "".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
