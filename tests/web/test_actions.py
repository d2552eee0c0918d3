"""Acting on the host from the pages, where the configuration allows it."""

import re
import sqlite3

import pytest
from flask import Flask

from tests.waiting import wait_until
from visigate_logging.health.actions import Actions, actions_of
from visigate_logging.store.store import ErrorStore
from visigate_logging.web import create_blueprint

CONFIG = """
version: 1
visigate: {{actions: {allowed}}}
handlers:
  recovery:
    class: visigate_logging.RecoveryHandler
    state_dir: {at}/state
    procedures:
      restore:
        exceptions: [sqlite3.DatabaseError]
        steps: [{{restore_sqlite: {{database: {at}/gate.db, backups: [{at}/backups/gate.db]}}}}]
  mail:
    class: visigate_logging.ThrottledSMTPHandler
    mailhost: 127.0.0.1:9
    toaddrs: [admin@example.org]
    state_dir: {at}/state
root: {{handlers: [recovery, mail]}}
"""


@pytest.fixture
def config(tmp_path):
    """A configuration that allows to act on a database."""
    with sqlite3.connect(tmp_path / "gate.db") as db:
        db.executescript("CREATE TABLE permit (plate TEXT); INSERT INTO permit VALUES ('AB12CDE')")
    db.close()
    file = tmp_path / "logging.yaml"
    file.write_text(CONFIG.format(at=tmp_path, allowed="true"))
    return file


@pytest.fixture
def acting(make_client, log, config):
    """A client of pages that may act, as Anna."""
    return make_client(log, user=lambda: "anna", actions=actions_of(config, config.parent / "state"))


def ask(client, name, *, how="do", sure="yes", csrf=None, headers=None):
    client.get("/errors/actions")
    token = client.get_cookie("visigate_csrf").value
    form = {"name": name, "how": how, "sure": sure, "csrf": csrf or token}
    return client.post("/errors/act", data=form, headers=headers or {})


def ended(config):
    """What was done, when all of it has ended."""
    trail = Actions(config, config.parent / "state")
    wait_until(lambda: all(line["status"] != "unknown" for line in trail.trail(9)), seconds=60)
    return trail.trail(9)


def test_a_backup_is_taken_and_a_recovery_tried_and_both_are_written_down_with_who_asked(acting, config):
    at = config.parent
    page = acting.get("/errors/actions").text
    assert [name.replace(f"{at}/", "") for name in re.findall('name="name" value="([^"]+)"', page)] == [
        "recover restore",
        "backup gate.db",
        "send mail",
    ]
    assert ask(acting, f"backup {at}/gate.db").status_code == 303
    ended(config)
    assert ask(acting, "recover restore", how="try", sure="").status_code == 303
    tried, backed_up = ended(config)
    assert (backed_up["who"], backed_up["action"], backed_up["status"]) == ("anna", f"backup {at}/gate.db", "done")
    assert (at / "backups/gate.db").exists()
    assert (tried["trial"], tried["status"]) == (True, "done")
    assert "sound" in tried["said"] or "whole" in tried["said"] or "refused" in tried["said"]
    page = acting.get("/errors/actions")
    assert "by anna" in page.text
    assert acting.get("/errors/actions", headers={"If-None-Match": page.headers["ETag"]}).status_code == 304


def test_what_fails_says_why(acting, config):
    config.write_text(config.read_text().replace("[sqlite3.DatabaseError]", "5"))
    ask(acting, "recover restore")
    (line,) = ended(config)
    assert line["status"] == "failed"
    assert "procedures.restore.exceptions" in line["said"]


def test_nothing_is_done_without_being_sure_or_twice_at_once_or_beyond_the_list(acting, config, monkeypatch):
    assert ask(acting, "recover restore", sure="").status_code == 400
    assert ask(acting, "recover nothing").status_code == 409
    assert ask(acting, "send mail", how="try").status_code == 409
    monkeypatch.setattr(Actions, "_run", lambda *_: None)  # which never ends
    assert ask(acting, "recover restore").status_code == 303
    assert ask(acting, "recover restore").status_code == 409
    assert [line["action"] for line in Actions(config, config.parent / "state").trail(9)] == ["recover restore"]


@pytest.mark.parametrize(
    ("csrf", "headers"), [("0" * 32, {}), (None, {"Origin": "https://evil.example"}), (None, {"Sec-Fetch-Site": "x"})]
)
def test_a_form_of_another_site_does_nothing(acting, config, csrf, headers):
    assert ask(acting, "recover restore", csrf=csrf, headers=headers).status_code == 403
    assert not Actions(config, config.parent / "state").trail(9)


def test_who_may_not_write_the_trail_may_not_act(acting, config):
    (config.parent / "state").write_text("in the way")
    answer = ask(acting, "recover restore")
    assert (answer.status_code, "Nothing was done" in answer.text) == (503, True)


def test_without_actions_true_there_is_no_such_page_and_taken_back_it_lists_nothing(acting, make_client, log, config):
    config.write_text(config.read_text().replace("actions: true", "actions: false"))
    assert actions_of(config, config.parent) is None
    assert actions_of(config.with_name("absent.yaml"), config.parent) is None
    assert ask(acting, "recover restore").status_code == 409
    client = make_client(log)
    assert client.get("/errors/actions").status_code == 404
    assert client.post("/errors/act").status_code == 405
    assert "Act on this host" not in client.get("/errors").text


def test_nobody_acts_who_is_no_administrator(log, config):
    app = Flask("host")
    refuse = lambda view: lambda **_: ("no", 403)  # noqa: E731
    with ErrorStore(log) as store:
        pages = create_blueprint(
            store,
            login_required=lambda view: view,
            admin_required=refuse,
            actions=actions_of(config, config.parent / "state"),
        )
        app.register_blueprint(pages)
        assert app.test_client().get("/errors/actions").status_code == 403
        assert app.test_client().post("/errors/act").status_code == 403
