"""The last failure of each handler is kept for the host, with its time."""

from datetime import UTC, datetime, timedelta

import pytest

from visigate_logging.exceptions import StateError
from visigate_logging.host import CountSheet, State, host_failures


@pytest.fixture
def state(tmp_path):
    state = State(tmp_path)
    yield state
    state.close()


def test_a_failure_is_kept_with_its_time_for_its_handler_alone(state):
    sheet, other = CountSheet("mail"), CountSheet("json")
    sheet.fail("the server is away")
    sheet.publish(state)
    other.publish(state)
    [(handler, failed)] = host_failures(state).items()
    assert (handler, failed["text"]) == ("mail", "the server is away")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(failed["time"])) < timedelta(minutes=1)


def test_the_last_failure_of_any_process_stays_when_others_publish_later(state):
    first, second = CountSheet("mail"), CountSheet("mail")
    first.fail("first")
    first.publish(state)
    second.fail("second")
    second.publish(state)
    first.accept()
    first.publish(state)
    assert host_failures(state)["mail"]["text"] == "second"


def test_a_sheet_has_news_until_its_failure_is_published(state):
    sheet = CountSheet("mail")
    assert not sheet.has_news
    sheet.fail("the server is away")
    assert sheet.has_news
    sheet.publish(state)
    assert not sheet.has_news
    sheet.accept()
    assert sheet.has_news


def test_a_failure_that_could_not_be_published_is_published_the_next_time(tmp_path):
    (tmp_path / "file").write_text("")
    sheet = CountSheet("mail")
    sheet.fail("the server is away")
    with pytest.raises(StateError):
        sheet.publish(State(tmp_path / "file" / "state"))
    state = State(tmp_path / "state")
    sheet.publish(state)
    assert host_failures(state)["mail"]["text"] == "the server is away"
    state.close()


def test_a_long_text_is_cut(state):
    sheet = CountSheet("mail")
    sheet.fail("x" * 10_000)
    sheet.publish(state)
    assert len(host_failures(state)["mail"]["text"]) == 500
