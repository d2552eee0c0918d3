"""Decisions about groups, made on a page: who may, whether the page itself has asked, and what is said of it."""

import hmac
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from flask import Response, abort, redirect, render_template, request, url_for

from visigate_logging.exceptions import DecisionError, UnknownEventError
from visigate_logging.present.states import DONE
from visigate_logging.present.words import counted
from visigate_logging.store.store import ErrorStore

COOKIE = "visigate_csrf"
MUTES: dict[str, tuple[str, dict[str, Any]]] = {
    "1d": ("for a day", {"until": timedelta(days=1)}),
    "7d": ("for a week", {"until": timedelta(days=7)}),
    "worse": ("until it is worse", {"worse": True}),
    "ever": ("until it is reopened", {}),
}
"""How long groups can be muted for."""
MOST = 200
LONGEST = 500


def new_token() -> str:
    """Return what a form of ours has in it and a cookie of ours as well, so that no other page can send it."""
    known = request.cookies.get(COOKIE, "")
    return known if len(known) == 32 and known.isalnum() else secrets.token_hex(16)


def with_token(response: Response, token: str) -> Response:
    """Return the page with the cookie that its forms need."""
    if request.cookies.get(COOKIE) != token:
        response.set_cookie(COOKIE, token, httponly=True, samesite="Strict", secure=request.is_secure)
    return response


def act(store: ErrorStore, user: Callable[[], str]) -> Any:
    """Keep a decision about each group of the form, and go back to the page that it was made on."""
    refuse_foreign()
    action, keys = request.form.get("action", ""), [unquote(key) for key in request.form.getlist("key")[:MOST]]
    if action not in DONE:
        abort(400, f"action: {action!r} is none of {', '.join(DONE)}")
    if not keys:
        return not_done("No group was chosen.", 400)
    who = user()[:100] or "somebody"
    refused = []
    for key in keys:
        try:
            store.decide(action, key, who=who, **_terms(action))
        except (DecisionError, UnknownEventError) as error:
            refused.append(str(error))
    if refused:
        done = len(keys) - len(refused)
        told = f"{counted(done, 'group')} {DONE[action]}; " if done else ""
        return not_done(f"{told}{'; '.join(refused)}", 409)
    return _back(f"{len(keys)}-{action}")


def _terms(action: str) -> dict[str, Any]:
    given = {
        name: request.form.get(name, "").strip()[:LONGEST] for name in ("note", "release", "into", "where", "mute")
    }
    terms: dict[str, Any] = {"note": given["note"]}
    if action == "resolve":
        terms["release"] = given["release"]
    if action == "merge":
        terms["into"] = given["into"]
    if action == "split":
        terms["where"] = given["where"]
    if action == "mute":
        terms |= MUTES.get(given["mute"], MUTES["worse"])[1]
        if span := terms.get("until"):
            terms["until"] = datetime.now(UTC) + span
    return terms


def refuse_foreign() -> None:
    """Refuse what another site's page has sent: the token of the form is not that of the cookie (OWASP, CSRF)."""
    token, cookie = request.form.get("csrf", ""), request.cookies.get(COOKIE, "")
    origin = request.headers.get("Origin", "null")
    is_foreign = request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none") or (
        origin != "null" and urlsplit(origin).netloc != request.host
    )
    if is_foreign or not cookie or not hmac.compare_digest(token.encode(), cookie.encode()):
        abort(403, "this was not sent by a page of ours that is open here; load the page again")


def _back(done: str) -> Any:
    """Go back to the page, which says what was done."""
    wanted, home = urlsplit(request.form.get("back", "")), url_for("errors.system_errors")
    is_ours = not wanted.netloc and (wanted.path == home or wanted.path.startswith(f"{home}/"))
    pairs = [(name, value) for name, value in parse_qsl(wanted.query) if name != "done"] if is_ours else []
    path = quote(wanted.path if is_ours else home, safe="/:%")
    return redirect(f"{path}?{urlencode([*pairs, ('done', done)])}", 303)


def not_done(text: str, code: int) -> Any:
    """Return the page that says why nothing, or not all, was done."""
    return render_template("visigate_errors/trouble.html", title="Not done", text=text), code


def done_in_words(given: str) -> str:
    """Return what was done, of what the address of a page says; nothing for what no page of ours says."""
    number, _, action = given.partition("-")
    if action not in DONE or not number.isdecimal() or len(number) > 4:
        return ""
    return f"{counted(int(number), 'group')} {DONE[action]}"
