"""The pages as an application of their own, with one password or, for this computer alone, without."""

import ipaddress
import secrets
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from flask import Flask, abort, redirect, render_template, request, session, url_for
from werkzeug.security import check_password_hash, generate_password_hash

from visigate_logging.store.store import ErrorStore
from visigate_logging.web.attempts import Attempts
from visigate_logging.web.blueprint import create_blueprint, with_headers
from visigate_logging.web.health import HealthSource
from visigate_logging.web.recoveries import RecoverySource

__all__ = ["create_app", "hashed_password", "is_loopback"]

LOGGED_IN_FOR = timedelta(hours=12)


def create_app(
    store: ErrorStore,
    password_hash: str | None = None,
    *,
    health: HealthSource | None = None,
    recoveries: RecoverySource | None = None,
) -> Flask:
    """The application.

    Args:
        store: the errors.
        password_hash: as ``werkzeug.security.generate_password_hash`` makes it; None asks for no password, and
            answers only who calls this host by a loopback name.
        health: see :func:`~visigate_logging.web.create_blueprint`.
        recoveries: likewise.
    """
    app = Flask("visigate_logging.web")
    app.config.update(
        SECRET_KEY=secrets.token_bytes(32),
        SESSION_COOKIE_NAME="visigate_errors",
        SESSION_COOKIE_SAMESITE="Strict",
        PERMANENT_SESSION_LIFETIME=LOGGED_IN_FOR,
        MAX_CONTENT_LENGTH=10_000,
    )
    guards = {"unprotected": True} if password_hash is None else {"login_required": _guard, "admin_required": _guard}
    app.register_blueprint(create_blueprint(store, health=health, recoveries=recoveries, **guards))
    app.add_url_rule("/", "home", lambda: redirect(url_for("errors.system_errors")))
    app.after_request(with_headers)
    if password_hash is None:
        app.before_request(_only_loopback)
    else:
        app.add_url_rule("/login", "login", _login(password_hash, Attempts()), methods=["GET", "POST"])
        app.add_url_rule("/logout", "logout", _logout, methods=["POST"])
    return app


def hashed_password(password: str) -> str:
    """What to keep of a password (scrypt, RFC 7914)."""
    return generate_password_hash(password)


def is_loopback(host: str) -> bool:
    """Whether only this computer can reach a host of that name."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _only_loopback() -> None:
    """Refuse a page elsewhere that has made its own name point here (DNS rebinding)."""
    if not is_loopback(request.host.rsplit(":", 1)[0] if not request.host.endswith("]") else request.host):
        abort(403, f"{request.host!r} is not a name of this computer's own; to be reached by others, set a password")


def _guard(view: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if session.get("logged_in"):
            return view(*args, **kwargs)
        return redirect(url_for("login", after=request.full_path.rstrip("?")))

    return guarded


def _login(password_hash: str, attempts: Attempts) -> Callable[[], Any]:
    def login() -> Any:
        if request.method == "GET":
            return _form("", 200)
        address = request.remote_addr or ""
        if wait := attempts.wait(address):
            return _form(f"Too many attempts. Try again in {wait} seconds.", 429)
        if not check_password_hash(password_hash, request.form.get("password", "")):
            return _form("That is not the password.", 403)
        attempts.forgive(address)
        session.clear()
        session.permanent = True
        session["logged_in"] = True
        return redirect(_after())

    return login


def _form(problem: str, status: int) -> tuple[str, int]:
    return render_template("visigate_errors/login.html", problem=problem, after=_after()), status


def _after() -> str:
    """Where to go after the login: a page of ours, whatever the address says."""
    wanted = request.values.get("after", "")
    home = url_for("errors.system_errors")
    return wanted if wanted.startswith((f"{home}/", f"{home}?")) and "\\" not in wanted else home


def _logout() -> Any:
    session.clear()
    return redirect(url_for("login"))
