"""Times: microseconds since 1970 within the store, days of a time zone and RFC 3339 at its rim."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cached_property

QUARTER = 900_000_000
"""Microseconds of a quarter of an hour: every time zone in use begins its days with one."""
HOUR = 4 * QUARTER
DAY = 24 * HOUR
MINUTE = QUARTER // 15
EARLIEST, LATEST = -2_208_988_800_000_000, 7_258_118_400_000_000
"""1900 and 2200, microseconds since 1970: times before and after are taken for these, since no time zone and no
calendar can be trusted to bear them."""
JANUARY_2020 = 1_577_836_800
FAR = 2000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def micros(when: datetime) -> int:
    """Microseconds since 1970; a time without a zone is local, one too far away is the farthest that there is."""
    try:
        return (when.astimezone(UTC) - EPOCH) // MICROSECOND
    except (OverflowError, OSError, ValueError):
        return EARLIEST if when.year < FAR else LATEST


def from_micros(at: int, tz: tzinfo | None = None) -> datetime:
    """Return the time in a zone; None is the local one."""
    return (EPOCH + at * MICROSECOND).astimezone(tz)


def parse_timestamp(text: str) -> int:
    """Microseconds since 1970 of an RFC 3339 timestamp, of one without an offset as UTC; at least 1900, at most 2200.

    Raises:
        ValueError: it is none.
    """
    when = datetime.fromisoformat(text)
    since = (when if when.tzinfo else when.replace(tzinfo=UTC)) - EPOCH
    at = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds  # half the time of // MICROSECOND
    return at if EARLIEST <= at <= LATEST else EARLIEST if at < EARLIEST else LATEST


def midnight(day: date, tz: tzinfo | None = None) -> int:
    """Return when a day begins in a zone: its first moment, also where clocks skip midnight or show it twice."""
    first, second = (micros(datetime(day.year, day.month, day.day, tzinfo=tz, fold=fold)) for fold in (0, 1))
    if first == second:
        return first
    # At a skipped midnight zoneinfo and the local zone differ in which fold is the moment after it.
    return min((at for at in (first, second) if from_micros(at, tz).date() == day), default=max(first, second))


@dataclass(frozen=True)
class Period:
    """The last days up to now, today included.

    Args:
        now: microseconds since 1970.
        days: how many.
        tz: the zone that they are days of; None is the local one.
    """

    now: int
    days: int
    tz: tzinfo | None = None

    @cached_property
    def dates(self) -> Sequence[date]:
        """The days, the oldest first."""
        today = from_micros(self.now, self.tz).date()
        return [today - timedelta(days=back) for back in range(self.days - 1, -1, -1)]

    @cached_property
    def limits(self) -> Sequence[int]:
        """When each day begins, and when the last one ends."""
        return [midnight(day, self.tz) for day in [*self.dates, self.dates[-1] + timedelta(days=1)]]


def zone_name() -> str:
    """Return what tells the local time zone from another: its names, and its offsets through ten years."""
    offsets = [time.localtime(JANUARY_2020 + month * 2_630_000).tm_gmtoff for month in range(120)]
    return f"{time.tzname} {hash(tuple(offsets))}"
