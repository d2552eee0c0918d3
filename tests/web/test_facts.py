"""What is told of an error is laid out once: mails, pages and the command line have the same facts."""

import html

from tests.records import detail, write
from visigate_logging.cli import main
from visigate_logging.delivery.digest import Item, section
from visigate_logging.delivery.throttle import Incident
from visigate_logging.present.facts import Kind, Place, facts_of
from visigate_logging.web.sheet import ELSEWHERE


def test_what_is_told_of_an_error_is_the_same_in_mails_on_pages_and_on_the_command_line(
    make_client, tmp_path, capsys
):
    record = detail(
        1,
        handled=True,
        thread="grabber",
        pid=7,
        process="camera",
        release="1.4.2",
        category="hardware",
        message="no picture: the cable",
        machine={"unusual": ["the card is nearly full"]},
    )
    log = write(tmp_path / "details.jsonl", record)
    page = html.unescape(make_client(log).get(f"/errors/{record.event_id}").text)
    assert main(["show", "--log", str(log)]) == 0
    shown = capsys.readouterr().out
    mail = "\n".join(section(Item(Incident("g", "ERROR", 0.0, 0.0, "", "", ""), record)).lines())
    lines = [fact for fact in facts_of(record) if fact.kind is Kind.LINE]
    assert len(lines) >= 10
    for fact in lines:
        assert f"{fact.label.lower():>14}  {fact.value}\n" in shown
        assert (f"<dt>{fact.label}</dt>" in page) is (fact.label not in ELSEWHERE)
        assert f"{fact.label}: {fact.value}" in page  # in what can be copied as text
        assert (f"{fact.label}: {fact.value}" in mail) is (fact.place is not Place.RECORD)
