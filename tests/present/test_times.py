"""Times as people write them."""

from datetime import datetime

import pytest

from visigate_logging.present.times import moment

NOW = datetime(2026, 5, 6, 12, 30, 15).astimezone()  # a Wednesday


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", (2026, 5, 6, 12, 30, 15)),
        ("90m", (2026, 5, 6, 11, 0, 15)),
        ("3d ago", (2026, 5, 3, 12, 30, 15)),
        ("today", (2026, 5, 6)),
        ("yesterday", (2026, 5, 5)),
        ("Yesterday 18:05", (2026, 5, 5, 18, 5)),
        ("monday", (2026, 5, 4)),
        ("wednesday", (2026, 5, 6)),
        ("thursday 7:00", (2026, 4, 30, 7, 0)),
        ("08:00", (2026, 5, 6, 8, 0)),
        ("8:00", (2026, 5, 6, 8, 0)),
        ("23:00", (2026, 5, 5, 23, 0)),
        ("2026-05-04", (2026, 5, 4)),
        ("2026-05-04T12:30", (2026, 5, 4, 12, 30)),
    ],
)
def test_a_time_is_the_last_that_there_was_by_that_name(text, expected):
    assert moment(text, NOW) == datetime(*expected).astimezone()


@pytest.mark.parametrize("text", ["", "soon", "25:00", "yesterday noon", "99999999w", "2026-13-01", "08:00 today"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match=r".*"):
        moment(text, NOW)
