"""When records were dropped is kept with their number, and is no news any more after a day."""

import sys

import pytest

from visigate_logging.host import CountSheet, State, add_counts, host_counts, host_drops
from visigate_logging.host.clock import Instant

DAY = 86_400.0


@pytest.fixture
def at(monkeypatch):
    """Sets the host's clock to so many seconds of one boot."""

    def set_clock(seconds, boot="a"):
        monkeypatch.setattr(
            sys.modules["visigate_logging.host.clock"], "clock", lambda: Instant(boot, 1000.0 + seconds)
        )

    set_clock(0)
    return set_clock


@pytest.fixture
def state(tmp_path):
    state = State(tmp_path)
    yield state
    state.close()


def dropped(state):
    return {(drop.handler, drop.reason): drop.n for drop in host_drops(state)}


def test_what_a_sheet_drops_is_told_by_reason_with_its_times(state, at):
    sheet = CountSheet("mail")
    sheet.accept(5)
    sheet.drop("queue full", 2)
    sheet.publish(state)
    sheet.drop("queue full")
    sheet.drop("refused")
    sheet.publish(state)
    sheet.publish(state)
    assert dropped(state) == {("mail", "queue full"): 3, ("mail", "refused"): 1}
    assert all(drop.since <= drop.last and drop.last.endswith("Z") for drop in host_drops(state))


def test_a_drop_is_no_news_after_a_day_but_stays_counted(state, at):
    with state.transaction() as connection:
        add_counts(connection, "mail", accepted=2, dropped={"refused": 2})
    at(DAY - 1)
    assert dropped(state) == {("mail", "refused"): 2}
    at(DAY)
    assert dropped(state) == {}
    assert host_counts(state)["mail"]["dropped"] == {"refused": 2}


def test_a_drop_after_a_day_without_one_is_told_alone(state, at):
    for seconds, n in ((0, 5), (DAY - 1, 1), (3 * DAY, 2)):
        at(seconds)
        with state.transaction() as connection:
            add_counts(connection, "mail", accepted=n, dropped={"refused": n})
        assert dropped(state) == {("mail", "refused"): {0: 5, DAY - 1: 6, 3 * DAY: 2}[seconds]}


def test_a_reboot_does_not_let_a_drop_be_forgotten_early(state, at):
    with state.transaction() as connection:
        add_counts(connection, "mail", accepted=1, dropped={"refused": 1})
    at(10 * DAY, boot="b")
    assert dropped(state) == {("mail", "refused"): 1}


def test_what_a_process_that_ended_had_told_already_is_no_news_again(state, at, monkeypatch):
    sheet = CountSheet("mail")
    sheet.accept(3)
    sheet.drop("queue full", 2)
    sheet.publish(state)
    at(2 * DAY)
    monkeypatch.setattr("visigate_logging.host.counts.process_lives", lambda pid: False)
    CountSheet("other").publish(state)
    assert dropped(state) == {("mail", "process ended"): 1}
