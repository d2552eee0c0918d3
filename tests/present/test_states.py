"""The state of a group in words."""

import pytest

from visigate_logging.present.states import state_in_words
from visigate_logging.present.words import local
from visigate_logging.triage.decisions import Decision
from visigate_logging.triage.states import State

THEN, TOMORROW = "2026-05-03T12:00:00Z", "2026-05-04T12:00:00Z"


def made(action, **more):
    return Decision("1", THEN, "anna", action, "v3:a", **more)


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (State(), ""),
        (
            State("resolved", made("resolve", release="2.4", note="new cable")),
            "resolved in release 2.4 by anna on {then}: new cable",
        ),
        (
            State("muted", made("mute", until=TOMORROW, more=5, worse=True), 3),
            "muted until {tomorrow} or 5 more have come or it is worse by anna on {then}; 3 errors since then",
        ),
        (
            State("open", made("resolve", note="new cable"), 2, "it came back"),
            "came back: 2 errors since it was resolved by anna on {then}: new cable",
        ),
        (
            State("open", made("mute"), 1, "its time is over"),
            "no longer muted, its time is over: 1 error since it was muted by anna on {then}",
        ),
        (State("open", made("reopen"), 4), "reopened by anna on {then}"),
    ],
)
def test_a_state_is_one_sentence(state, text):
    assert state_in_words(state) == text.format(then=local(THEN), tomorrow=local(TOMORROW))
