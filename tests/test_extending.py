"""Each addition of docs/extending.md is as small as it says there, and works: tried in a copy of the package."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/extending.md").read_text("utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]}
BLOCK = re.compile(r"(?ms)^`(?P<file>[^`\n]+)`(?:, behind `(?P<anchor>[^\n]+)`)?:\n\n```\w+\n(?P<text>.+?)^```$")
FILES = {
    "A step of a recovery": 1,
    "A target to forward to": 1,
    "A channel to people": 1,
    "A facet": 1,
    "A format of a secret": 1,
    "A field of the record": 2,
    "A subcommand": 1,
    "A column of the page": 1,
}
PROGRAM = """
import contextlib, io, json, logging, logging.config, os, sys, time
from pathlib import Path

import visigate_logging
from visigate_logging.cli import main
from visigate_logging.store.store import ErrorStore
from visigate_logging.web import create_blueprint
from flask import Flask, url_for

log, token = "errors/details.jsonl", "gate_" + "0123456789abcdef01234567"
ours = {"state_dir": "errors/state"}
logging.config.dictConfig({
    "version": 1,
    "handlers": {
        "details": {"class": "visigate_logging.JsonFileHandler", "filename": log},
        "siren": {"class": "siren.SirenHandler", "path": "sounded", "group_wait": 0, **ours},
        "out": {
            "class": "visigate_logging.ForwardHandler", "log": log, "target": {"console": {"path": "forwarded"}},
            **ours,
        },
        "recovery": {"class": "visigate_logging.RecoveryHandler", **ours, "procedures": {
            "lamp": {"exceptions": ["OSError"], "steps": [{"blink": {"times": 7}}]}}},
    },
    "root": {"handlers": ["details", "siren", "out", "recovery"]},
})
try:
    raise OSError("the lamp is dark: " + token)
except OSError:
    logging.exception("cannot light")
logging.shutdown()
deadline = time.monotonic() + 60
while not (Path("forwarded").exists() and Path("sounded").exists()) and time.monotonic() < deadline:
    time.sleep(0.05)
app = Flask("pages")
app.register_blueprint(create_blueprint(ErrorStore(log), unprotected=True))
with app.test_request_context():
    address = url_for("errors.system_errors")
with contextlib.redirect_stdout(io.StringIO()) as said:
    main(["lamp", "lamp 2"])
with ErrorStore(log) as store:
    (record,) = store.recent(5, type="OSError")
    counts = store.statistics(7)
    found = store.recent(5, type="OSError", thread="MainThread")
print(json.dumps({
    "from": visigate_logging.__file__,
    "A step of a recovery": Path("errors/state/recovery.jsonl").read_text(),
    "A target to forward to": Path("forwarded").read_text(),
    "A channel to people": Path("sounded").read_text(),
    "A facet": f"{counts['threads']['MainThread']} counted, {len(found.records)} found",
    "A format of a secret": record.error_message,
    "A field of the record": record.to_dict()["python"],
    "A subcommand": said.getvalue(),
    "A column of the page": app.test_client().get(address).text,
}))
"""
EXPECTED = {
    "A step of a recovery": "blinked 7 times",
    "A target to forward to": "OSError: the lamp is dark",
    "A channel to people": "OSError",
    "A facet": "1 counted, 1 found",
    "A format of a secret": "the lamp is dark: ***",
    "A field of the record": sys.version.split()[0],
    "A subcommand": "lamp 2 is well",
    "A column of the page": "<small>today</small>",
}


def added() -> dict[str, list[re.Match[str]]]:
    """The additions of the page, by section."""
    return {title: list(BLOCK.finditer(text)) for title, text in SECTIONS.items()}


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What the program says that runs with a copy of the package, in which everything has been added."""
    place = tmp_path_factory.mktemp("extended")
    copy = place / "visigate_logging"
    shutil.copytree(ROOT / "visigate_logging", copy, ignore=shutil.ignore_patterns("__pycache__"))
    for block in (one for blocks in added().values() for one in blocks):
        path, anchor = place / block["file"], block["anchor"]
        if anchor is None:
            assert not path.exists()
            path.write_text(block["text"])
        else:
            text = path.read_text()
            assert text.count(anchor) == 1, (anchor, path)
            path.write_text(text.replace(anchor, f"{anchor}\n{block['text'].rstrip()}"))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["from"] == str(place / "visigate_logging/__init__.py")
    return told


@pytest.mark.parametrize("title", FILES)
def test_an_addition_touches_as_many_files_as_are_told(title):
    assert len({block["file"] for block in added()[title]}) == FILES[title]


@pytest.mark.parametrize("title", FILES)
def test_an_addition_works_as_it_stands_in_the_page(seen, title):
    assert EXPECTED[title] in seen[title]
