"""The blueprint: which address shows what, and to whom."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, abort, render_template, request

from visigate_logging.exceptions import ConfigurationError, StoreError, UnknownEventError
from visigate_logging.health.actions import Actions
from visigate_logging.health.log import HealthSource
from visigate_logging.health.metrics import MetricsSource
from visigate_logging.present.severities import LEVELS
from visigate_logging.present.states import decision_in_words, state_in_words
from visigate_logging.store.store import ErrorStore
from visigate_logging.web.actions import ActionPages
from visigate_logging.web.charts import kind_of, sparkline
from visigate_logging.web.decisions import MUTES, done_in_words
from visigate_logging.web.gates import GatesPage, GatesSource
from visigate_logging.web.pages import MessageSource, Pages, TimelineSource, group_url
from visigate_logging.web.probes import Probes
from visigate_logging.web.recoveries import RecoverySource
from visigate_logging.web.text import SHOWN

LAYOUT = "visigate_errors/layout.html"
POLICY = "Content-Security-Policy"
HEADERS = {
    POLICY: "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""Of every answer; a host that needs others sets them in its own ``after_request``, which runs later."""

NEEDED_POLICY = "style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'"
"""What the pages need of the policy of a host in whose layout they are; they set none there."""

TOOLS = {
    "mutes": MUTES,
    "done_in_words": done_in_words,
    "state_in_words": state_in_words,
    "decision_in_words": decision_in_words,
    "shown": SHOWN,
    "kind_of": kind_of,
    "levels": LEVELS,
    "sparkline": sparkline,
    "group_url": group_url,
}
"""What the templates call."""

FORMS = ("decide", "act")
"""Endpoints that take forms, and nothing else."""

PATIENCE = 2.0
"""Seconds that a page waits for an index that is being made anew, before it shows what there is."""
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def create_blueprint(
    store: ErrorStore,
    *,
    login_required: Decorator | None = None,
    admin_required: Decorator | None = None,
    unprotected: bool = False,
    health: HealthSource | None = None,
    recoveries: RecoverySource | None = None,
    user: Callable[[], str] | None = None,
    layout: str = LAYOUT,
    metrics: MetricsSource | None = None,
    metrics_token: str = "",
    timeline: TimelineSource | None = None,
    actions: Actions | None = None,
    messages: MessageSource | None = None,
    gates: GatesSource | None = None,
) -> Blueprint:
    """Return the pages of a store, to be registered with a Flask application; they begin at ``/errors``.

    Args:
        store: the errors; unless it has a ``patience`` it gets two seconds of it.
        login_required: the application's decorator for views that need a login; flask-login's will do.
        admin_required: the one for views that need an administrator.
        unprotected: show everything to everybody, without decorators.
        health: tells what is not well with error handling: pairs of severity (``warning``, ``error``) and a sentence.
        recoveries: tells by an error's id how it was recovered from, and for None all there was, the oldest first:
            mappings with ``timestamp``, ``event_id``, ``event``, ``procedure``, ``step``, ``action``, ``status``
            and ``message``, as the recovery's audit trail has them.
        user: tells who is logged in, for what is kept of decisions about groups; by default the server's
            ``REMOTE_USER``, else "an administrator".
        layout: the template that the pages extend, with blocks ``title``, ``head`` and ``content``. In one of the
            application's own, pages come without a Content-Security-Policy: what they need of the application's is
            ``visigate_logging.web.NEEDED_POLICY``.
        metrics: what ``/errors/metrics`` tells, from ``visigate_logging.web.metrics_of``; None for no such page.
        metrics_token: who brings it as a bearer may read them, without a login.
        timeline: tells what else happened to the host since a time, the oldest first: mappings with ``time``,
            ``event`` and ``text``, as ``visigate_logging.health.state_dir.timeline_of(state_dir)`` gives them.
        gates: tells what is known of the gates whose errors a collector has gathered here; None for no such page.
        actions: lets administrators act on the host where the configuration says ``actions: true``, from
            ``visigate_logging.web.actions_of(config, state_dir)``; None for no such page.
        messages: tells by a group's key how far people have been told of its incident: mappings with ``handler``,
            ``began``, ``told``, ``untold`` and ``severity``, from ``visigate_logging.web.messages_of(state_dir)``.

    ``/errors/healthz`` says to everybody whether all is well, and nothing else.

    Raises:
        ConfigurationError: a decorator is missing and ``unprotected`` is not said, or both are given.
    """
    guards = _guards(login_required, admin_required, unprotected=unprotected)
    blueprint = Blueprint("errors", __name__, url_prefix="/errors", template_folder="templates")
    if store.patience is None:
        store.patience = PATIENCE
    pages = Pages(store, health, recoveries, user or _user, timeline, messages)
    of_actions = ActionPages(actions, user or _user).routes() if actions else ()
    fleet = GatesPage(store, gates) if gates else None
    for rule, endpoint, view in (*pages.routes(), *of_actions, *(fleet.routes() if fleet else ())):
        for guard in reversed(guards):
            view = guard(view)  # noqa: PLW2901  # it is the view that is added
        method = "POST" if endpoint in FORMS else "GET"
        blueprint.add_url_rule(rule, endpoint, view, methods=[method], merge_slashes=False)
    for rule, endpoint, view in Probes(store, health, metrics, metrics_token).routes():
        blueprint.add_url_rule(rule, endpoint, view, methods=["GET"])
    blueprint.before_request(_on_one_line)
    blueprint.register_error_handler(UnknownEventError, _not_found)
    blueprint.register_error_handler(StoreError, _unreadable)
    blueprint.after_request(with_headers if layout == LAYOUT else _with_headers_in_a_layout)
    blueprint.context_processor(lambda: {"layout": layout, "fleet": fleet, "can_act": actions is not None, **TOOLS})
    blueprint.app_context_processor(lambda: {"error_summary": pages.summary})
    return blueprint


def _guards(
    login_required: Decorator | None, admin_required: Decorator | None, *, unprotected: bool
) -> list[Decorator]:
    """Return the decorators of each view, or refuse."""
    if unprotected:
        if login_required or admin_required:
            raise ConfigurationError(
                "unprotected", "True contradicts the decorators that are given with it; leave one or the other out"
            )
        return []
    given = {"login_required": login_required, "admin_required": admin_required}
    for name, guard in given.items():
        if guard is None:
            raise ConfigurationError(
                name, "None would show errors to everybody; pass the decorator, or unprotected=True"
            )
    return [guard for guard in given.values() if guard]


def with_headers(response: Response) -> Response:
    """Forbid foreign content, framing, sniffing and storing, unless the answer says otherwise itself."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _with_headers_in_a_layout(response: Response) -> Response:
    """Leave the policy of a page to the host: browsers keep to all that there are, and ours forbids its scripts."""
    before = response.headers.get(POLICY)
    response = with_headers(response)
    if before is None and response.mimetype == "text/html":
        del response.headers[POLICY]
    return response


def _user() -> str:
    return request.remote_user or "an administrator"


def _on_one_line() -> None:
    """Refuse an address with line ends in it: none of ours has any, and no header can hold one."""
    values = (*(request.view_args or {}).values(), *request.args.values())
    if any("\r" in value or "\n" in value for value in values):
        abort(404)


def _not_found(error: UnknownEventError) -> tuple[str, int]:
    return render_template("visigate_errors/trouble.html", title="Not found", text=str(error)), 404


def _unreadable(error: StoreError) -> tuple[str, int]:
    return render_template("visigate_errors/trouble.html", title="The errors cannot be read", text=str(error)), 503
