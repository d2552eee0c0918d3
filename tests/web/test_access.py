"""Who may see the pages, and what every answer carries."""

import subprocess
import sys
from functools import wraps

import pytest
from flask import Flask, abort, redirect
from flask_login import LoginManager, UserMixin, login_required, login_user

from tests.web.conftest import chained
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.store.store import ErrorStore
from visigate_logging.web import create_blueprint


def addresses(app):
    """An address for each rule of the pages."""
    values = {"event_id": chained().event_id, "key": chained().fingerprint, "filename": "errors.css"}
    adapter = app.url_map.bind("localhost")
    rules = [r for r in app.url_map.iter_rules() if r.endpoint.startswith("errors.") and "GET" in (r.methods or ())]
    rules = [rule for rule in rules if rule.endpoint != "errors.healthz"]  # which says yes or no, and to machines
    assert len(rules) >= 6
    return [adapter.build(rule.endpoint, {name: values[name] for name in rule.arguments}) for rule in rules]


def allowed(view):
    """A decorator that lets everybody through."""
    return view


def refusing(view):
    """A decorator that lets nobody through."""

    @wraps(view)
    def refuse(*args, **kwargs):
        abort(403)

    return refuse


def sending_away(view):
    """A decorator that does not even keep the view's name."""
    return lambda *args, **kwargs: redirect("/login")


@pytest.mark.parametrize("given", [{}, {"login_required": allowed}, {"admin_required": allowed}])
def test_without_both_decorators_no_blueprint_is_built(log, given):
    with pytest.raises(ConfigurationError, match="unprotected=True"):
        create_blueprint(ErrorStore(log), **given)


@pytest.mark.parametrize(
    ("guards", "status"),
    [
        ({"login_required": allowed, "admin_required": allowed}, 200),
        ({"login_required": refusing, "admin_required": allowed}, 403),
        ({"login_required": allowed, "admin_required": refusing}, 403),
        ({"login_required": sending_away, "admin_required": refusing}, 302),
    ],
)
def test_every_route_asks_both_decorators(log, make_client, guards, status):
    client = make_client(log, unprotected=False, **guards)
    for address in addresses(client.application):
        with client.get(address) as response:
            assert response.status_code == status, address


def test_decorators_and_unprotected_contradict_each_other(log):
    with pytest.raises(ConfigurationError, match="contradicts"):
        create_blueprint(ErrorStore(log), login_required=allowed, admin_required=allowed, unprotected=True)


@pytest.mark.parametrize(
    "address", ["/errors?text=a%0d%0ab", "/errors/a%0ab", "/errors/groups/a%0db", "/errors?since=%0a"]
)
def test_line_ends_in_an_address_lead_nowhere(client, address):
    assert client.get(address).status_code == 404


def test_flask_login_s_decorator_will_do(log):
    class Administrator(UserMixin):
        id = "1"

    app = Flask("host")
    app.secret_key = "test"
    manager = LoginManager(app)
    manager.user_loader(lambda _: Administrator())
    app.add_url_rule("/login", "login", lambda: str(login_user(Administrator())))
    manager.login_view = "login"
    store = ErrorStore(log)
    app.register_blueprint(create_blueprint(store, login_required=login_required, admin_required=allowed))
    client = app.test_client()
    for address in addresses(app):
        with client.get(address) as response:
            assert response.status_code == 302
    client.get("/login")
    for address in addresses(app):
        with client.get(address) as response:
            assert response.status_code == 200
    store.close()


def test_every_answer_forbids_foreign_and_inline_content_framing_sniffing_and_storing(client):
    for address in [*addresses(client.application), "/errors/nothing", "/errors?view=x"]:
        with client.get(address) as response:
            headers = response.headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == ("no-cache" if "static" in address else "no-store")


def test_a_host_may_set_headers_of_its_own(client):
    @client.application.after_request
    def others(response):
        response.headers["Content-Security-Policy"] = "default-src 'self'"
        return response

    assert client.get("/errors").headers["Content-Security-Policy"] == "default-src 'self'"


def test_without_flask_the_extra_is_named():
    program = (
        "import sys; sys.modules['flask'] = None\n"
        "from visigate_logging.exceptions import MissingExtraError\n"
        "try:\n    import visigate_logging.web\n"
        "except MissingExtraError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "visigate-logging[web]" in done.stdout
