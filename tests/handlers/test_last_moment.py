"""A record that comes from a destructor while the interpreter ends is written, even if it is the first."""

import json
import subprocess
import sys

import pytest

PROCESS = """
import logging, sys
import visigate_logging

log = logging.getLogger("app")
log.addHandler({handler})


class Camera:
    def __del__(self, depth={depth}):
        if depth:
            return self.__del__(depth - 1)
        try:
            raise OSError("the camera does not let go")
        except OSError:
            log.exception("closing failed: caf\\N{{LATIN SMALL LETTER E WITH ACUTE}}")


kept = Camera()
kept.itself = kept  # so that it goes only with everything else
sys.modules["kept"] = kept
"""
HANDLERS = {
    "json": 'visigate_logging.JsonFileHandler("last.log")',
    "text": 'visigate_logging.SharedRotatingFileHandler("last.log")',
    "delayed": 'visigate_logging.JsonFileHandler("last.log", delay=True)',
    "rare encoding": 'visigate_logging.SharedRotatingFileHandler("last.log", encoding="iso8859_15")',
}


@pytest.mark.parametrize("depth", [0, 600], ids=["shallow", "deep"])
@pytest.mark.parametrize("handler", HANDLERS.values(), ids=HANDLERS)
def test_the_first_record_may_come_when_the_interpreter_ends(tmp_path, handler, depth):
    run = [sys.executable, "-c", PROCESS.format(handler=handler, depth=depth)]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=10)
    assert "Logging error" not in done.stderr
    written = (tmp_path / "last.log").read_bytes()
    if "Json" in handler:
        (record,) = map(json.loads, written.splitlines())
        assert record["error_type"] == "OSError"
        assert "the camera does not let go" in record["traceback"]
    else:
        assert "café" in written.decode("iso8859_15" if "iso" in handler else "utf-8")
