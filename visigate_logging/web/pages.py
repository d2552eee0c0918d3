"""The pages: what each takes out of the store, and what its template gets."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

from flask import (
    Response,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    send_from_directory,
    stream_with_context,
    url_for,
)

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.health.log import HealthSource, banners
from visigate_logging.host.timeline import between, when
from visigate_logging.insight.trends import trend_of
from visigate_logging.present import context
from visigate_logging.present.severities import worst_first
from visigate_logging.store.export import FORMATS
from visigate_logging.store.store import ErrorStore
from visigate_logging.web.charts import stacked
from visigate_logging.web.decisions import act, new_token, with_token
from visigate_logging.web.listing import Listing
from visigate_logging.web.query import Query
from visigate_logging.web.recoveries import Recoveries, RecoverySource
from visigate_logging.web.sheet import facts, nodes, plain_report
from visigate_logging.web.text import SHOWN, text

View = Callable[..., Any]
MessageSource = Callable[[str], list[dict[str, Any]]]
TimelineSource = Callable[[datetime], list[dict[str, Any]]]

STATIC = Path(__file__).parent / "static"
ROWS = 50
DAYS = 30
WORST = 5
RECENT = timedelta(days=1)
EVENTS = timedelta(days=7)
MOST_EVENTS = 50
LEGACY = re.compile(r"error_\d{8}_\d{6}(_[^/]*)?\.json")
DOTS = {".", ".."}


def _no_events(_since: datetime) -> list[dict[str, Any]]:
    return []


def _between(
    events: Iterable[Mapping[str, Any]], errors: Sequence[ErrorDetail], *, is_first: bool
) -> list[list[tuple[datetime | None, Mapping[str, Any]]]]:
    """Return what happened to the host after each of some errors and before the next, the newest first."""
    found = between(events, [SHOWN.when(error) or datetime.now(UTC) for error in errors])
    if found and not is_first:
        found[0] = []
    return [[(when(event), event) for event in some] for some in found]


class Pages:
    """The views of one store.

    Args:
        store, health, recoveries, user, timeline, messages: see :func:`~visigate_logging.web.create_blueprint`.
    """

    def __init__(
        self,
        store: ErrorStore,
        health: HealthSource | None,
        recoveries: RecoverySource | None,
        user: Callable[[], str],
        timeline: TimelineSource | None = None,
        messages: MessageSource | None = None,
    ) -> None:
        self._store = store
        self._timeline = timeline or _no_events
        self._messages = messages or (lambda _key: [])
        self._health = health
        self._recoveries = Recoveries(store, recoveries)
        self._listing = Listing(store, self._recoveries)
        self._user = user

    def routes(self) -> Iterator[tuple[str, str, View]]:
        """Rule, endpoint and view of each page: all there are, so that none is left unguarded."""
        yield "", "system_errors", self.system_errors
        yield "/csv", "csv", self.errors_csv
        yield "/decide", "decide", self.decide
        yield "/summary", "summary", self.summary_json
        yield "/groups/<path:key>", "error_group", self.error_group
        yield "/static/<path:filename>", "static", self.static
        yield "/<event_id>", "view_error_details", self.view_error_details
        yield "/<event_id>/json", "download", self.download

    def system_errors(self) -> Any:
        """Show the list: what is wrong, how often, since when. Who has it as it is now gets it not again."""
        query, known = self._listing.asked(request.args)
        found = banners(self._store, self._health)
        events = [
            (when(event), event) for event in self._timeline(datetime.now(UTC) - EVENTS)[: -MOST_EVENTS - 1 : -1]
        ]
        etag = _etag(
            self._listing.mark(), found, len(events), str(events[:1]), sorted(query.address().items()), query.cursor
        )
        if etag in request.if_none_match:
            return Response(status=304)
        csrf = new_token()
        asked = self._listing.found(query, known)
        unknown = [event for _, event in events if not event.get("is_error")]
        happened = _between(unknown, asked["errors"], is_first=not query.cursor)
        page = self._render("list", banners=found, csrf=csrf, etag=etag, events=events, happened=happened, **asked)
        response = with_token(make_response(page), csrf)
        response.set_etag(etag)
        return response

    def errors_csv(self) -> Response:
        """Send the errors of the list, or of a group, as a file for spreadsheets."""
        query, _ = self._listing.asked(request.args)
        lines = FORMATS["csv"](self._listing.errors(query))
        headers = {"Content-Disposition": 'attachment; filename="errors.csv"'}
        return Response(stream_with_context(lines), headers=headers, mimetype="text/csv")

    def decide(self) -> Any:
        """Keep what an administrator has decided about groups, and go back."""
        return act(self._store, self._user)

    def error_group(self, key: str) -> Any:
        """One group: how often, since when, what differs, its state, and its errors."""
        query, now = Query.from_address(request.args | {"view": "errors"}), datetime.now(UTC)
        found = self._store.group(key, days=DAYS, limit=ROWS, cursor=query.cursor)
        charts = {
            "days": stacked(self._store.timeline(days=DAYS, group=key), "%d %b"),
            "hours": stacked(self._store.timeline(hours=24, group=key), "%H:%M"),
        }
        csrf = new_token()
        events = self._timeline(now - timedelta(days=DAYS))[-MOST_EVENTS:]
        happened = _between(events, found["events"].records, is_first=not query.cursor)
        beside = {
            "happened": happened,
            "messages": self._messages(key),
            "recoveries": self._recoveries.of_group(key)[:ROWS],
        }
        page = self._render(
            "group", key=key, query=query, now=now, charts=charts, days=DAYS, csrf=csrf, **found, **beside
        )
        return with_token(make_response(page), csrf)

    def view_error_details(self, event_id: str) -> Any:
        """One error, read to its cause."""
        if LEGACY.fullmatch(event_id):
            return redirect(url_for(".view_error_details", event_id=self._store.imported(event_id).event_id))
        record = self._store.get(event_id)
        older, newer = self._store.neighbours(record)
        return self._render(
            "detail",
            record=record,
            now=datetime.now(UTC),
            facts=facts(record),
            nodes=nodes(record),
            others=self._store.around(record),
            before=context.moments(record),
            warned=context.warned(record),
            state=context.machine(record),
            unusual=context.unusual(record),
            report=plain_report(record),
            recoveries=self._recoveries.of(record.event_id),
            older=older,
            newer=newer,
        )

    def download(self, event_id: str) -> Response:
        """One error as the JSON that is in the log."""
        record = self._store.get(event_id)
        name = f"error-{record.event_id}.json"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(record.to_json() + b"\n", headers=headers, mimetype="application/json")

    def summary_json(self) -> Response:
        """Send the summary for programs."""
        return jsonify(self.summary())

    def summary(self) -> dict[str, Any]:
        """Return counts of today, the worst open groups of the last day, the trend, and whether all is well."""
        spans, since, is_mended = (
            self._store.timeline(days=DAYS),
            datetime.now(UTC) - RECENT,
            self._recoveries.mended(),
        )
        open_ = [
            g for g in self._store.groups(ROWS, days=DAYS, state="open") if g.last_seen > since and not is_mended(g)
        ]
        worst = sorted(open_, key=worst_first)[:WORST]
        found = banners(self._store, self._health)
        return {
            "today": spans[-1]["total"],
            "severities": {text(severity, 20): n for severity, n in spans[-1]["severities"].items()},
            "worst": [
                group.to_dict() | {"title": text(group.title, 200), "url": group_url(group.key)} for group in worst
            ],
            "trend": trend_of(tuple(span["total"] for span in spans[:-1])).direction,
            "healthy": not found,
            "health": [{"severity": text(banner.severity, 20), "text": text(banner.text, 1000)} for banner in found],
        }

    def static(self, filename: str) -> Response:
        """Send the style sheet and the script."""
        return send_from_directory(STATIC, filename)

    def _render(self, name: str, **values: Any) -> str:
        return render_template(f"visigate_errors/{name}.html", **values)


def group_url(key: str) -> str:
    """Return the address of a group; one whose key cannot be part of a path is a filter of the list."""
    if DOTS & set(key.split("/")) or key.startswith("/"):
        return url_for("errors.system_errors", view="errors", period="30d", group=key)
    return url_for("errors.error_group", key=key)


def _etag(*parts: object) -> str:
    return blake2b(repr(parts).encode("utf-8", "replace"), digest_size=12).hexdigest()
