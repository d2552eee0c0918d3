"""The pages: what each takes out of the store, and what its template gets."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Response, jsonify, redirect, render_template, request, send_from_directory, url_for

from visigate_logging.health.log import HealthSource, banners
from visigate_logging.insight.trends import trend_of
from visigate_logging.present.severities import worst_first
from visigate_logging.store.groups import Group
from visigate_logging.store.plain import plain
from visigate_logging.store.store import ErrorStore
from visigate_logging.web.bursts import Bursts
from visigate_logging.web.charts import stacked
from visigate_logging.web.query import PERIODS, Query
from visigate_logging.web.recoveries import Recoveries, RecoverySource
from visigate_logging.web.sheet import facts, nodes, plain_report
from visigate_logging.web.shown import text

__all__ = ["Pages", "group_url"]

View = Callable[..., Any]

STATIC = Path(__file__).parent / "static"
ROWS = 50
DAYS = 30
CHOICES = 100
"""Values offered for one filter."""
WORST = 5
RECENT = timedelta(days=1)
LEGACY = re.compile(r"error_\d{8}_\d{6}(_[^/]*)?\.json")
DOTS = {".", ".."}


class Pages:
    """The views of one store.

    Args:
        store, health, recoveries: see :func:`~visigate_logging.web.create_blueprint`.
    """

    def __init__(self, store: ErrorStore, health: HealthSource | None, recoveries: RecoverySource | None) -> None:
        self._store = store
        self._bursts = Bursts(store)
        self._health = health
        self._recoveries = Recoveries(store, recoveries)

    def routes(self) -> Iterator[tuple[str, str, View]]:
        """Rule, endpoint and view of each page: all there are, so that none is left unguarded."""
        yield "", "system_errors", self.system_errors
        yield "/summary", "summary", self.summary_json
        yield "/groups/<path:key>", "error_group", self.error_group
        yield "/static/<path:filename>", "static", self.static
        yield "/<event_id>", "view_error_details", self.view_error_details
        yield "/<event_id>/json", "download", self.download

    def system_errors(self) -> str:
        """The list: what is wrong, how often, since when."""
        known, now = self._store.choices(), datetime.now(UTC)
        query = Query.from_address(request.args, known)
        return self._render(
            "list",
            query=query,
            now=now,
            periods=PERIODS,
            banners=banners(self._store, self._health),
            chart=self._chart(query),
            choices=_choices(query, known),
            **(self._groups(query, now) if query.view == "groups" else self._errors(query, now)),
        )

    def error_group(self, key: str) -> str:
        """One group: how often, since when, what differs, and its errors."""
        query, now = Query.from_address(request.args | {"view": "errors"}), datetime.now(UTC)
        found = self._store.group(key, days=DAYS, limit=ROWS, cursor=query.cursor)
        spans = self._store.timeline(days=DAYS, group=key)
        return self._render("group", key=key, query=query, now=now, chart=stacked(spans, "%d %b"), days=DAYS, **found)

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
        """The summary for programs."""
        return jsonify(self.summary())

    def summary(self) -> dict[str, Any]:
        """Counts of today, the worst open groups of the last day, the trend, and whether error handling is well."""
        spans, since, is_mended = (
            self._store.timeline(days=DAYS),
            datetime.now(UTC) - RECENT,
            self._recoveries.mended(),
        )
        open_ = [g for g in self._store.groups(ROWS, days=DAYS) if g.last_seen > since and not is_mended(g)]
        worst = sorted(open_, key=worst_first)[:WORST]
        found = banners(self._store, self._health)
        return {
            "today": spans[-1]["total"],
            "severities": spans[-1]["severities"],
            "worst": [
                group.to_dict() | {"title": text(group.title, 200), "url": group_url(group.key)} for group in worst
            ],
            "trend": trend_of(tuple(span["total"] for span in spans[:-1])).direction,
            "healthy": not found,
            "health": [banner._asdict() for banner in found],
        }

    def static(self, filename: str) -> Response:
        """The style sheet and the script of the copy button."""
        return send_from_directory(STATIC, filename)

    def _render(self, name: str, **values: Any) -> str:
        return render_template(f"visigate_errors/{name}.html", **values)

    def _chart(self, query: Query) -> Any:
        if query.period == "24h":
            return stacked(self._store.timeline(hours=24, **query.words), "%H:%M")
        return stacked(self._store.timeline(days=PERIODS[query.period][1].days, **query.words), "%d %b")

    def _groups(self, query: Query, now: datetime) -> dict[str, Any]:
        page = self._store.groups(ROWS, days=DAYS, text=query.text or None, cursor=query.cursor, **query.words)
        shown = [group for group in page if group.last_seen >= query.begin(now)]
        # They are ordered by when they were last seen: what is too old is followed by nothing newer.
        cursor = page.cursor if len(shown) == len(page) else None
        is_mended = self._recoveries.mended()
        return _listed(groups=[(group, self._marks(group, now, is_mended)) for group in shown], cursor=cursor)

    def _marks(self, group: Group, now: datetime, is_mended: Callable[[Group], bool]) -> list[str]:
        marks = {
            "new": group.first_seen > now - RECENT,
            "rising": group.trend == "rising",
            "burst": self._bursts.had(group, now),
            "recovered": is_mended(group),
        }
        return [mark for mark, holds in marks.items() if holds]

    def _errors(self, query: Query, now: datetime) -> dict[str, Any]:
        page = self._store.recent(
            ROWS,
            since=query.begin(now),
            until=query.until,
            text=query.text or None,
            cursor=query.cursor,
            **query.words,
        )
        return _listed(errors=page.records, cursor=page.cursor, searched_back_to=page.searched_back_to)


def group_url(key: str) -> str:
    """The address of a group; one whose key cannot be part of a path is a filter of the list."""
    if DOTS & set(key.split("/")) or key.startswith("/"):
        return url_for("errors.system_errors", view="errors", period="30d", group=key)
    return url_for("errors.error_group", key=key)


def _listed(**found: Any) -> dict[str, Any]:
    return {"groups": (), "errors": (), "cursor": None, "searched_back_to": None} | found


def _choices(query: Query, known: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """What to offer for each facet, as far as errors differ in it or one is asked for."""
    asked = query.words
    return {name: _offered(asked.get(name, ""), words) for name, words in known.items() if words != [""]}


def _offered(chosen: str, known: list[str]) -> list[str]:
    """Words for a filter, that which is set among them; those that no form could give back are left out."""
    words = known[:CHOICES] if not chosen or chosen in known[:CHOICES] else [chosen, *known[:CHOICES]]
    return [word for word in words if word == plain(word)]
