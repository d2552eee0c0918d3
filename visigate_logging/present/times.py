"""Read times as people write them."""

import re
from datetime import datetime, time, timedelta

EXAMPLES = "30s, 2h, 3d, yesterday, 08:00 or 2026-05-04T12:30"
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DAYS = {"today": 0, "yesterday": 1}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def moment(text: str, now: datetime | None = None) -> datetime:
    """Return the time that a text names, in the host's own zone.

    Args:
        text: so many seconds, minutes, hours, days or weeks ago (``30s``, ``2h``, ``3d``); ``now``; ``today``,
            ``yesterday`` or the last day of a name (``monday``), with a time of the day or from midnight on; a time
            of the day alone (``08:00``), the last that there was; or ISO 8601.
        now: the time to count from; the present when not given.

    Raises:
        ValueError: it is none of these.
    """
    now = (now or datetime.now()).astimezone()
    words = text.strip().lower().split()
    if words == ["now"]:
        return now
    if ago := re.fullmatch(r"(\d+)([smhdw])(?: ago)?", " ".join(words)):
        return _shifted(now, timedelta(**{UNITS[ago[2]]: int(ago[1])}))
    if words and (back := _days_back(words[0], now)) is not None:
        return _at(now - timedelta(days=back), _time(words[1]) if len(words) == 2 else time())
    if re.fullmatch(r"\d{1,2}:\d\d(:\d\d)?", text.strip()):
        today = _at(now, _time(text.strip()))
        return today if today <= now else _at(now - timedelta(days=1), _time(text.strip()))
    try:
        return datetime.fromisoformat(text.strip()).astimezone()
    except OverflowError as error:
        raise ValueError(str(error)) from error


def _shifted(now: datetime, span: timedelta) -> datetime:
    try:
        return now - span
    except OverflowError as error:
        raise ValueError(str(error)) from error


def _days_back(word: str, now: datetime) -> int | None:
    if word in _WEEKDAYS:
        return (now.weekday() - _WEEKDAYS.index(word)) % 7
    return _DAYS.get(word)


def _time(text: str) -> time:
    return time.fromisoformat(text.zfill(5) if len(text) < 6 else text)


def _at(day: datetime, when: time) -> datetime:
    """Return a time of a day; its offset is that day's own, as a zone's may differ from today's."""
    return datetime.combine(day.date(), when).astimezone()
