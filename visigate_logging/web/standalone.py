"""The pages as an application of their own: behind one password, or an address that only one user knows."""

import hmac
import ipaddress
import secrets
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from flask import Flask, Response, abort, make_response, redirect, render_template, request, url_for
from werkzeug.middleware.proxy_fix import ProxyFix

from visigate_logging.exceptions import ConfigurationError
from visigate_logging.store.store import ErrorStore
from visigate_logging.web.attempts import Attempts
from visigate_logging.web.blueprint import create_blueprint, with_headers
from visigate_logging.web.passwords import Password
from visigate_logging.web.sessions import SECONDS, Sessions

COOKIE = "visigate_errors"
TOKEN = "token"  # noqa: S105  # the name of the parameter


def create_app(
    store: ErrorStore,
    password: Callable[[], str] | None = None,
    *,
    token: str = "",
    sessions: Sessions | None = None,
    trusted_proxies: Iterable[str] = (),
    **pages: Any,
) -> Flask:
    """Return the application.

    Args:
        store: the errors.
        password: gives the password's hash as it is now, as `hashed_password` makes it; None asks for no password:
            only who calls this host by a loopback name and has the token gets in.
        token: what opens the pages where there is no password; an address has it as ``?token=``, once.
        sessions: who is logged in; by default kept in memory.
        trusted_proxies: addresses whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed.
        pages: what else :func:`~visigate_logging.web.create_blueprint` takes.

    Raises:
        ConfigurationError: neither a password nor a token is given.
    """
    if password is None and not token:
        raise ConfigurationError("token", "without it or a password every user of this host could read the errors")
    app = Flask("visigate_logging.web")
    app.config.update(MAX_CONTENT_LENGTH=10_000)
    door = _Door(sessions or Sessions(), password or (lambda: token))
    guard = door.guard if password else door.token_guard
    app.register_blueprint(create_blueprint(store, login_required=guard, admin_required=guard, **pages))
    app.add_url_rule("/", "home", guard(lambda: redirect(url_for("errors.system_errors"))))
    app.after_request(with_headers)
    if password is None:
        app.before_request(_only_loopback)
    else:
        app.add_url_rule("/login", "login", door.login, methods=["GET", "POST"])
        app.add_url_rule("/logout", "logout", door.logout, methods=["POST"])
        app.context_processor(lambda: {"can_log_out": door.is_in()})
    app.wsgi_app = _believing(app.wsgi_app, frozenset(trusted_proxies))  # type: ignore[method-assign]  # as Flask has it
    return app


def is_loopback(host: str) -> bool:
    """Return whether only this computer can reach a host of that name."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class _Door:
    """Lets in who has a session, and begins one for who knows the secret."""

    def __init__(self, sessions: Sessions, secret: Callable[[], str]) -> None:
        self._sessions = sessions
        self._secret = secret
        self._password = Password(secret)
        self._attempts = Attempts()

    def guard(self, view: Callable[..., Any]) -> Callable[..., Any]:
        """Send who is not logged in to the login."""

        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if self.is_in():
                return view(*args, **kwargs)
            return redirect(url_for("login", after=request.full_path.rstrip("?")))

        return guarded

    def token_guard(self, view: Callable[..., Any]) -> Callable[..., Any]:
        """Let in who brings the token, in the address or as a bearer (RFC 6750)."""

        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            given = request.args.get(TOKEN, "")
            if self.is_in() and not given:
                return view(*args, **kwargs)
            bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if _same(bearer, self._secret()):
                return view(*args, **kwargs)
            if not _same(given, self._secret()):
                abort(403, "open the whole address that visigate-errors serve has printed, the token included")
            others = {**request.args.to_dict(flat=True), **(request.view_args or {})}
            others.pop(TOKEN)
            return self._begin(redirect(url_for(request.endpoint or "home", **others)))

        return guarded

    def login(self) -> Any:
        """Ask for the password, and check it."""
        if self.is_in():
            return redirect(_after())
        if request.method == "GET":
            return _form("", 200)
        address = request.remote_addr or ""
        if wait := self._attempts.wait(address):
            return _form(f"Wrong passwords before this one. Try again in {wait} seconds.", 429, {"Retry-After": wait})
        try:
            right = self._password.matches(request.form.get("password", ""))
        except (ConfigurationError, ValueError) as error:
            return _form(f"The password cannot be checked: {error}", 503)
        if not right:
            self._attempts.fail(address)
            return _form("That is not the password.", 403)
        self._attempts.forgive(address)
        return self._begin(redirect(_after()))

    def logout(self) -> Any:
        """End the session here, so that a cookie that somebody has copied is worth nothing."""
        self._sessions.end(request.cookies.get(COOKIE, ""))
        response = redirect(url_for("login"))
        response.delete_cookie(COOKIE)
        return response

    def _begin(self, response: Any) -> Any:
        response.set_cookie(
            COOKIE,
            self._sessions.begin(self._secret()),
            max_age=int(SECONDS),
            httponly=True,
            samesite="Strict",
            secure=request.is_secure,
        )
        return response

    def is_in(self) -> bool:
        """Return whether this request comes with a session that has not ended."""
        token = request.cookies.get(COOKIE, "")
        try:
            return bool(token) and self._sessions.holds(token, self._secret())
        except ConfigurationError:
            return False


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(24)


def _only_loopback() -> None:
    """Refuse a page elsewhere that has made its own name point here (DNS rebinding)."""
    if not is_loopback(request.host.rsplit(":", 1)[0] if not request.host.endswith("]") else request.host):
        abort(403, f"{request.host!r} is not a name of this computer's own; to be reached by others, set a password")


def _believing(app: Callable[..., Any], proxies: frozenset[str]) -> Callable[..., Any]:
    """Return the application that takes a client's address and scheme from these proxies, and from nobody else."""
    behind_proxy = ProxyFix(app, x_for=1, x_proto=1, x_host=0)

    def either(environ: dict[str, Any], start_response: Any) -> Any:
        return (behind_proxy if environ.get("REMOTE_ADDR") in proxies else app)(environ, start_response)

    return either


def _form(problem: str, status: int, headers: dict[str, Any] | None = None) -> Response:
    page = render_template("visigate_errors/login.html", problem=problem, after=_after())
    return make_response(page, status, {name: str(value) for name, value in (headers or {}).items()})


def _after() -> str:
    """Return where to go after the login: a page of ours, whatever the address says."""
    wanted = request.values.get("after", "")
    home = url_for("errors.system_errors")
    safe = wanted.startswith((f"{home}/", f"{home}?")) and wanted.isprintable() and "\\" not in wanted
    return wanted if safe else home
