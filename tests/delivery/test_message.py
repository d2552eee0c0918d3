"""What a mail looks like."""

# ruff: noqa: RUF001 -- subjects have a dash and a multiplication sign

import email
import email.policy
import html.parser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.delivery.conftest import error
from visigate_logging.delivery.digest import Digest, Item, together
from visigate_logging.delivery.mail import MailTemplate, compose, subject_of, trial_message
from visigate_logging.delivery.throttle import Incident
from visigate_logging.detail.record import ExceptionData, Frame
from visigate_logging.host import Sheet

SHEET = Sheet(accepted=100, delivered=2, folded=90, dropped={"outbox full": 3}, pending=5)


def item(n=1, at_rest=False, detail=None, **group):
    detail = detail or error()
    values = {
        "since": 100.0,
        "seen": 160.0,
        "first_time": "2026-03-01T12:00:00.000000Z",
        "last_time": "2026-03-01T12:01:00.000000Z",
        "began": "2026-03-01T11:00:00.000000Z",
    }
    return Item(Incident(detail.fingerprint, detail.severity, untold=n, **(values | group)), detail, at_rest)


def mail(*items, held_back=0.0, url=None, subject="VisiGate"):
    template = MailTemplate("gate@example.org", ("a@example.org", "b@example.org"), subject, url)
    content = compose(Digest(items, SHEET, held_back), "1-abc", template)
    return email.message_from_bytes(content, policy=email.policy.default)


def text(message):
    return message.get_body(("plain",)).get_content()


def page(message):
    return message.get_body(("html",)).get_content()


@pytest.mark.parametrize(
    ("items", "subject"),
    [
        ([item()], "[gate] CRITICAL CameraError: camera does not answer – src.camera"),
        ([item(1234)], "[gate] CRITICAL CameraError: camera does not answer (1,234×) – src.camera"),
        ([item()] * 4, "[gate] CRITICAL CameraError: camera does not answer – src.camera and 3 more"),
        ([item(5), item()], "[gate] CRITICAL CameraError: camera does not answer (5×) – src.camera and 1 more"),
        (
            [item(0, at_rest=True, told=3, told_at=1.0, detail=error(severity="ERROR", culprit="camera in grab"))],
            "[gate] CameraError: camera does not answer (quiet) – camera in grab",
        ),
        (
            [item(detail=error(service="gate-north", severity="ERROR", error_message="a\nb", module=""))],
            "[gate-north] CameraError: a b",
        ),
        (
            [item(94, detail=error(severity="ERROR", error_message="x" * 500, culprit="y" * 500))],
            f"[gate] CameraError: {'x' * 18}…{'x' * 20} (94×) – {'y' * 51}…",
        ),
    ],
)
def test_the_subject_names_the_worst_group_its_count_and_how_many_more(items, subject):
    assert subject_of(Digest(tuple(items), SHEET)) == subject
    assert len(subject) <= 120
    assert mail(*items)["Subject"] == subject_of(Digest(tuple(items), SHEET), "VisiGate")


def test_the_headers_let_programs_know_what_it_is():
    message = mail(item())
    assert message["From"] == "gate@example.org"
    assert message["To"] == "a@example.org, b@example.org"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].startswith("<1-abc@")
    assert message["Date"].datetime.tzinfo is not None
    assert message["Importance"] == "high"
    assert message["In-Reply-To"] is None


def test_only_critical_news_is_important():
    assert mail(item(detail=error(severity="ERROR")))["Importance"] is None
    assert mail(item(0, at_rest=True, told=1, told_at=1.0))["Importance"] is None


def references(message):
    return message["References"].split()


def test_mails_of_a_group_are_in_its_thread_also_those_of_later_incidents():
    first, later, other = mail(item()), mail(item(thread="<first@gate>")), mail(item(detail=error("v1:other")))
    assert later["In-Reply-To"] == "<first@gate>"
    assert references(later) == [*references(first), "<first@gate>"]
    assert references(other) != references(first)


def test_a_mail_of_several_groups_is_in_the_thread_of_each_and_the_worst_is_its_parent():
    """The parent is the last in References, and the first in In-Reply-To."""
    names = ["v1:a", "v1:b", "v1:c", "v1:d"]
    [a], [b], [c], [d] = (references(mail(item(detail=error(name)))) for name in names)
    threads = ["<first@gate>", "<second@gate>", "", "<second@gate>"]
    items = [item(detail=error(name), thread=thread) for name, thread in zip(names, threads, strict=True)]
    digest = mail(*items)
    assert references(digest) == [d, "<second@gate>", c, b, a, "<first@gate>"]
    assert digest["In-Reply-To"].split() == ["<first@gate>", "<second@gate>"]


def test_a_mail_of_very_many_groups_is_in_the_threads_of_those_that_it_shows_in_full():
    digest = mail(*(item(detail=error(f"v1:{n}"), thread=f"<{n}@{'gate' * 15}>") for n in range(100)))
    assert len(references(digest)) == 20
    assert len(digest["In-Reply-To"].split()) == 10
    assert references(digest)[-1].startswith("<0@")
    as_sent = digest.as_bytes(policy=email.policy.default.clone(refold_source="none"))
    assert max(map(len, as_sent.splitlines())) <= 998  # RFC 5322, 2.1.1


def test_the_text_says_what_where_how_often_since_when_and_on_which_host():
    frame = Frame("/app/src/camera.py", 42, "grab", "src.camera", "frame = self.read()", in_app=True)
    chain = (
        ExceptionData("CameraError", "src.errors", "camera does not answer", frames=(frame,)),
        ExceptionData("TimeoutError", "builtins", "5 s", relation="cause", parent=0),
    )
    detail = error(
        exceptions=chain,
        file="/app/src/camera.py",
        line=42,
        process="camera",
        pid=77,
        thread="MainThread",
        service="gate-2",
        release="1.4",
        additional_info={"camera": "front", "tries": 3},
        event_id="0123abcd",
    )
    message = mail(item(61, detail=detail, told=4, told_at=100.0), url="https://gate.example/errors")
    for shown in (text(message), page(message)):
        for part in (
            "CRITICAL",
            "camera does not answer",
            "It goes on: 61 more errors (about 1 a second), 65 in all.",
            "2026-03-01",
            "/app/src/camera.py:42 in grab: frame = self.read()",
            "gate-2 on gate",
            "1.4",
            "camera (77), thread MainThread",
            "TimeoutError: 5 s",
            "Traceback (most recent call last):",
            "camera: front",
            "tries: 3",
            "visigate-errors show 0123abcd",
            "https://gate.example/errors/0123abcd",
            "100 = told 2 + folded into counts 90 + dropped 3 outbox full + pending 5",
        ):
            assert part in shown, part
    lines = [line.partition(":")[0] for line in text(message).splitlines()]
    first = ["Site", "Link", "Where", "Since", "Last", "Command"]
    assert [label for label in lines if label in first] == first


def test_a_link_may_have_the_id_in_its_middle():
    message = mail(item(detail=error(event_id="ab12")), url="https://gate.example/{event_id}/view")
    assert "https://gate.example/ab12/view" in text(message)


def test_the_end_of_an_incident_says_since_when_it_is_quiet():
    shown = text(mail(item(0, at_rest=True, told=7, told_at=1.0)))
    assert "Quiet since 2026-03-01" in shown
    assert ": 7 errors in all." in shown
    assert "Traceback" not in shown


def test_a_group_that_came_back_says_since_when_it_had_been_quiet():
    assert "again after it was quiet since 2026-03-01" in text(mail(item(rested_since="2026-03-01T08:00:00Z")))


def test_a_mail_that_was_held_back_says_so():
    assert "held back for 10 min" in text(mail(item(), held_back=600))
    assert "held back for 10 min" in page(mail(item(), held_back=600))


def test_of_many_groups_the_worst_are_shown_in_full_and_all_are_listed():
    items = [item(n + 1, detail=error(f"v1:{n}", error_message=f"camera {n} away")) for n in range(40)]
    shown = text(mail(*items))
    assert shown.count("Traceback (most recent call last)") == 10
    assert "And 30 more:" in shown
    assert all(f"camera {n} away" in shown for n in range(40))


def test_a_long_traceback_is_cut_in_the_middle_and_says_so():
    shown = text(mail(item(detail=error(traceback="begin " + "x" * 100_000 + " end"))))
    assert "characters left out" in shown
    assert "begin" in shown
    assert " end" in shown
    assert len(shown) < 20_000


def test_html_in_an_error_stays_text():
    shown = page(mail(item(detail=error(error_message="<script>alert(1)</script>", additional_info={"<i>": "<b>"}))))
    assert "<script>" not in shown
    assert "<i>" not in shown
    assert "&lt;script&gt;" in shown


HOSTILE = st.text(st.one_of(st.characters(), st.sampled_from("\r\n\x00\u2028\u202e\ud800<>&\"'")), max_size=60)


class Tags(html.parser.HTMLParser):
    """Collects the tags of a page."""

    def __init__(self):
        super().__init__()
        self.tags = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_no_text_breaks_a_mail(a, b, c):
    detail = error(error_type=a, module=b, error_message=c, traceback=a + b, additional_info={"k": c}, host=b)
    message = mail(item(detail=detail), url="https://x/" + c)
    assert len(message.keys()) == len(set(message.keys()))
    assert "\n" not in message["Subject"]
    assert set(message.keys()) == set(mail(item()).keys())
    tags = Tags()
    tags.feed(page(message))
    assert tags.tags <= {
        *(
            "html",
            "head",
            "meta",
            "style",
            "body",
            "h2",
            "span",
            "p",
            "b",
            "div",
            "pre",
            "code",
            "hr",
            "ul",
            "li",
            "a",
        ),
        *("details", "summary"),
    }


def test_a_test_mail_says_that_it_is_one():
    message = email.message_from_bytes(
        trial_message(MailTemplate("gate@example.org", ("a@example.org",), "VisiGate Error")),
        policy=email.policy.default,
    )
    assert "a test of mails" in message["Subject"]
    assert message["Auto-Submitted"] == "auto-generated"


def test_groups_whose_errors_came_within_seconds_are_told_with_one_another():
    names = {"v1:a": 100.0, "v1:b": 104.0, "v1:c": 109.5}
    items = [item(detail=error(name, error_message=name), since=since) for name, since in names.items()]
    quiet = item(0, at_rest=True, told=1, told_at=1.0, since=100.0, detail=error("v1:d", error_message="quiet"))
    told = [one.beside for one in together([*items, quiet])]
    assert told == [("CameraError: v1:b",), ("CameraError: v1:a",), (), ()]
    assert "With: CameraError: v1:b" in text(mail(*together(items))).splitlines()
