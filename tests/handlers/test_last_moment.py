"""A record that comes from a destructor while the interpreter ends is written, even if it is the first."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

import visigate_logging

PROCESS = """
import logging, os, sys
import visigate_logging

log = logging.getLogger("app")
handler = {handler}
handler.set_name("last")
log.addHandler(handler)


class Camera:
    def __del__(self, depth={depth}):
        if depth:
            return self.__del__(depth - 1)
        try:
            raise OSError("the camera does not let go")
        except OSError:
            log.exception("closing failed: caf\\N{{LATIN SMALL LETTER E WITH ACUTE}}")
        if hasattr(handler, "_counts"):
            os.write(1, str(handler.counts()).encode())


kept = Camera()
kept.itself = kept  # so that it goes only with everything else
sys.modules["kept"] = kept
"""
FILES = {
    "json": 'visigate_logging.JsonFileHandler("last.log")',
    "text": 'visigate_logging.SharedRotatingFileHandler("last.log")',
    "delayed": 'visigate_logging.JsonFileHandler("last.log", delay=True)',
    "rare encoding": 'visigate_logging.SharedRotatingFileHandler("last.log", encoding="iso8859_15")',
}


OTHERS = {
    "mail": 'visigate_logging.ThrottledSMTPHandler(["127.0.0.1", 1], "gate@example.org", ["a@example.org"], '
    'severity="DEBUG", state_dir="state")',
    "notification": 'visigate_logging.NotificationHandler(["json://h/"], severity="DEBUG", state_dir="state")',
    "recovery": 'visigate_logging.RecoveryHandler({"mend": {"exceptions": ["OSError"], "steps": [{"command": '
    '{"argv": ["true"]}}]}}, state_dir="state")',
    "flight recorder": "visigate_logging.FlightRecorder()",
}


def end(directory: Path, handler: str, depth: int) -> str:
    """Run a process that ends so; return what it says."""
    run = [sys.executable, "-c", PROCESS.format(handler=handler, depth=depth)]
    done = subprocess.run(run, cwd=directory, capture_output=True, text=True, check=False, timeout=30)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("depth", [0, 600], ids=["shallow", "deep"])
@pytest.mark.parametrize("handler", FILES.values(), ids=FILES)
def test_the_first_record_may_come_when_the_interpreter_ends(tmp_path, handler, depth):
    end(tmp_path, handler, depth)
    written = (tmp_path / "last.log").read_bytes()
    if "Json" in handler:
        (record,) = map(json.loads, written.splitlines())
        assert record["error_type"] == "OSError"
        assert "the camera does not let go" in record["traceback"]
    else:
        assert "café" in written.decode("iso8859_15" if "iso" in handler else "utf-8")


@pytest.mark.parametrize(("name", "depth"), [*((name, 0) for name in OTHERS), ("mail", 600), ("recovery", 600)])
def test_with_each_handler_it_is_taken_in_or_counted_as_dropped(tmp_path, name, depth):
    said = end(tmp_path, OTHERS[name], depth)
    if name in {"mail", "notification"}:
        assert b"the camera does not let go" in (tmp_path / "state/journal-last").read_bytes()
    if name == "recovery":  # which no thread can be started for any more
        assert "'accepted': 1" in said
        assert "'pending': 0" in said


@pytest.mark.parametrize("handler", [*FILES.values(), *OTHERS.values(), "visigate_logging.ForwardHandler()"])
def test_logging_knows_of_a_handler_when_it_is_whole(handler: str, tmp_path: Path, monkeypatch) -> None:
    """What closes all handlers, in another thread or in a child that is forked in that moment, may meet it."""
    monkeypatch.chdir(tmp_path)
    add, then = logging._addHandlerRef, {}  # type: ignore[attr-defined]
    monkeypatch.setattr(logging, "_addHandlerRef", lambda one: then.update({one: {*vars(one)}}) or add(one))
    made = eval(handler, {"visigate_logging": visigate_logging})  # as the processes above make it
    made.close()
    of_logging = {*vars(logging.Handler())}
    assert {*vars(made)} - of_logging == then[made] - of_logging
