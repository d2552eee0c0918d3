"""What people read of an error: the usual has its advice, and numbers are in words."""

import pytest

from tests.delivery.conftest import error
from visigate_logging.detail.record import ExceptionData, Frame
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.present.advice import SHIPPED, advice_for, read_advice
from visigate_logging.present.facts import Place, facts_of, headline, site
from visigate_logging.present.words import counted, rate, spoken


@pytest.mark.parametrize(
    ("changes", "advised"),
    [
        ({"error_type": "OSError", "error_message": "[Errno 28] No space left on device"}, "The card is full"),
        ({"error_type": "OperationalError", "error_message": "database or disk is full"}, "The card is full"),
        ({"error_type": "OSError", "error_message": "[Errno 30] Read-only file system: 'x'"}, "become read-only"),
        ({"error_type": "DatabaseError", "error_message": "database disk image is malformed"}, "recover run"),
        ({"error_type": "OperationalError", "error_message": "database is locked"}, "do not restore"),
        ({"error_type": "RuntimeError", "error_message": "cannot open rtsp://10.0.0.9/stream"}, "ffprobe"),
        ({"error_type": "SMTPRecipientsRefused", "error_message": "{}"}, "mail test"),
        ({"error_type": "gaierror", "error_message": "Name or service not known"}, "DNS"),
        ({"error_type": "ValueError", "error_message": "x", "category": "network"}, "ping"),
        ({"error_type": "ValueError", "error_message": "x"}, ""),
    ],
)
def test_the_usual_has_its_advice(changes, advised):
    found = advice_for(error(**changes))
    assert advised in found
    assert bool(found) == bool(advised)


@pytest.mark.parametrize(
    ("said", "advised"),
    [
        ("Recovery database for DatabaseError done: it was damaged (database disk image is malformed)", ""),
        ("Recovery camera:entrance for CameraError done: reopen: no picture from the camera", ""),
        ("mails cannot be sent: connection refused", "mail test"),
    ],
)
def test_what_error_handling_says_of_itself_has_advice_about_itself_alone(said, advised):
    own = error(
        error_type="ERROR", error_message=said, message=said, logger="visigate_logging.recovery", exceptions=()
    )
    found = advice_for(own)
    assert (advised in found, bool(found)) == (True, bool(advised))


def test_a_cause_speaks_as_well():
    cause = ExceptionData("OSError", "builtins", "[Errno 28] No space left on device", relation="cause", parent=0)
    chain = (ExceptionData("ValueError", "builtins", "x"), cause)
    assert "The card is full" in advice_for(error(error_type="ValueError", error_message="x", exceptions=chain))


def test_the_administrators_table_comes_first_by_type_and_category():
    own = read_advice({"CameraError": "Look at box 2", "gate": "Lift it by hand"})
    assert advice_for(error(), own) == "Look at box 2"
    assert advice_for(error(error_type="X", category="gate"), own) == "Lift it by hand"
    [rule] = read_advice([{"words": "Barrier", "types": ["X", "Y"], "advice": "Oil it"}])
    assert advice_for(error(error_type="Y", error_message="the barrier is stuck"), [rule]) == "Oil it"
    assert advice_for(error(error_message="the barrier is stuck"), [rule]) != "Oil it"


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("x", ""),
        ({"CameraError": ""}, "CameraError: "),
        ([{"advice": "x"}], "0: "),
        ([{"types": ["X"]}], "0.advice: "),
        ([{"type": "X", "advice": "x"}], "0.type: "),
        ([{"types": 5, "advice": "x"}], "0.types: "),
        (["x"], "0: "),
    ],
)
def test_a_table_that_cannot_be_is_refused_by_its_key(given, key):
    with pytest.raises(ConfigurationError, match=rf"^{key}"):
        read_advice(given)


def test_each_shipped_text_fits_a_phone():
    assert len(SHIPPED) > 10
    assert max(len(rule.text) for rule in SHIPPED) < 300


def test_facts_are_in_the_order_in_which_they_are_wanted():
    frames = (
        Frame("/lib/x.py", 1, "lib", "x", "pass", in_app=False),
        Frame("/app/camera.py", 7, "grab", "src.camera", "read()", in_app=True),
    )
    detail = error(
        message="Error in camera: does not answer",
        exceptions=(ExceptionData("CameraError", "m", "x", frames=frames),),
        service="gate-north",
    )
    facts = facts_of(detail, read_advice({"CameraError": "do it"}))
    assert [fact.label for fact in facts if fact.place is Place.FIRST] == ["Site", "Where", "To do"]
    told = {fact.label: fact.value for fact in facts}
    assert told["Log message"] == "Error in camera: does not answer"
    assert told["In the application"] == "/app/camera.py:7 in grab\n    read()"
    assert [fact.label for fact in facts if fact.place is Place.REST] == ["Traceback"]
    assert site(detail) == "gate-north"


def test_a_log_message_that_the_exception_says_already_is_not_repeated():
    assert "Log message" not in [fact.label for fact in facts_of(error(message="camera does not answer"))]


def test_the_headline_has_no_newline():
    assert headline(error(error_message="a\nb")) == "CameraError: a b"
    assert headline(error(error_type="ERROR", error_message="", message="just said")) == "just said"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (99, "99 s"), (300, "5 min"), (7200, "2 h"), (86_400, "24 h"), (3e5, "3 days")]
)
def test_spans_are_spoken(seconds, text):
    assert spoken(seconds) == text


@pytest.mark.parametrize(
    ("number", "seconds", "text"),
    [(94, 31, "about 3 a second"), (94, 1880, "about 3 a minute"), (3, 7200, "about 2 an hour"), (1, 1e6, "")],
)
def test_rates_are_in_a_unit_that_a_person_understands(number, seconds, text):
    assert rate(number, seconds) == text


def test_one_is_singular():
    assert [counted(n, "try", "tries") for n in (0, 1, 2, 1000)] == ["0 tries", "1 try", "2 tries", "1,000 tries"]
