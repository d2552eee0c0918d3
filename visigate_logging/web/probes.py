"""What machines ask, without a session: whether all is well, and metrics for who has the token."""

import hmac
from collections.abc import Callable, Iterator
from typing import Any

from flask import Response, abort, request

from visigate_logging.exceptions import ConfigurationError, StoreError
from visigate_logging.health.exposition import negotiated
from visigate_logging.health.log import HealthSource, banners
from visigate_logging.health.metrics import MetricsSource
from visigate_logging.store.store import ErrorStore

_SHORTEST = 16
"""Characters of a token; fewer could be tried out."""


class Probes:
    """The two addresses for machines.

    Args:
        store, health, metrics, metrics_token: see :func:`~visigate_logging.web.create_blueprint`.

    Raises:
        ConfigurationError: metrics come without a token, or with a short one.
    """

    def __init__(
        self, store: ErrorStore, health: HealthSource | None, metrics: MetricsSource | None, metrics_token: str
    ) -> None:
        if metrics is not None and len(metrics_token) < _SHORTEST:
            raise ConfigurationError(
                "metrics_token", f"has fewer than {_SHORTEST} characters, which can be tried out"
            )
        self._store = store
        self._health = health
        self._metrics = metrics
        self._token = metrics_token

    def routes(self) -> Iterator[tuple[str, str, Callable[..., Any]]]:
        """Rule, endpoint and view of each."""
        yield "/healthz", "healthz", self.healthz
        if self._metrics is not None:
            yield "/metrics", "metrics", self.metrics

    def healthz(self) -> Response:
        """200 while nothing is wrong, 503 else; what it is, the pages say to who may see them."""
        try:
            well = all(banner.severity != "error" for banner in banners(self._store, self._health))
        except StoreError:
            well = False
        text = "ok\n" if well else "error handling is not well; visigate-errors doctor says why\n"
        return Response(text, 200 if well else 503, mimetype="text/plain")

    def metrics(self) -> Response:
        """Metrics in the format that is asked for, to who brings the token as a bearer (RFC 6750)."""
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self._token.encode()):
            abort(Response("the metrics' token is wanted\n", 401, {"WWW-Authenticate": "Bearer"}, "text/plain"))
        text, content_type = negotiated(request.headers.get("Accept", ""), self._metrics() if self._metrics else [])
        return Response(text, content_type=content_type)
