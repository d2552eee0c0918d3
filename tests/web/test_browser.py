"""The pages in a real browser: what a person sees, and what the browser must not do."""

import contextlib
import json
import os
import re
import threading
from datetime import timedelta
from itertools import count

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from jinja2 import ChoiceLoader, DictLoader
from playwright.sync_api import expect, sync_playwright
from werkzeug.serving import make_server

from tests.records import detail, write
from tests.serving import served
from tests.web import chromium
from tests.web.conftest import NOW, chained
from visigate_logging.store.store import ErrorStore
from visigate_logging.web import NEEDED_POLICY, create_blueprint
from visigate_logging.web.passwords import hashed_password

pytestmark = pytest.mark.browser

LONG = "rtsp://camera.north.gate.example:8554/" + "stream" * 30
DESK, PHONE = {"width": 1200, "height": 800}, {"width": 360, "height": 740}
WALL, ZOOMED = {"width": 1920, "height": 1080}, {"width": 640, "height": 400}
"""A large screen; and what a desk's has of CSS pixels at a zoom of 200 %."""
CHAIN = f"/{chained().event_id}"
GROUP = f"/groups/v1:{3:016x}"
PATHS = (
    "",
    "?q=type:nothing+is:new",
    "?view=errors",
    "?view=errors&severity=CRITICAL&text=stream",
    GROUP,
    CHAIN,
    "/nothing",
)
PASSWORD = "open sesame"


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Sixty groups over a month, an error with a chain and a group, and trouble with mail."""
    number = count(1)
    records = [
        detail(
            next(number),
            NOW - timedelta(days=day, minutes=7 * group),
            fingerprint=f"v1:{group:016x}",
            error_message=f"{LONG} {group}",
            severity=("ERROR", "WARNING", "CRITICAL", "INFO")[group % 4],
        )
        for group in range(60)
        for day in range(0, 30, 1 + group % 3)
    ]
    log = write(tmp_path_factory.mktemp("browser") / "details.jsonl", *records, chained(), b"torn\n")
    refused = log.parent / "state" / "outbox" / "mail" / "refused" / "a.eml"
    refused.parent.mkdir(parents=True)
    refused.touch()
    outcome = {"event": "outcome", "event_id": chained().event_id, "procedure": "reset", "status": "done"}
    (log.parent / "state" / "recovery.jsonl").write_text(json.dumps(outcome) + "\n")
    return log


@pytest.fixture(scope="module")
def address(log):
    """Where the pages are."""
    with served("--log", log) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    """A browser; without one the tests do not run, which only a build server takes for a failure."""
    with sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        if browser is None:
            problem = "no Chromium: the browser tests did not run; `make test` gets one"
            pytest.fail(problem) if os.environ.get("CI") == "true" else pytest.skip(problem)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Opens pages, and holds each to what no page may do."""
    troubles, contexts = [], []

    def open_page(url, **options):
        contexts.append(browser.new_context(**({"viewport": DESK} | options)))
        page = contexts[-1].new_page()
        page.on("console", lambda message: message.type in {"error", "warning"} and troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        origin = re.match(r"http://[^/]+/", url)[0]
        page.on("request", lambda request: request.url.startswith(origin) or troubles.append(request.url))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [trouble for trouble in troubles if "404 (NOT FOUND)" not in trouble] == []


MISPLACED = """() => {
  const kinds = 'a, button, input, select, summary, label, p, h1, h2, td, th, dd, code, pre';
  const shown = [...document.querySelectorAll(`.ve :is(${kinds})`)]
    .filter(one => one.checkVisibility({visibilityProperty: true}) && one.type !== 'hidden');
  const box = one => one.getBoundingClientRect();
  const name = one => `${one.tagName} ${one.name || one.textContent.trim().slice(0, 30)}`;
  const sticksOut = shown.filter(one => {
    const card = (one.closest('section') || document.querySelector('.ve'));
    return box(one).left < box(card).left - 0.5 || box(one).right > box(card).right + 0.5;
  }).map(one => `${name(one)} sticks out of its card`);
  const controls = shown.filter(one => one.matches('a, button, input, select, summary'));
  const lines = one => [...one.getClientRects()];
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  const covered = controls.flatMap((one, at) => controls.slice(at + 1)
    .filter(other => !one.contains(other) && lines(one).some(a => lines(other).some(b => meet(a, b))))
    .map(other => `${name(one)} and ${name(other)} cover each other`));
  return [...sticksOut, ...covered];
}"""
"""What a person would see at a glance: a control or a text that lies over another, or outside of its card."""


def check_layout(page):
    """Nothing scrolls sideways, sticks out or covers something."""
    assert page.evaluate(MISPLACED) == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def check(page):
    """Nothing is misplaced, and axe-core finds nothing."""
    check_layout(page)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def opened(visit, address, size, scheme):
    """Each page with all that it can unfold."""
    for path in PATHS:
        page = visit(address + path, viewport=size, color_scheme=scheme)
        page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
        yield page


SCREENS = {"desk, light": (DESK, "light"), "phone, dark": (PHONE, "dark")}
OTHERS = {"wall, dark": (WALL, "dark"), "200 %, light": (ZOOMED, "light")}


@pytest.mark.parametrize(
    ("size", "scheme"),
    [
        *(pytest.param(*screen, id=name) for name, screen in SCREENS.items()),
        *(pytest.param(*screen, id=name, marks=pytest.mark.stress) for name, screen in OTHERS.items()),
    ],
)
def test_every_page_is_accessible_and_stays_within_its_width(visit, address, size, scheme):
    for page in opened(visit, address, size, scheme):
        check(page)


@pytest.mark.parametrize(("size", "scheme"), OTHERS.values(), ids=OTHERS)
def test_every_page_stays_within_the_width_of_any_screen(visit, address, size, scheme):
    for page in opened(visit, address, size, scheme):
        check_layout(page)


def test_a_dark_screen_gets_a_dark_page(visit, address):
    colour = "getComputedStyle(document.body).backgroundColor"
    light, dark = (visit(address, color_scheme=scheme).evaluate(colour) for scheme in ("light", "dark"))
    assert [int(light[4:7]) > 200, int(re.search(r"\d+", dark)[0]) < 50] == [True, True]


def test_the_list_says_what_is_not_well_and_marks_what_is_new_and_recovered(visit, address):
    page = visit(address)
    expect(page.get_by_text("1 mail refused by the mail server")).to_be_visible()
    expect(page.get_by_text("1 unreadable place in the log")).to_be_visible()
    row = page.locator("li", has_text="two cameras")
    expect(row.locator("mark")).to_have_text(["new", "recovered"])


def test_a_filter_narrows_the_list_and_its_address_can_be_kept(visit, address):
    page = visit(address)
    page.get_by_text("Filter", exact=True).click()
    page.get_by_label("severity").select_option("CRITICAL")
    page.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile("severity=CRITICAL"))
    for shown in (page, visit(address + page.url.removeprefix(address.partition("?")[0]))):
        expect(shown.locator(".rows .severity")).to_have_text(["CRITICAL"] * 15)


def test_groups_are_found_by_the_line_chosen_resolved_and_reopened_by_keyboard_alone(visit, tmp_path):
    own = write(tmp_path / "details.jsonl", *few())
    with served("--log", own) as address:
        page = visit(address)
        page.get_by_label("Search").focus()
        page.keyboard.type("type:keyerror")
        page.keyboard.press("Enter")
        expect(page.locator(".groups > li")).to_have_count(1)
        page.get_by_label("choose KeyError").focus()
        page.keyboard.press("Space")
        page.get_by_role("button", name="Resolve").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text("1 group resolved.")).to_be_visible()
        check(page)
        page.get_by_role("link", name="resolved 1").click()
        page.get_by_label("choose KeyError").check()
        page.get_by_role("button", name="Reopen").click()
        expect(page.get_by_text("1 group reopened.")).to_be_visible()
        page.wait_for_load_state("networkidle")  # the server ends with the block


REACHED = """() => {
  const all = [...document.querySelectorAll('a[href], button, input, select, summary')]
    .filter(one => one.type !== 'hidden' && one.checkVisibility({visibilityProperty: true}));
  const name = one => `${one.tagName} ${one.name || one.textContent.trim()}`;
  const at = document.activeElement;
  return {all: all.map(name), at: all.indexOf(at), outline: getComputedStyle(at).outlineStyle};
}"""


@pytest.mark.parametrize("path", ["", "/groups/v1:1", f"/{detail(1, NOW).event_id[-8:]}"])
def test_all_that_can_be_pressed_is_reached_by_the_tab_key_in_its_order_and_seen(visit, few_served, path):
    page = visit(few_served + path)
    page.keyboard.press("Tab")
    first = page.evaluate(REACHED)
    seen = [first["at"]]
    for _ in first["all"][1:]:
        page.keyboard.press("Tab")
        now = page.evaluate(REACHED)
        assert now["outline"] == "solid", now
        seen.append(now["at"])
    assert seen == [*range(len(first["all"]))], [first["all"][n] for n in {*range(len(seen))} - {*seen}]


def test_what_is_folded_opens_and_links_and_boxes_answer_by_keyboard(visit, few_served):
    page = visit(few_served)
    for key in ("Enter", "Space"):
        page.locator("details.filters summary").focus()
        page.keyboard.press(key)
        is_open = page.locator("details.filters").get_attribute("open") is not None
        assert is_open == (key == "Enter")  # the second press closes it
    box = page.get_by_label("choose KeyError")
    box.focus()
    page.keyboard.press("Space")
    expect(box).to_be_checked()
    page.locator(".groups a", has_text="OSError").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Decide")).to_be_visible()
    page.get_by_role("link", name="Latest error").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What happened")).to_be_visible()


@pytest.fixture(scope="module")
def few_served(tmp_path_factory):
    """Where the pages of two groups are."""
    with served("--log", write(tmp_path_factory.mktemp("few") / "details.jsonl", *few())) as address:
        yield address


def test_what_error_handling_says_of_itself_is_named_by_what_it_says_and_has_no_foreign_advice(visit, tmp_path):
    said = "Recovery database for DatabaseError done: gate.db was damaged (database disk image is malformed)"
    record = detail(
        1,
        NOW,
        error_type="CRITICAL",
        error_message=said,
        message=said,
        logger="visigate_logging.recovery",
        exceptions=(),
        breadcrumbs=tuple(
            {"age": n / 9, "level": "ERROR", "logger": "g", "message": f"crumb {n}"} for n in range(30)
        ),
    )
    with served("--log", write(tmp_path / "details.jsonl", record)) as address:
        page = visit(address)
        expect(page.locator(".groups a")).to_have_text(said[:160])
        page = visit(address + f"/{record.event_id}")
        expect(page.locator("h1")).to_have_text(said)
        expect(page.get_by_text("Log message")).to_have_count(0)
        assert "To do" not in page.locator(".facts").inner_text()
        expect(page.locator(".before li", has_text="crumb 29")).to_be_visible()
        expect(page.locator(".before li", has_text="crumb 19")).to_be_hidden()
        page.get_by_text("20 earlier").click()
        expect(page.locator(".before li", has_text="crumb 19")).to_be_visible()
        page.wait_for_load_state("networkidle")


def test_a_new_error_shows_without_a_reload_and_times_in_full_at_a_click(visit, tmp_path):
    own = write(tmp_path / "details.jsonl", *few())
    with served("--log", own) as address:
        page = visit(address)
        page.clock.install()
        page.reload()
        expect(page.locator(".groups > li")).to_have_count(2)
        page.locator(".groups time").first.click()
        expect(page.locator(".groups time").first).to_have_text(re.compile(r"\d{4}-\d\d-\d\d "))
        write(own, detail(9, NOW, error_type="ValueError", fingerprint="v1:9"))
        page.clock.run_for(11_000)
        expect(page.locator(".groups > li")).to_have_count(3)
        page.wait_for_load_state("networkidle")


def few():
    """Two groups."""
    return (
        detail(1, NOW - timedelta(hours=2), error_type="KeyError", fingerprint="v1:1"),
        detail(2, NOW - timedelta(hours=1), error_type="OSError", fingerprint="v1:2"),
    )


def test_a_page_in_print_has_times_in_full_and_nothing_to_press(visit, address):
    page = visit(address)
    page.emulate_media(media="print")
    assert page.locator("button:visible, input:visible, select:visible, .tabs:visible").count() == 0
    shown = "getComputedStyle(document.querySelector('.groups time'), '::after').content"
    assert re.search(r"\d{4}-\d\d-\d\d", page.evaluate(shown))


def test_paging_goes_on_to_what_is_older(visit, address):
    page = visit(address + "?view=errors&period=30d")
    newest = page.locator(".rows a").first
    first = newest.get_attribute("href")
    page.get_by_role("link", name="older").click()
    expect(newest).not_to_have_attribute("href", first)
    expect(page.locator(".rows > li")).to_have_count(50)
    page.get_by_role("link", name="newest").click()
    expect(newest).to_have_attribute("href", first)


def test_one_leads_from_the_list_through_a_group_to_an_error_and_on_to_the_one_before(visit, address):
    page = visit(address)
    page.locator(".rows a", has_text=f"{LONG[:30]}").first.click()
    expect(page.get_by_role("heading", name="Decide")).to_be_visible()
    page.locator(".rows a").first.click()
    expect(page.get_by_role("heading", name="What happened")).to_be_visible()
    now = page.url
    page.get_by_role("link", name="previous").click()
    expect(page).not_to_have_url(now)


def test_the_detail_folds_library_frames_and_marks_the_culprit(visit, address):
    page = visit(address + CHAIN)
    expect(page.locator("details.library").first).not_to_have_attribute("open", "")
    expect(page.locator(".chain > li h3").first).to_have_text("gate.errors.RootCause")
    expect(page.locator(".d1")).to_have_count(3)
    page = visit(address + f"/{detail(1, NOW).event_id}")
    expect(page.locator(".culprit")).to_contain_text("gate/camera.py:42 in grab")


def test_the_copy_button_copies_the_error_as_text(visit, address):
    page = visit(address + CHAIN, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy as text").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith(
        "ExceptionGroup: two cameras\ngate.camera in grab"
    )


def test_without_javascript_everything_is_there(visit, address):
    for path, text in (("", "two cameras"), (CHAIN, "the direct cause"), (GROUP, "What differs")):
        page = visit(address + path, java_script_enabled=False)
        expect(page.get_by_text(text).first).to_be_visible()
        expect(page.get_by_role("button", name="Copy as text")).to_have_count(0)
    page = visit(address + CHAIN, java_script_enabled=False)
    page.get_by_text("1 library frame").or_(page.get_by_text("2 library frames")).first.click()
    expect(page.get_by_text("python3.11/socket.py:9").first).to_be_visible()


def test_the_login_opens_the_pages(visit, log):
    with served("--log", log, VISIGATE_PASSWORD_HASH=hashed_password(PASSWORD)) as address:
        page = visit(address + CHAIN, viewport=PHONE)
        check(page)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="What happened")).to_be_visible()
        page.wait_for_load_state("networkidle")  # the server ends with the block
        page.wait_for_load_state()


@contextlib.contextmanager
def host(log, policy, layout):
    """An application with the pages in its own layout, and a policy of its own."""
    app = Flask("host")
    app.jinja_loader = ChoiceLoader([DictLoader({"gate.html": layout}), app.jinja_loader])
    app.register_blueprint(create_blueprint(ErrorStore(log), unprotected=True, layout="gate.html"))

    @app.after_request
    def own_policy(response):
        response.headers.setdefault("Content-Security-Policy", policy)
        return response

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}/errors"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


LAYOUT = """<!doctype html><title>{% block title %}{% endblock %}</title>{% block head %}{% endblock %}
<style>h6 { letter-spacing: 7px }</style><h6 id="host">GATE</h6>{% block content %}{% endblock %}
<script>document.getElementById("host").dataset.runs = "yes"</script>"""


def test_in_a_hosts_layout_the_hosts_scripts_and_styles_work_and_so_do_the_pages(log, visit):
    policy = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'"
    with host(log, policy, LAYOUT) as address:
        page = visit(address)
        gate = page.locator("#host")
        assert gate.get_attribute("data-runs") == "yes"
        assert gate.evaluate("one => getComputedStyle(one).letterSpacing") == "7px"
        assert page.evaluate(MISPLACED) == []
        page.wait_for_load_state("networkidle")


def test_in_a_hosts_layout_the_pages_take_the_hosts_look(log, visit):
    own = LAYOUT.replace("h6 {", "body { font-family: monospace } .ve { --link: rgb(1, 2, 3) } h6 {", 1)
    link = own.replace(
        "{% block content %}", "<nav>{% include 'visigate_errors/summary.html' %}</nav>{% block content %}"
    )
    policy = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'"
    for said, card in (("", "rgb(255, 255, 255)"), ("html { color-scheme: dark }", "rgb(28, 32, 38)")):
        with host(log, policy, link.replace("h6 {", f"{said} h6 {{", 1)) as address:
            page = visit(address, color_scheme="dark")  # of the reader's system, which this host does not follow
            look = "one => [getComputedStyle(one).fontFamily, getComputedStyle(one).backgroundColor]"
            assert page.locator("main.ve > section").first.evaluate(look) == ["monospace", card]
            linked = page.locator(".ve-summary a").first
            assert linked.evaluate("one => getComputedStyle(one).color") == "rgb(1, 2, 3)"
            page.wait_for_load_state("networkidle")


def test_the_policy_that_is_named_is_enough_for_the_pages(log, visit):
    bare = re.sub("<style>.*</style>|<script>.*</script>", "", LAYOUT)
    with host(log, f"default-src 'none'; {NEEDED_POLICY}", bare) as address:
        page = visit(address)
        assert page.locator(".ve").first.evaluate("one => getComputedStyle(one).maxWidth") == "1120px"
        visit(f"{address}{CHAIN}").wait_for_load_state("networkidle")  # the server ends with the block
