"""A log, a server, and forwarders between them that are turned by hand."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.forward.servers import Sink
from tests.records import detail
from visigate_logging import ForwardHandler
from visigate_logging.forward.backoff import Backoff
from visigate_logging.forward.forwarder import Forwarder
from visigate_logging.host.shared_file import SharedFile

MANY = 10_000_000


class Gate:
    """One log and what forwards it."""

    def __init__(self, path: Path, sink: Sink) -> None:
        self.log, self.state_dir, self.sink = path / "details.jsonl", path / "state", sink
        self.number = 0
        self.file = SharedFile(self.log, max_bytes=0, backups=0)
        self._made: list[Forwarder] = []

    def write(self, n: int = 1, **fields: Any) -> list[str]:
        """Log so many errors; their ids."""
        ids = []
        for _ in range(n):
            self.number += 1
            record = detail(self.number, **fields)
            self.file.append(record.to_json() + b"\n")
            ids.append(record.event_id)
        return ids

    def rotate(self, backups: int = 5) -> None:
        """As the writers do."""
        for number in range(backups, 0, -1):
            old = self.log if number == 1 else Path(f"{self.log}.{number - 1}")
            if old.exists():
                old.replace(f"{self.log}.{number}")

    def forwarder(self, target: Any = None, **options: Any) -> Forwarder:
        """A forwarder, as after a start of the process."""
        given = {"backfill": "all", "max_per_minute": MANY, **options}
        handler = ForwardHandler(
            target or {"http": {"url": self.sink.url, "timeout": 2}}, self.log, state_dir=self.state_dir, **given
        )
        assert handler.options is not None
        forwarder = Forwarder(handler.options, "forward")
        self._made.append(forwarder)
        return forwarder

    def forward(self, forwarder: Forwarder | None = None, turns: int = 1000) -> Forwarder:
        """Turn until there is nothing to do but wait."""
        forwarder = forwarder or self.forwarder()
        for _ in range(turns):
            if forwarder.turn() > 0:
                break
        return forwarder

    @property
    def received(self) -> list[str]:
        """The ids that the server has answered with 200, in their order."""
        return [line["event_id"] for request in self.sink.requests for line in request.lines]

    def close(self) -> None:
        for forwarder in self._made:
            forwarder.close()
        self.file.close()


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as server:
        yield server


@pytest.fixture
def gate(tmp_path: Path, sink: Sink) -> Iterator[Gate]:
    made = Gate(tmp_path, sink)
    yield made
    made.close()


@pytest.fixture
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failure the next turn tries again."""
    monkeypatch.setattr(Backoff, "wait", 0.0)


@pytest.fixture
def warnings_of(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What the package itself has said."""
    caplog.set_level(logging.WARNING, "visigate_logging")
    return lambda: [record.getMessage() for record in caplog.records]
