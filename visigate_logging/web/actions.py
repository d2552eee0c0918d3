"""The page on which administrators act on the host, where the configuration allows it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from flask import Response, make_response, redirect, render_template, request, url_for

from visigate_logging.exceptions import ConfigurationError, RecoveryError
from visigate_logging.health.actions import Actions
from visigate_logging.web.decisions import new_token, not_done, refuse_foreign, with_token

ROWS = 50


class ActionPages:
    """The page, and what its forms ask for.

    Args:
        actions: what can be done.
        user: tells who is logged in.
    """

    def __init__(self, actions: Actions, user: Callable[[], str]) -> None:
        self._actions = actions
        self._user = user

    def routes(self) -> Iterator[tuple[str, str, Callable[..., Any]]]:
        """Yield rule, endpoint and view of each; the endpoint in POSTS takes forms."""
        yield "/actions", "actions", self.show
        yield "/act", "act", self.act

    def show(self) -> Any:
        """Show what can be done, and what was."""
        trail = self._actions.trail(ROWS)
        try:
            known, problem = self._actions.known(), ""
        except (ConfigurationError, OSError) as error:
            known, problem = {}, str(error)
        etag = blake2b(repr((trail, known, problem)).encode("utf-8", "replace"), digest_size=8).hexdigest()
        if etag in request.if_none_match:
            return Response(status=304)
        csrf = new_token()
        page = render_template(
            "visigate_errors/actions.html",
            known=known,
            problem=problem,
            trail=trail,
            csrf=csrf,
            etag=etag,
            now=datetime.now(UTC),
        )
        response = with_token(make_response(page), csrf)
        response.set_etag(etag)
        return response

    def act(self) -> Any:
        """Begin what the form asks for, and go back to the page."""
        refuse_foreign()
        trial = request.form.get("how") == "try"
        if not trial and request.form.get("sure") != "yes":
            return not_done("It acts on this host: say that you are sure.", 400)
        try:
            self._actions.start(request.form.get("name", "")[:500], self._user()[:100] or "somebody", trial=trial)
        except RecoveryError as error:
            return not_done(str(error), 409)
        except (ConfigurationError, OSError) as error:
            return not_done(f"Nothing was done, as it could not be written down: {error}", 503)
        return redirect(url_for("errors.actions"), 303)
