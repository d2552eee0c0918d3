"""What a page's address asks for."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from werkzeug.exceptions import BadRequest

from visigate_logging.store.facets import GROUP, NAMES

__all__ = ["PERIODS", "Query"]

PERIODS = {
    "24h": ("24 hours", timedelta(hours=24)),
    "7d": ("7 days", timedelta(7)),
    "30d": ("30 days", timedelta(30)),
}
CURSORS = {"groups": re.compile(r"-?\d{1,18}-\d{1,18}"), "errors": re.compile(r"-?\d{1,18}-[0-9a-f]{16}")}
LONGEST = 500


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
    """

    view: str = "groups"
    period: str = "7d"
    words: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    cursor: str | None = None

    @classmethod
    def from_address(cls, args: Mapping[str, str], facets: Iterable[str] = NAMES) -> "Query":
        """The query of an address.

        Args:
            args: of the address.
            facets: which there are, those of the application's own as well.

        Raises:
            BadRequest: a value that cannot be; it names it.
        """
        view = _one_of(args, "view", tuple(CURSORS), cls.view)
        cursor = args.get("cursor") or None
        if cursor and not CURSORS[view].fullmatch(cursor):
            raise BadRequest(f"cursor: {cursor!r} is none; take the one that the page before gave")
        given = {name: args.get(name, "")[:LONGEST] for name in (*facets, GROUP)}
        return cls(
            view=view,
            period=_one_of(args, "period", tuple(PERIODS), cls.period),
            words={name: word for name, word in given.items() if word},
            text=args.get("text", "").strip()[:LONGEST],
            since=_moment(args, "since"),
            until=_moment(args, "until"),
            cursor=cursor,
        )

    def address(self, **changes: Any) -> dict[str, str]:
        """The arguments of an address that asks for this, with changes; it begins at the first page."""
        asked: dict[str, Any] = {
            "view": self.view,
            "period": self.period,
            "text": self.text,
            "since": self.since and self.since.strftime("%Y-%m-%dT%H:%M"),
            "until": self.until and self.until.strftime("%Y-%m-%dT%H:%M"),
            **self.words,
            **changes,
        }
        usual = {"view": Query.view, "period": Query.period}
        return {name: value for name, value in asked.items() if value and usual.get(name) != value}

    def begin(self, now: datetime) -> datetime:
        """From when on errors are asked for."""
        return self.since or now - PERIODS[self.period][1]


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
