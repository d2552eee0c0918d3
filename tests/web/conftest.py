"""An application with the pages of a small log, its templates strict about what they use."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache, StrictUndefined

from tests.records import detail, write
from visigate_logging.detail.record import ErrorDetail, ExceptionData, Frame
from visigate_logging.store.store import ErrorStore
from visigate_logging.web import create_blueprint

NOW = datetime.now(UTC).replace(microsecond=0)
MakeClient = Callable[..., FlaskClient]


def ago(number: int, **span: float) -> ErrorDetail:
    """The usual record, some time before now."""
    return detail(number, NOW - timedelta(**span))


def chained(number: int = 100, **fields: Any) -> ErrorDetail:
    """An error with a cause, what it was handled in, and a group of others."""
    own = Frame(__file__, 1, "open_gate", "gate.barrier", '"""An application', True)
    library = Frame("/usr/lib/python3.11/socket.py", 9, "connect", "socket", "self.sock.connect(address)", False)
    exceptions = (
        ExceptionData("ExceptionGroup", "builtins", "two cameras", frames=(own, library, library)),
        ExceptionData("RootCause", "gate.errors", "the cable", relation="cause", parent=0, notes=("look at it",)),
        ExceptionData("NorthError", "gate.errors", "north is dark", relation="member", parent=0, frames=(own,)),
        ExceptionData("SouthError", "gate.errors", "south is dark", relation="member", parent=0),
        ExceptionData("SouthCause", "gate.errors", "the switch", relation="context", parent=3),
    )
    given = {"error_type": "ExceptionGroup", "error_message": "two cameras", "exceptions": exceptions}
    place = {"file": __file__, "line": 2, "fingerprint": f"v1:{number:016x}"}
    return detail(number, NOW - timedelta(minutes=5), **(given | place | fields))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the errors are: four of one group, the last of them a day old, and one with a chain."""
    records = [ago(1, days=12), ago(2, days=3), ago(3, hours=26), ago(4, hours=25)]
    return write(tmp_path / "details.jsonl", *records, chained())


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> FileSystemBytecodeCache:
    """Templates, compiled once for all applications."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture
def make_client(compiled: FileSystemBytecodeCache) -> Iterator[MakeClient]:
    """Makes a client of the pages of a log."""
    stores = []

    def make(path: Path, **options: Any) -> FlaskClient:
        stores.append(ErrorStore(path, tz=UTC))
        app = Flask("host")
        app.jinja_env.undefined = StrictUndefined
        app.jinja_env.bytecode_cache = compiled
        app.register_blueprint(create_blueprint(stores[-1], **({"unprotected": True} | options)))
        return app.test_client()

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def client(log: Path, make_client: MakeClient) -> FlaskClient:
    """A client of the usual log, unprotected."""
    return make_client(log)
