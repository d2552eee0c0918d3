"""Decisions about groups, made on the pages."""

import re
import threading
from urllib.parse import quote, unquote

import pytest
from flask import Flask

from tests.records import detail, write
from tests.web.conftest import NOW
from visigate_logging.store.store import ErrorStore
from visigate_logging.web import create_blueprint
from visigate_logging.web.decisions import done_in_words

ONE, TWO = "v1:0011223344556677", f"v1:{100:016x}"


def decide(client, action, *keys, back="/errors?", csrf=None, headers=None, **given):
    """Send the form of the list, as a browser would."""
    token = re.search('name="csrf" value="([0-9a-f]+)"', client.get("/errors").text)[1]
    form = {"action": action, "key": [quote(key) for key in keys], "csrf": csrf or token, "back": back} | given
    return client.post("/errors/decide", data=form, headers=headers or {})


def listed(client, state):
    page = client.get(f"/errors?period=30d&state={state}").text
    return set(map(unquote, re.findall('name="key" value="([^"]+)"', page)))


def test_several_groups_are_decided_about_at_once_and_the_page_says_so(client, log):
    answer = decide(client, "resolve", ONE, TWO, back="/errors?view=groups&period=30d&done=1-mute", note="new cable")
    assert (answer.status_code, answer.location) == (303, "/errors?view=groups&period=30d&done=2-resolve")
    assert "2 groups resolved." in client.get(answer.location).text
    assert (listed(client, "open"), listed(client, "resolved")) == (set(), {ONE, TWO})
    with ErrorStore(log) as store:
        (made,) = store.history(ONE)
    assert (made.action, made.who, made.note) == ("resolve", "an administrator", "new cable")


@pytest.mark.parametrize(
    ("mute", "worse", "ends"), [("worse", True, False), ("1d", False, True), ("ever", False, False)]
)
def test_a_group_is_muted_for_as_long_as_is_said_and_reopened(client, log, mute, worse, ends):
    decide(client, "mute", ONE, mute=mute)
    with ErrorStore(log) as store:
        made = store.history(ONE)[-1]
        assert (made.worse, bool(made.until), store.state(ONE).name) == (worse, ends, "muted")
        decide(client, "reopen", ONE)
        assert store.state(ONE).name == "open"


def test_groups_are_merged_and_split_again_and_the_group_page_tells_it(client):
    decide(client, "merge", ONE, into=TWO, back=f"/errors/groups/{ONE}?")
    assert listed(client, "all") == {TWO}
    assert "merged into" in client.get(f"/errors/groups/{TWO}").text
    decide(client, "unmerge", ONE)
    assert listed(client, "all") == {ONE, TWO}


def test_a_part_of_a_group_is_split_off_on_its_page_and_put_back(client):
    answer = decide(client, "split", ONE, where="process=camera", back=f"/errors/groups/{ONE}?")
    assert answer.location.endswith("done=1-split")
    (part,) = listed(client, "all") - {ONE, TWO}
    assert (
        "split by process=camera"
        in client.get(f"/errors/groups/{quote(part)}").text + client.get(answer.location).text
    )
    assert decide(client, "unsplit", part).status_code == 303
    assert listed(client, "all") == {ONE, TWO}
    assert decide(client, "split", ONE, where="nonsense").status_code == 409


def test_what_cannot_be_is_said(client):
    assert decide(client, "resolve").status_code == 400
    assert decide(client, "explode", ONE).status_code == 400
    answer = decide(client, "note", ONE, "v1:none", note="seen")
    assert answer.status_code == 409
    assert "1 group noted; " in answer.text
    assert "v1:none" in answer.text


@pytest.mark.parametrize(
    ("csrf", "headers"),
    [
        ("0" * 32, {}),
        ("-", {}),
        (None, {"Origin": "https://evil.example"}),
        (None, {"Sec-Fetch-Site": "cross-site"}),
    ],
)
def test_a_form_of_another_site_changes_nothing(client, csrf, headers):
    assert decide(client, "resolve", ONE, csrf=csrf, headers=headers).status_code == 403
    assert listed(client, "open") == {ONE, TWO}


@pytest.mark.parametrize(
    "back", ["https://evil.example/errors", "//evil.example/errors", "/logout", "javascript:x", ""]
)
def test_it_goes_back_to_pages_of_ours_only(client, back):
    assert decide(client, "note", ONE, back=back, note="x").location == "/errors?done=1-note"


def test_nobody_decides_who_is_no_administrator(log):
    app = Flask("host")
    store = ErrorStore(log)
    refuse = lambda view: lambda **_: ("no", 403)  # noqa: E731
    app.register_blueprint(create_blueprint(store, login_required=lambda view: view, admin_required=refuse))
    assert app.test_client().post("/errors/decide").status_code == 403
    store.close()


def test_two_administrators_at_once_lose_neither_s_decision(make_client, log):
    clients = [make_client(log, user=lambda name=name: name) for name in ("anna", "ben")]
    answers = []
    threads = [
        threading.Thread(
            target=lambda c=client, k=key: answers.extend(decide(c, "note", k, note="x") for _ in range(5))
        )
        for client, key in zip(clients, (ONE, ONE), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with ErrorStore(log) as store:
        made = store.history(ONE)
    assert [answer.status_code for answer in answers] == [303] * 10
    assert sorted(decision.who for decision in made) == ["anna"] * 5 + ["ben"] * 5


@pytest.mark.parametrize("given", ["", "x", "3", "-resolve", "3-explode", "99999-mute", "<b>-note"])
def test_an_address_makes_a_page_say_nothing_else(given):
    assert done_in_words(given) == ""


def test_a_page_that_nothing_has_changed_on_is_not_sent_again(client, log):
    first = client.get("/errors?period=30d")
    again = {"If-None-Match": first.headers["ETag"]}
    assert client.get("/errors?period=30d", headers=again).status_code == 304
    assert client.get("/errors?period=7d", headers=again).status_code == 200
    decide(client, "note", ONE, note="x")
    assert client.get("/errors?period=30d", headers=again).status_code == 200
    again = {"If-None-Match": client.get("/errors?period=30d").headers["ETag"]}
    write(log, detail(50, NOW))
    assert client.get("/errors?period=30d", headers=again).status_code == 200


def test_the_list_is_a_file_for_spreadsheets_too(client):
    answer = client.get("/errors/csv?period=30d&type=ConnectionRefusedError")
    assert answer.mimetype == "text/csv"
    assert answer.text.count("ConnectionRefusedError") >= 4
    assert len(answer.text.splitlines()) >= 5
    assert "two cameras" not in answer.text
