"""What is appended for years has a bound, so that a card does not fill up with what nobody looks at any more."""

import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from visigate_logging.config import presence
from visigate_logging.delivery import sender
from visigate_logging.delivery.spool import Spool
from visigate_logging.host import State
from visigate_logging.recovery import audit
from visigate_logging.recovery.sqlite import files
from visigate_logging.recovery.steps.base import Context

SMALL = 2000


def messages(place: Path) -> None:
    presence._messages(place).append({"message": "the card is full"})


def trail(place: Path) -> None:
    audit.Audit(place).write("begun", Context(procedure="database", key="gate"))


@pytest.mark.parametrize("append", [messages, trail])
def test_what_is_appended_for_years_stays_small(append: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "_LARGEST", SMALL)
    monkeypatch.setattr(audit, "MAX_BYTES", SMALL)
    for _ in range(100):
        append(tmp_path)
    assert SMALL < sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2 * SMALL
    assert len([path for path in tmp_path.iterdir() if not path.name.startswith(".")]) == 2


def test_of_refused_mails_the_last_ones_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "_KEPT_REFUSED", 5)
    spool = Spool(tmp_path)
    outbox: Any = SimpleNamespace(spool=spool)
    channel: Any = SimpleNamespace(noun="mail", other_side="server")
    sending = sender.Sender(outbox, channel, tmp_path / "lock")
    for n in range(12):
        spool.stage(f"{n:02}", ["admin@example.org"], b"Subject: no picture\n\n")
        spool.publish(f"{n:02}")
        message = spool.message(f"{n:02}")
        assert message is not None
        sending._keep(message, {"admin@example.org": "550 no such user"})
    assert spool.refused.waiting() == ["07", "08", "09", "10", "11"]


def test_of_damaged_state_files_the_last_ones_are_kept(tmp_path: Path) -> None:
    for _ in range(6):
        (tmp_path / "state.sqlite3").write_bytes(b"no database at all" * 1000)
        state = State(tmp_path)
        with state.transaction() as connection:
            assert isinstance(connection, sqlite3.Connection)
        state.close()
    assert len(list(tmp_path.glob("state.sqlite3.damaged-*"))) == 3


def test_of_damaged_databases_the_last_ones_are_kept(tmp_path: Path) -> None:
    database = tmp_path / "gate.db"
    for n in range(8):
        database.write_bytes(b"damaged")
        files.put_aside(database, tmp_path / f"gate.db.damaged-2026010{n}T000000Z-manual", {"event_id": str(n)})
        files.remove_old(database)
    kept = sorted(path.name for path in tmp_path.glob("gate.db.damaged-*"))
    assert kept == [f"gate.db.damaged-2026010{n}T000000Z-manual" for n in range(3, 8)]


def test_what_somebody_else_has_put_beside_a_database_is_not_removed(tmp_path: Path) -> None:
    database = tmp_path / "gate.db"
    for n in range(8):
        (tmp_path / f"gate.db.damaged-{n}").mkdir()
    files.remove_old(database)
    assert len(list(tmp_path.glob("gate.db.damaged-*"))) == 8
