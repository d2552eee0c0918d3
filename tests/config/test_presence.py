"""What others see of a process is no reason to disturb it."""

import logging

from visigate_logging.config.presence import Messages, last_messages
from visigate_logging.lifecycle.presence import Presence
from visigate_logging.lifecycle.processes import present


def test_that_messages_cannot_be_kept_is_no_error_of_its_own(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    presence = Messages(tmp_path / "file" / "state")
    presence.handle(logging.makeLogRecord({"msg": "said"}))
    presence.close()
    assert capsys.readouterr().err == ""


def test_others_cannot_read_the_messages(tmp_path):
    presence = Messages(tmp_path)
    presence.handle(logging.makeLogRecord({"msg": "said"}))
    presence.close()
    assert last_messages(tmp_path)[-1]["message"] == "said"
    assert (tmp_path / "messages.jsonl").stat().st_mode & 0o007 == 0


def test_what_others_see_has_no_secrets(tmp_path):
    presence = Presence(tmp_path)
    presence.tell(path="logging.yaml", refused={"reason": "mailhost: cannot be rtsp://admin:hunter2@north"})
    messages = Messages(tmp_path)
    messages.handle(logging.makeLogRecord({"msg": "cannot open %s", "args": ("rtsp://admin:hunter2@north",)}))
    [facts] = present(tmp_path)
    [message] = last_messages(tmp_path)
    written = "".join(path.read_text() for path in tmp_path.rglob("*.json*"))
    presence.leave()
    assert facts["refused"]["reason"] == "mailhost: cannot be rtsp://***@north"
    assert message["message"] == "cannot open rtsp://***@north"
    assert "hunter2" not in written


def test_a_message_that_is_no_utf8_or_very_long_is_kept_all_the_same(tmp_path, capsys):
    presence = Messages(tmp_path)
    presence.handle(logging.makeLogRecord({"msg": "\ud800" + "x" * 10_000_000}))
    presence.close()
    assert last_messages(tmp_path)[-1]["message"].startswith("\\ud800xxx")
    assert (tmp_path / "messages.jsonl").stat().st_size < 10_000
    assert capsys.readouterr().err == ""
