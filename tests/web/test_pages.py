"""The pages: what they show of a log."""

import html
import json
import os
import re
import shutil
from datetime import UTC, timedelta

import pytest
from flask import Flask, render_template_string

from tests.delivery.conftest import entry, error
from tests.records import detail, write
from tests.web.conftest import NOW, ago, chained
from visigate_logging.delivery.incidents import Incidents
from visigate_logging.delivery.tables import SCHEMA
from visigate_logging.delivery.throttle import Windows
from visigate_logging.detail.frames import ExceptionData, Frame
from visigate_logging.host import State
from visigate_logging.store.store import ErrorStore
from visigate_logging.web import create_blueprint, messages_of


def text_of(response):
    """What a person reads on a page, white space as one blank."""
    body = re.sub(r"<(title|style)\b.*?</\1>", " ", response.text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_the_list_shows_each_group_with_its_count_its_place_and_its_times(client):
    text = text_of(client.get("/errors"))
    for expected in (
        "ConnectionRefusedError : [Errno 111] Connection refused",
        "gate.camera in grab",
        "first 12 d ago",
        "25 h ago",
        "3 in 7 days",
        "ExceptionGroup : two cameras",
    ):
        assert expected in text


def test_groups_are_listed_latest_first_and_those_not_seen_in_the_period_not_at_all(client):
    week = client.get("/errors").text
    assert week.index("two cameras") < week.index("Errno 111")
    assert "Errno 111" not in client.get("/errors?period=24h").text


def test_single_errors_are_a_view_of_their_own(client):
    text = client.get("/errors?view=errors&period=30d").text
    assert text.count("ConnectionRefusedError</b>") == 4
    assert detail(2, NOW - timedelta(days=3)).event_id in text


@pytest.mark.parametrize(
    ("address", "count"),
    [
        ("type=ConnectionRefusedError", 4),
        ("module=nowhere", 0),
        ("category=camera&severity=ERROR", 5),
        ("host=gate-1", 5),
        ("host=gate-2", 0),
        ("text=CABLE", 0),
        ("text=two+cameras", 1),
        ("since={27}", 3),
        ("since={480}&until={48}", 2),
    ],
)
def test_filters_live_in_the_address(client, address, count):
    address = re.sub(r"{(\d+)}", lambda hours: f"{NOW - timedelta(hours=int(hours[1])):%Y-%m-%dT%H:%MZ}", address)
    rows = re.findall(r'<li class="\w+"><div', client.get(f"/errors?view=errors&period=30d&{address}").text)
    assert len(rows) == count


def test_the_totals_count_what_the_filters_let_through(client):
    assert "5 errors" in text_of(client.get("/errors?period=30d"))
    assert "1 error" in text_of(client.get("/errors?period=30d&type=ExceptionGroup"))


def test_a_filter_that_is_set_stays_in_the_form_and_in_the_links(client):
    page = client.get("/errors?type=ExceptionGroup&host=gate-1").text
    assert '<option value="ExceptionGroup" selected>' in page
    assert "view=errors&amp;type=ExceptionGroup&amp;host=gate-1" in page


@pytest.mark.parametrize(
    "address", ["view=x", "period=x", "since=yesterday", "cursor=x", "cursor=1-zz", "until=0001-01-01"]
)
def test_a_value_that_cannot_be_is_refused_by_name(client, address):
    response = client.get(f"/errors?{address}")
    assert response.status_code == 400
    assert address.split("=")[0] in response.text


@pytest.mark.parametrize("view", ["errors", "groups"])
def test_paging_shows_everything_once_fifty_a_page(tmp_path, make_client, view):
    records = [detail(n, NOW - timedelta(minutes=n + 1), fingerprint=f"v1:{n:016x}") for n in range(120)]
    client = make_client(write(tmp_path / "details.jsonl", *records))
    seen, address = [], f"/errors?view={view}"
    for expected in (50, 50, 20):
        page = client.get(address).text
        found = re.findall(r'<li class="error"><div><a href="([^"]+)"', page)
        assert len(found) == expected
        seen += found
        older = re.search(r'rel="next" href="([^"]+)"', page)
        address = html.unescape(older[1]) if older else ""
    assert address == ""
    assert len(set(seen)) == 120


def test_a_group_first_seen_today_is_marked_new_and_one_that_grows_rising(tmp_path, make_client):
    grows = [
        detail(day * 100 + n, NOW - timedelta(days=day, minutes=n))
        for day in range(1, 15)
        for n in range(30 - 2 * day)
    ]
    client = make_client(write(tmp_path / "details.jsonl", *grows, ago(1, minutes=1), chained()))
    marks = dict(
        re.findall(r"<b>(\w+)</b>.*?</span>((?: <mark.*?</mark>)*)</p>", client.get("/errors").text, re.DOTALL)
    )
    assert ">new<" in marks["ExceptionGroup"]
    assert ">rising<" in marks["ConnectionRefusedError"]
    assert ">new<" not in marks["ConnectionRefusedError"]


def test_a_group_that_came_in_a_burst_within_a_day_is_marked_so(tmp_path, make_client):
    log = write(tmp_path / "details.jsonl", *[ago(n, minutes=90 + n / 10) for n in range(20)], ago(99, days=9))
    assert '<mark class="burst">' in make_client(log).get("/errors").text
    with ErrorStore(log, tz=UTC) as store:
        (group,) = store.groups(1)
        assert store.bursting([group.key, "v3:none"], NOW - timedelta(days=1)) == {group.key}
        assert store.bursting([group.key], NOW) == set()
        assert store.bursting([], NOW - timedelta(days=1)) == set()


def test_groups_that_come_with_one_another_are_shown_as_one_incident(tmp_path, make_client):
    times = [timedelta(minutes=20 * n + 5) for n in range(12)]
    kinds = {"CameraError": 0, "UplinkError": 3, "Elsewhere": 90}
    records = [
        detail(100 * i + n, NOW - at + timedelta(seconds=after), error_type=kind, fingerprint=f"v3:{i}")
        for i, (kind, after) in enumerate(kinds.items())
        for n, at in enumerate(times)
    ]
    client = make_client(write(tmp_path / "details.jsonl", *records))
    rows = re.findall(r'<li class="error( with)?"><div>(with )?<a [^>]*><b>(\w+)', client.get("/errors").text)
    assert rows == [("", "", "Elsewhere"), ("", "", "UplinkError"), (" with", "with ", "CameraError")]
    rows = re.findall(r'<li class="error( with)?">', client.get("/errors?sort=count").text)
    assert rows == ["", "", ""]


def test_a_group_whose_latest_error_was_mended_is_marked_recovered(log, make_client):
    outcome = {"event": "outcome", "procedure": "restart_camera", "status": "done", "message": "pictures again"}
    tried = {chained().event_id: [{"event": "decision", "action": "run"}, outcome]}
    client = make_client(log, recoveries=lambda event_id: tried.get(event_id, ()))
    assert client.get("/errors").text.count(">recovered<") == 1
    text = text_of(client.get(f"/errors/{chained().event_id}"))
    assert "restart_camera: outcome · done pictures again" in text


@pytest.mark.parametrize(("minutes", "marks"), [(4, 1), (6, 0)])
def test_a_group_is_recovered_when_none_has_come_since_one_of_its_errors_was_mended(
    tmp_path, make_client, minutes, marks
):
    storm = [ago(n, minutes=10 - n) for n in range(6)]
    when = (NOW - timedelta(minutes=minutes)).isoformat()
    outcome = {"event": "outcome", "status": "done", "event_id": storm[0].event_id, "timestamp": when}
    gone = outcome | {"event_id": chained().event_id}
    trail = {None: [gone, outcome, gone], storm[0].event_id: [outcome]}
    client = make_client(
        write(tmp_path / "details.jsonl", *storm), recoveries=lambda event_id: trail.get(event_id, ())
    )
    assert client.get("/errors").text.count(">recovered<") == marks
    assert len(client.get("/errors/summary").json["worst"]) == 1 - marks


def test_the_page_of_a_group_tells_its_recoveries_and_how_far_people_were_told(log, make_client, tmp_path):
    key, told = chained().fingerprint, Incidents(State(tmp_path, SCHEMA), "mail", Windows())
    told.book(lambda cursor: ([entry(error(key), 3)], {**cursor, "x": 1}))
    outcome = {"event": "outcome", "procedure": "restart_camera", "status": "failed", "message": "still dark"}
    mine, others = (
        outcome | {"event_id": r.event_id, "timestamp": NOW.isoformat()} for r in (chained(), ago(4, hours=25))
    )
    other = others | {"procedure": "another"}
    client = make_client(
        log, recoveries=lambda event_id: [] if event_id else [mine, other], messages=messages_of(tmp_path)
    )
    text = text_of(client.get(f"/errors/groups/{key}"))
    assert re.search(r"mail has told of 0 errors of the incident that began .*; 3 to be told", text)
    assert "restart_camera : failed still dark" in text or "restart_camera: failed still dark" in text
    assert "another" not in text
    assert messages_of(tmp_path / "absent")(key) == []


def test_what_is_not_well_stands_on_top(tmp_path, make_client, monkeypatch):
    log = write(tmp_path / "details.jsonl", ago(1, hours=1), b"torn\n")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(32_000_000_000, 0, 640_000_000))
    client = make_client(log, health=lambda: [("error", "12 mails were not delivered")])
    text = text_of(client.get("/errors"))
    assert "12 mails were not delivered" in text
    assert "1 unreadable place in the log, the last in details.jsonl at byte" in text
    assert "the disk is 98% full: 640 MB free of 32 GB" in text


def test_the_detail_tells_an_error_from_its_message_to_its_additional_information(client):
    text = text_of(client.get(f"/errors/{detail(2, NOW - timedelta(days=3)).event_id}"))
    for expected in (
        "ConnectionRefusedError [Errno 111] Connection refused gate.camera in grab",
        "3 d ago",
        "Site gate-1",
        "Process camera (4711)",
        "Log message camera does not answer",
        "1 library frame, down to socket in create_connection",
        "gate/camera.py:42 in grab culprit frame = source.read()",
        "camera north",
    ):
        assert expected in text


def test_a_chain_is_told_as_it_happened_and_a_group_as_a_tree(client):
    page = client.get(f"/errors/{chained().event_id}").text
    told = re.findall(r'<li class="(d\d)">(?:<p class="lead">(.*?)</p>)?\s*<h3>(?:<small>.*?</small>)?(\w+)', page)
    assert told == [
        ("d0", "", "RootCause"),
        ("d0", "was the direct cause of", "ExceptionGroup"),
        ("d1", "member 1 of 2", "NorthError"),
        ("d1", "member 2 of 2", "SouthCause"),
        ("d1", "while it was being handled, there came", "SouthError"),
    ]
    assert "look at it" in page


def test_the_culprit_shows_five_lines_of_source_while_the_file_is_as_it_was(tmp_path, make_client):
    source = tmp_path / "barrier.py"
    source.write_text('a = 1\nb = 2\npassword = "geheim"\nraise_barrier()\nd = 4\ne = 5\nf = 6\n')
    frame = chained().exceptions[0].frames[0]
    frame = type(frame)(str(source), 4, "lift", "barrier", "raise_barrier()", True)
    exception = type(chained().exceptions[0])("E", "builtins", "stuck", frames=(frame,))
    os.utime(source, (NOW.timestamp() - 60,) * 2)
    record = detail(7, NOW, exceptions=(exception,), file=str(source), line=4)
    client = make_client(write(tmp_path / "details.jsonl", record))
    page = client.get(f"/errors/{record.event_id}").text
    assert [int(n) for n in re.findall(r"<i>(\d+)</i>", page)] == [2, 3, 4, 5, 6]
    assert "geheim" not in page
    os.utime(source, (NOW.timestamp() + 60,) * 2)
    assert "<i>" not in client.get(f"/errors/{record.event_id}").text
    source.write_text("something else\n" * 9)
    os.utime(source, (NOW.timestamp() - 60,) * 2)
    assert "<i>" not in client.get(f"/errors/{record.event_id}").text


def test_previous_and_next_lead_through_the_group(client):
    middle = detail(2, NOW - timedelta(days=3)).event_id
    page = client.get(f"/errors/{middle}").text
    assert f'/errors/{detail(1, NOW - timedelta(days=12)).event_id}" rel="prev"' in page
    assert f'/errors/{detail(3, NOW - timedelta(hours=26)).event_id}" rel="next"' in page


def test_the_json_download_is_the_record(client):
    response = client.get(f"/errors/{chained().event_id}/json")
    assert response.json == json.loads(chained().to_json())
    assert response.headers["Content-Disposition"].startswith("attachment")


def test_a_group_shows_why_what_differs_and_its_errors(client):
    text = text_of(client.get(f"/errors/groups/{ago(1, days=1).fingerprint}"))
    for expected in ("In all 4", "What differs", "additional_info.attempt", "12 d ago"):
        assert expected in text


def test_an_old_link_finds_its_imported_record(tmp_path, make_client):
    from visigate_logging.migrate.legacy import import_files

    log, name = write(tmp_path / "details.jsonl", ago(1, hours=1)), "error_20250412_081500_CameraError.json"
    old = tmp_path / name
    old.write_text(
        json.dumps({"timestamp": "2025-04-12T08:15:00", "error_type": "CameraError", "error_message": "dark"})
    )
    assert dict(import_files(log, [old])) == {old: "imported"}
    client = make_client(log)
    response = client.get(f"/errors/{name}", follow_redirects=True)
    assert response.status_code == 200
    assert "dark" in response.text
    assert client.get("/errors/error_20250412_081501_CameraError.json").status_code == 404


def test_the_summary_tells_today_the_worst_groups_the_trend_and_health(log, client):
    summary = client.get("/errors/summary").json
    assert summary["today"] == sum(summary["severities"].values())
    assert summary["worst"][0]["title"] == "ExceptionGroup: two cameras"
    assert summary["worst"][0]["url"] == f"/errors/groups/{chained().fingerprint}"
    assert summary["trend"] == ErrorStore(log, tz=UTC).trends()["total"]["trend"]
    assert summary["healthy"] is True


def test_a_page_of_the_host_can_include_the_summary(log, client):
    app = client.application
    app.add_url_rule(
        "/status", "status", lambda: render_template_string('{% include "visigate_errors/summary.html" %}')
    )
    assert "ExceptionGroup: two cameras" in client.get("/status").text


def test_the_pages_extend_the_layout_that_the_host_names(log, tmp_path):
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "gate.html").write_text(
        "<title>{% block title %}{% endblock %}</title>GATE {% block content %}{% endblock %}"
    )
    app = Flask("host", template_folder=str(templates))
    app.register_blueprint(create_blueprint(ErrorStore(log), unprotected=True, layout="gate.html"))
    page = app.test_client().get("/errors").text
    assert "GATE" in page
    assert "two cameras" in page


def test_a_log_that_vanishes_is_no_health(client, log):
    assert client.get("/errors/summary").json["healthy"] is True
    log.rename(log.with_name("elsewhere"))
    assert "No such file or directory" in client.get("/errors").text
    assert client.get("/errors/summary").json["healthy"] is False


def test_a_log_that_is_not_there_is_said_on_the_page(tmp_path, make_client):
    response = make_client(tmp_path / "nowhere" / "details.jsonl").get("/errors")
    assert response.status_code == 503
    assert "nowhere" in response.text


def test_an_empty_log_is_a_page_too(tmp_path, make_client):
    client = make_client(write(tmp_path / "details.jsonl"))
    for address in ("/errors", "/errors?view=errors", "/errors/summary"):
        assert client.get(address).status_code == 200


def test_a_list_of_long_errors_stays_below_sixty_kilobytes(tmp_path, make_client):
    records = [
        detail(
            n * 40 + day,
            NOW - timedelta(days=day, minutes=n),
            error_message="long " * 200,
            fingerprint=f"v1:{n:016x}",
        )
        for n in range(60)
        for day in range(29)
    ]
    client = make_client(write(tmp_path / "details.jsonl", *records))
    for address in ("/errors?period=30d", "/errors?view=errors"):
        assert len(client.get(address).data) < 60_000


@pytest.mark.parametrize(("unusual", "level", "is_open"), [(["memory 97 %"], "ERROR", True), ([], "INFO", False)])
def test_what_stood_around_an_error_is_folded_unless_it_is_unusual(tmp_path, make_client, unusual, level, is_open):
    frame = Frame(
        "a.py", 4, "lift", "barrier", "lift()", in_app=True, values={"url": "<rtsp>", "left": None, "frames": {}}
    )
    record = detail(
        7,
        NOW,
        exceptions=(ExceptionData("E", "builtins", "stuck", frames=(frame,)),),
        breadcrumbs=({"age": 2.0, "level": level, "logger": "gate", "message": "opened <b>", "own": True},),
        machine={"unusual": unusual, "age": 1.0, "temperature": 51.5},
        file="a.py",
        line=4,
    )
    page = make_client(write(tmp_path / "details.jsonl", record)).get(f"/errors/{record.event_id}").text
    for heading in ("Just before", "Machine"):
        assert (f"<h2>{heading}</h2><details open>" in page) is is_open
    assert "<dt>left</dt><dd>None</dd>" in page  # what is empty may be what is wrong
    assert "<dt>frames</dt><dd>{}</dd>" in page
    assert page.index("gate: opened &lt;b&gt;") < page.index("&lt;rtsp&gt;") < page.index("51.5 °C")
    assert ("<dt>Unusual</dt>" in page) is is_open
