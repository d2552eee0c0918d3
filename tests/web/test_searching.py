"""The search line, and what stands in the address for it."""

from datetime import datetime, timedelta

import pytest

from tests.web.test_pages import text_of
from visigate_logging.web.searching import asked_for

CHOICES = {"type": ["TimeoutError", "KeyError"], "severity": ["ERROR", "WARNING"], "camera": ["north"]}


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("no answer", {"text": "no answer"}),
        ("type:timeouterror no answer", {"type": "TimeoutError", "text": "no answer"}),
        ('type:"Timeout Error"', {"type": "Timeout Error"}),
        ("severity:warn is:muted", {"severity": "WARNING", "state": "muted"}),
        ("is:new camera:North", {"new": "1", "camera": "north"}),
        ("rtsp://10.0.0.7:554/x", {"text": "rtsp://10.0.0.7:554/x"}),
        ('"in quotes"', {"text": "in quotes"}),
        ("group:v3:d79f", {"group": "v3:d79f"}),
        ("", {}),
    ],
)
def test_words_are_text_and_names_before_a_colon_are_filters(line, asked):
    assert asked_for(line, CHOICES) == (asked, [])


def test_times_are_taken_as_the_command_line_takes_them():
    asked, _ = asked_for("since:yesterday", CHOICES)
    assert asked["since"] == f"{datetime.now() - timedelta(days=1):%Y-%m-%dT00:00}"


@pytest.mark.parametrize(
    ("line", "said"), [("is:odd", "is:odd is none of new"), ("since:soon", "since:soon is no time")]
)
def test_what_cannot_be_is_said(line, said):
    asked, problems = asked_for(line, CHOICES)
    assert (asked, problems[0].startswith(said)) == ({}, True)


def test_what_is_on_shows_as_chips_that_take_it_off(client):
    page = client.get("/errors?period=30d&q=type:exceptiongroup+two").text
    assert '<a href="/errors?period=30d&amp;text=two" aria-label="without type ExceptionGroup">' in page
    assert '<a href="/errors?period=30d&amp;type=ExceptionGroup" aria-label="without text two">' in page


def test_a_value_that_no_error_has_is_answered_with_what_may_be_meant(client):
    assert "did you mean ConnectionRefusedError?" in text_of(client.get("/errors?q=type:Refused"))
    assert "there are: ERROR" in text_of(client.get("/errors?q=severity:DEBUG"))


def test_a_text_that_finds_nothing_shows_no_chart_of_all(client):
    page = text_of(client.get("/errors?period=30d&q=nothing+like+it"))
    assert "No such errors in this time." in page
    assert "at most" not in page


@pytest.mark.parametrize(
    ("sort", "first"),
    [("last", "two cameras"), ("first", "two cameras"), ("count", "Errno 111"), ("severity", "two")],
)
def test_groups_are_sorted_as_is_asked(client, sort, first):
    page = client.get(f"/errors?period=30d&sort={sort}").text
    rows = page[page.index('class="rows groups"') :]
    assert first in rows[: rows.index("</li>")]


def test_only_new_groups_when_that_is_asked(client):
    page = text_of(client.get("/errors?period=30d&q=is:new"))
    assert ("two cameras" in page, "Errno 111" in page) == (True, False)
