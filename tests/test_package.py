"""The package's face: its names, and what importing it costs."""

import subprocess
import sys
from pathlib import Path

import visigate_logging

ROOT = Path(__file__).parent.parent


def test_every_public_name_can_be_had_and_is_listed_in_order() -> None:
    assert visigate_logging.__all__[1:] == sorted(visigate_logging.__all__[1:])
    for name in visigate_logging.__all__:
        assert getattr(visigate_logging, name) is not None
    assert dir(visigate_logging) == sorted(visigate_logging.__all__)


def test_the_names_for_type_checkers_are_those_that_are_served() -> None:
    source = (ROOT / "visigate_logging" / "__init__.py").read_text()
    declared = {
        line.rsplit(" ", 1)[1] for line in source.splitlines() if line.startswith("    from visigate_logging")
    }
    assert declared == set(visigate_logging.__all__) - {"__version__"}


def test_importing_the_package_brings_in_nothing_heavy() -> None:
    heavy = ["smtplib", "sqlite3", "flask", "multiprocessing", "ssl", "email", "apsw", "orjson", "yaml"]
    code = f"import sys, visigate_logging; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_process_that_writes_details_does_not_pay_for_mail_database_or_pages() -> None:
    heavy = ["smtplib", "sqlite3", "flask", "multiprocessing", "ssl", "email", "apsw", "waitress"]
    code = (
        "import sys, visigate_logging as v; v.JsonFileHandler, v.SharedRotatingFileHandler, v.Classifier;"
        f"v.DetailFormatter, v.TextFormatter, v.ErrorDetail; print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
