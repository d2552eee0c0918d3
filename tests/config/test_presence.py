"""What others see of a process is no reason to disturb it."""

import logging

from visigate_logging.config.presence import Presence, last_messages


def test_that_messages_cannot_be_kept_is_no_error_of_its_own(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    presence = Presence(tmp_path / "file" / "state")
    presence.handle(logging.makeLogRecord({"msg": "said"}))
    presence.close()
    assert capsys.readouterr().err == ""


def test_others_cannot_read_the_messages(tmp_path):
    presence = Presence(tmp_path)
    presence.handle(logging.makeLogRecord({"msg": "said"}))
    presence.close()
    assert last_messages(tmp_path)[-1]["message"] == "said"
    assert (tmp_path / "messages.jsonl").stat().st_mode & 0o007 == 0
