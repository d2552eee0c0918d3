"""A hub, and collectors of it in threads of the test's."""

import contextlib
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.forward.conftest import gate, no_rest, sink  # noqa: F401 -- fixtures
from tests.nats_server import Hub
from tests.waiting import wait_until
from visigate_logging import ErrorStore, JsonFileHandler
from visigate_logging.fleet.collector import Collector
from visigate_logging.fleet.consumers import Subscription
from visigate_logging.fleet.intake import Intake
from visigate_logging.forward.backoff import Backoff
from visigate_logging.options import build


class Collecting:
    """One collector and its log.

    Attributes:
        intake, collector: its parts.
        ended, thread: what it runs until, and in.
        store: the errors that it has collected.
    """

    def __init__(self, hub: Hub, directory: Path, people: Any = (), **options: Any) -> None:
        self.log = JsonFileHandler(directory / "details.jsonl")
        given = {"servers": hub.url("collector"), "timeout": 2, **options}
        self.intake = Intake(self.log, people, given.get("name", "collector"))
        self.collector = Collector(build(Subscription, given), self.intake)
        self.store = ErrorStore(directory)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.collector.run, args=(self.ended,))

    @property
    def lines(self) -> list[bytes]:
        """What its log has."""
        path = Path(self.log.baseFilename)
        return path.read_bytes().splitlines() if path.exists() else []

    def counts(self) -> dict[str, Any]:
        """What became of what came."""
        from visigate_logging.host import host_counts

        found = host_counts(self.intake._state)
        return dict(next((sheet for name, sheet in found.items() if name.startswith("collect-")), {}))

    def start(self) -> "Collecting":
        self.thread.start()
        return self

    def wait(self, accepted: int) -> None:
        """Wait until so many messages have been taken in."""
        wait_until(lambda: self.counts().get("accepted", 0) >= accepted)

    def stop(self) -> None:
        self.ended.set()
        if self.thread.is_alive():
            self.thread.join(10)
        self.store.close()
        self.intake.close()
        self.log.close()


@pytest.fixture
def hub(tmp_path):
    (tmp_path / "hub").mkdir()
    server = Hub(tmp_path / "hub")
    yield server
    server.kill()


@pytest.fixture
def collecting(hub, tmp_path, monkeypatch):
    """Make collectors, which try again at once; they end with the test."""
    monkeypatch.setattr("visigate_logging.fleet.collector._WAIT", 0.1)
    monkeypatch.setattr(Backoff, "wait", property(lambda self: 0.1 * (self.tries > 0)))
    with contextlib.ExitStack() as made:

        def make(directory="collected", **options):
            one = Collecting(hub, tmp_path / directory, **options)
            made.callback(one.stop)
            return one

        yield make
