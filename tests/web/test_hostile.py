"""Hostile records show as text, and hostile addresses never trouble the server."""

import html
import re
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

import orjson
import pytest
from flask import render_template
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import visigate_logging.web
from tests.records import NOON, detail, uuid7, write
from tests.web.conftest import NOW, chained
from visigate_logging.detail.record import ExceptionData, Frame

ATTACKS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}${7*7}",
    "]]><!--",
    "a\x00b\x1b[2Jc\x7f",
    "invoice\u202egpj.exe\u2066",
    "../../../etc/passwd",
    "</title></textarea></pre><svg/onload=alert(1)>",
)
MISLEADING = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)  # making an example small takes minutes here
TEMPLATES = Path(visigate_logging.web.__file__).parent / "templates"
TAGS = {tag for path in TEMPLATES.rglob("*.html") for tag in re.findall(r"<(\w+)", path.read_text())}


class Strict(HTMLParser):
    """Fails at any element or attribute that our own templates do not make."""

    def handle_starttag(self, tag, attrs):
        assert tag in TAGS, tag
        for name, value in attrs:
            assert not name.startswith("on"), name
            assert name not in {"style", "srcdoc", "formaction"}
            if name in {"href", "src", "action"}:
                assert value.startswith("/errors"), value


def check(page):
    """No element, attribute, control character or change of direction came from a record."""
    assert not MISLEADING.search(page.replace("\r\n", "\n"))
    Strict(convert_charrefs=True).feed(page)
    assert page.count("<script") == 1


def hostile(attack, **fields):
    """A record with the attack in every text, however deep."""
    frame = Frame(attack, 1, attack, attack, attack, True)
    library = Frame(attack, 2, attack, attack, attack, False)
    exceptions = tuple(
        ExceptionData(
            attack, attack, attack, notes=(attack,), relation=relation, parent=parent, frames=(frame, library)
        )
        for relation, parent in ((None, None), ("cause", 0), ("member", 0))
    )
    apart = {"timestamp", "event_id", "additional_info", "grouping", "exceptions", "line", "pid", "monotonic"}
    names = [name for name in vars(detail()) if name not in apart]
    texts = dict.fromkeys(names, attack)
    info = {"additional_info": {attack: attack, "deep": [{attack: [attack]}]}, "grouping": {attack: [attack]}}
    return detail(1, NOW, **(texts | info | {"exceptions": exceptions, "line": 1} | fields))


def pages_of(client, record):
    """Every page that shows a record."""
    for address in (
        "/errors",
        "/errors?view=errors",
        f"/errors/{record.event_id}",
        f"/errors/{record.event_id}/json",
    ):
        response = client.get(address)
        assert response.status_code == 200, response.text
        if not address.endswith("json"):
            yield response.text
    group = re.search(r'<li class="\w+"><div><a href="([^"]+)"', client.get("/errors").text)
    response = client.get(html.unescape(group[1]))
    assert response.status_code == 200, group[1]
    yield response.text


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_a_record_says_is_text_and_nothing_else(tmp_path, make_client, attack):
    record = hostile(attack)
    attempt = dict.fromkeys(("timestamp", "event", "procedure", "step", "status", "message"), attack)
    client = make_client(
        write(tmp_path / "details.jsonl", record),
        health=lambda: [(attack, attack)],
        recoveries=lambda _: [attempt],
    )
    for page in pages_of(client, record):
        check(page)
    assert client.get("/errors/summary").status_code == 200
    with client.application.test_request_context():
        assert not MISLEADING.search(render_template("visigate_errors/summary.html"))


@pytest.mark.parametrize(
    "name", ["invoice\u202egpj.exe\u2066", "a\x00b\x1b[2Jc\x7f", "two\nlines", "endpoint", "self"]
)
def test_a_facet_whose_name_no_address_can_ask_for_is_none_of_the_filters(tmp_path, make_client, name):
    record = orjson.loads(hostile("<b>").to_json()) | {"facets": {name: "north", "camera": "north"}}
    client = make_client(write(tmp_path / "details.jsonl", orjson.dumps(record) + b"\n"))
    for view in ("groups", "errors"):
        for asked in ({}, {name: "north"}, {"camera": "north"}):
            page = client.get("/errors", query_string={"view": view} | asked).text
            check(page)
            assert '<select name="camera">' in page
            assert f'name="{name}"' not in page
            assert html.escape(record["error_type"]) in page
    check(client.get(f"/errors/groups/{record['fingerprint']}").text)


@pytest.mark.parametrize(
    "name",
    ["view", "period", "text", "since", "until", "cursor", "sort", "state", "new", "q", "limit", "days", "order"],
)
def test_a_facet_named_as_what_an_address_has_already_leaves_the_address_its_own(tmp_path, make_client, name):
    record = detail(1, NOW).to_dict() | {"facets": {name: "north"}}
    client = make_client(write(tmp_path / "details.jsonl", orjson.dumps(record) + b"\n"))
    own = {"view": "errors", "period": "30d", "text": record["message"][:5], "since": "2026-01-01", "sort": "count"}
    for asked in (own | {"view": "groups"}, own, {"limit": "north", "days": "north", "order": "north"}):
        page = client.get("/errors", query_string=asked)
        assert page.status_code == 200, name
        assert record["error_type"] in page.text
    assert client.get("/errors/csv", query_string=own).status_code == 200


@settings(
    max_examples=25, deadline=None, phases=UNSHRUNK, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            [name for name in detail().__dict__ if name not in {"timestamp", "event_id"}],
            st.recursive(
                st.none()
                | st.booleans()
                | st.integers(-(2**63), 2**63 - 1)
                | st.floats(allow_nan=False)
                | st.text(st.characters(codec="utf-8"), max_size=40)
                | st.sampled_from(ATTACKS),
                lambda inner: (
                    st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(ATTACKS), inner, max_size=3)
                ),
                max_leaves=6,
            ),
        ),
    )
)
def test_any_value_in_any_field_gives_a_page(tmp_path_factory, make_client, fields):
    record = orjson.loads(hostile("<b>").to_json()) | fields
    if not isinstance(record["error_type"], str):
        record["error_type"] = "Error"
    log = tmp_path_factory.mktemp("fuzz") / "details.jsonl"
    client = make_client(write(log, orjson.dumps(record) + b"\n"))
    for address in ("/errors", "/errors?view=errors", "/errors/summary", f"/errors/{record['event_id']}"):
        response = client.get(address)
        assert response.status_code in {200, 404}, response.text
        if not address.endswith("summary"):
            check(response.text)


def test_a_chain_that_leads_nowhere_shows_each_exception_once(tmp_path, make_client):
    records = [
        chained(number, exceptions=tuple(ExceptionData(f"E{n}", "m", "x", relation=r, parent=p) for n in range(3)))
        for number, (p, r) in enumerate(
            product([-1, 0, 1, 2, 99, "x", None, 1.5, True, [0]], ["cause", "member", "context", None, 7, "<b>", []])
        )
    ]
    client = make_client(write(tmp_path / "details.jsonl", *records))
    for record in records:
        page = client.get(f"/errors/{record.event_id}").text
        assert sorted(re.findall(r"</small>(E\d)</h3>", page)) == ["E0", "E1", "E2"], record.exceptions


def test_a_megabyte_of_message_is_cut_and_said_to_be(tmp_path, make_client):
    record = detail(1, NOW, error_message="x" * 1_000_000, message="y" * 1_000_000)
    client = make_client(write(tmp_path / "details.jsonl", record))
    page = client.get(f"/errors/{record.event_id}")
    assert "and 980\u202f000 characters more" in page.text
    assert len(page.data) < 300_000
    assert len(client.get("/errors?view=errors").data) < 20_000
    assert len(client.get(f"/errors/{record.event_id}/json").data) > 2_000_000


def test_a_thousand_frames_in_a_chain_of_two_hundred_are_shown(tmp_path, make_client):
    frames = tuple(Frame("/gate/a.py", n, f"f{n}", "gate.a", "again()", n % 2 == 0) for n in range(1000))
    chain = [ExceptionData("Deep", "m", "x", frames=frames)]
    chain += [ExceptionData("Deep", "m", "x", relation="member", parent=n) for n in range(200)]
    record = chained(exceptions=tuple(chain))
    client = make_client(write(tmp_path / "details.jsonl", record))
    assert client.get(f"/errors/{record.event_id}").text.count("again()") >= 1000


@pytest.mark.parametrize(
    "wrong",
    [
        "x", "0" * 31, "0" * 33, "f" * 32, "..", "%2e%2e", "..%2f..%2fetc%2fpasswd",
        "%2e%2e%2f%2e%2e%2fdetails.jsonl",
        "%00", "%ff%fe", "%0d%0aSet-Cookie:x", "<script>", "{{7*7}}", "error_20250101_000000_.json",
        "error_20250101_000000_..%2f..%2fx.json", "0123 4567 89abcdef0123456789abcdef", " " * 32, "a" * 5000,
        "-" * 36, "details.jsonl", "static", "static/../blueprint.py", "static/%2e%2e/blueprint.py",
        "static/..%2fblueprint.py", "static//etc/passwd", "groups", "groups/", "groups/x", "groups/%00",
        "groups/../..",
        "groups/%2e%2e%2f", "//", "%2f",
    ],
)  # fmt: skip
def test_what_is_no_id_is_not_found_and_never_a_path(client, wrong):
    for address in (f"/errors/{wrong}", f"/errors/{wrong}/json"):
        response = client.get(address)
        assert response.status_code in {404, 308}, address
        assert "root:" not in response.text
        assert "Set-Cookie" not in response.headers
        if response.mimetype == "text/html" and "main" in response.text:
            check(response.text)


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "FOO", "PROPFIND", "OPTIONS", "HEAD"]
)
def test_odd_methods_are_refused_or_harmless(client, method):
    for address in ("/errors", f"/errors/{uuid7(NOON, 1)}", "/errors/summary", "/errors/groups/x"):
        expected = {200, 404} if method in {"HEAD", "OPTIONS"} else {405}
        assert client.open(address, method=method).status_code in expected


@settings(
    max_examples=80, deadline=None, phases=UNSHRUNK, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.dictionaries(
        st.sampled_from(["view", "period", "type", "module", "text", "since", "until", "cursor", "group", "host"]),
        st.sampled_from(("groups", "errors", "24h", "30d", "1-0", "9" * 18 + "-" + "f" * 16, "-5-7", "0001-01-01",
                         "9999-12-31T23:59", "2026-02-30", *ATTACKS)) | st.text(max_size=50),
    )
)  # fmt: skip
def test_no_address_of_the_list_troubles_the_server(client, arguments):
    response = client.get("/errors", query_string=arguments)
    assert response.status_code in {200, 400, 404}, response.text
