"""What a page's address asks for."""

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask import url_for
from werkzeug.exceptions import BadRequest

from visigate_logging.detail.plain import plain
from visigate_logging.store.facets import GROUP, NAMES
from visigate_logging.store.store import ErrorStore
from visigate_logging.web.searching import asked_for

PERIODS = {
    "24h": ("24 hours", timedelta(hours=24)),
    "7d": ("7 days", timedelta(7)),
    "30d": ("30 days", timedelta(30)),
}
SORTS = {"last": "last seen", "first": "newest kind", "count": "count", "severity": "severity"}
STATES = ("open", "resolved", "muted", "all")
CURSORS = {"groups": re.compile(r"-?\d{1,18}-\d{1,18}"), "errors": re.compile(r"-?\d{1,18}-[0-9a-f]{16}")}
LONGEST = 500
TAKEN = {"view", "period", "cursor", "sort", "state", "new", "q"}.union(
    *(
        inspect.signature(asked).parameters
        for asked in (ErrorStore.recent, ErrorStore.groups, ErrorStore.timeline, url_for)
    )
)
"""Names that an address, or who answers it, has for something else than a facet of the application's own."""


@dataclass(frozen=True)
class Query:
    """The view, the period and the filters of a list, as they stand in its address.

    Args:
        view: ``groups`` or ``errors``.
        period: a key of PERIODS.
        words: of type, module and the other facets, those that are set; ``group`` as well.
        text: what errors must contain.
        since, until: a span of time instead of the period, for single errors.
        cursor: where the page begins.
        sort: of groups, a key of SORTS.
        state: of groups, one of STATES.
        new: only groups that were first seen within a day.
        problems: what of a search line cannot be.
    """

    view: str = "groups"
    period: str = "7d"
    words: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    cursor: str | None = None
    sort: str = "last"
    state: str = "open"
    new: bool = False
    problems: Sequence[str] = ()

    @classmethod
    def from_address(cls, args: Mapping[str, str], choices: Mapping[str, Sequence[str]] | None = None) -> "Query":
        """Return the query of an address.

        Args:
            args: of the address.
            choices: the facets that there are, those of the application's own as well, and their values.

        Raises:
            BadRequest: a value that cannot be; it names it.
        """
        choices = dict.fromkeys(NAMES, ()) if choices is None else choices
        asked, problems = asked_for(args.get("q", "")[:LONGEST], choices)
        if asked:
            args = {**args, **asked, "cursor": ""}
        view = _one_of(args, "view", tuple(CURSORS), cls.view)
        cursor = args.get("cursor") or None
        if cursor and not CURSORS[view].fullmatch(cursor):
            raise BadRequest(f"cursor: {cursor!r} is none; take the one that the page before gave")
        given = {name: args.get(name, "")[:LONGEST] for name in (*choices, GROUP)}
        return cls(
            view=view,
            period=_one_of(args, "period", tuple(PERIODS), cls.period),
            words={name: word for name, word in given.items() if word},
            text=args.get("text", "").strip()[:LONGEST],
            since=_moment(args, "since"),
            until=_moment(args, "until"),
            cursor=cursor,
            sort=_one_of(args, "sort", tuple(SORTS), cls.sort),
            state=_one_of(args, "state", STATES, cls.state),
            new=bool(args.get("new")),
            problems=problems,
        )

    def address(self, **changes: Any) -> dict[str, str]:
        """Return the arguments of an address that asks for this, with changes; it begins at the first page."""
        asked: dict[str, Any] = {
            "view": self.view,
            "period": self.period,
            "text": self.text,
            "since": self.since and self.since.strftime("%Y-%m-%dT%H:%M"),
            "until": self.until and self.until.strftime("%Y-%m-%dT%H:%M"),
            "sort": self.sort,
            "state": self.state,
            "new": "1" if self.new else "",
            **self.words,
            **changes,
        }
        usual = {"view": Query.view, "period": Query.period, "sort": Query.sort, "state": Query.state}
        return {name: value for name, value in asked.items() if value and usual.get(name) != value}

    def chips(self) -> list[tuple[str, str, dict[str, str]]]:
        """Return what is asked for: its name, its value, and the address without it."""
        found = {**self.words, "text": self.text, "new": "is" if self.new else ""}
        times = {name: value for name in ("since", "until") if (value := self.address().get(name))}
        shown = [(name, value) for name, value in (*found.items(), *times.items()) if value]
        told = {"new": ("is", "new")} | {name: (name, value.replace("T", " ")) for name, value in times.items()}
        return [(*told.get(name, (name, value)), self.address(**{name: None})) for name, value in shown]

    @property
    def is_narrow(self) -> bool:
        """Return whether something is asked for that counts over time do not know."""
        return bool(self.text or self.new or self.since or self.until)

    def begin(self, now: datetime) -> datetime:
        """From when on errors are asked for."""
        return self.since or now - PERIODS[self.period][1]


def askable(name: str) -> bool:
    """Return whether an address can ask for a facet: its name came with a record, and may be any text."""
    return name in NAMES or (name not in TAKEN and name == plain(name, one_line=True))


def _one_of(args: Mapping[str, str], name: str, known: tuple[str, ...], usual: str) -> str:
    given = args.get(name) or usual
    if given not in known:
        raise BadRequest(f"{name}: {given!r} is none of {', '.join(known)}")
    return given


def _moment(args: Mapping[str, str], name: str) -> datetime | None:
    given = args.get(name)
    try:
        return datetime.fromisoformat(given).astimezone() if given else None
    except (ValueError, OverflowError, OSError) as error:
        raise BadRequest(f"{name}: {given!r} is no time, such as 2026-05-04T12:30") from error
