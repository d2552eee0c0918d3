"""What is kept of each group when the file that it stands in goes: its first errors and its newest ones.

A storm of one fault fills all files of a log within minutes. Without this it would push the only record of another
fault out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import orjson

from visigate_logging.host.clock import utc_text
from visigate_logging.host.files import write_atomically

Line = tuple[str, bytes]
"""The time of a record as it stands in it, and its line."""


def kept_path(log: Path) -> Path:
    """Return the file beside a log that has what was kept of files that are gone."""
    return log.with_name(f"{log.name}.kept")


def keep_some(log: Path, leaving: Path, per_group: int, max_bytes: int, quiet: timedelta) -> None:
    """Keep some records of each group of a file that is about to go.

    Args:
        log: the details file.
        leaving: the file.
        per_group: records of each group: the first that there was, and the newest of the others.
        max_bytes: size that what is kept may have; the groups that were quiet for longest go first.
        quiet: groups without a record for so long, by the file's last one, are not kept any longer.

    Raises:
        OSError: a file cannot be read or written.
    """
    kept = kept_path(log)
    leaves = list(_lines(leaving))
    known = list(_lines(kept)) if kept.exists() else []
    groups: dict[str, list[Line]] = {}
    for key, line in [*known, *leaves]:
        groups.setdefault(key, []).append(line)
    chosen = _fitting(
        {key: _chosen(lines, per_group) for key, lines in groups.items()}, max_bytes, _before(leaves, quiet)
    )
    content = b"".join(line for _, line in sorted(chosen))
    if content != b"".join(line for _, (_, line) in known):
        like = leaving.stat()
        write_atomically(kept, content, mode=like.st_mode & 0o777, like=like)


def _lines(path: Path) -> Iterator[tuple[str, Line]]:
    """Return the records of a file, each with the group that it is of; what is none is not kept."""
    with path.open("rb") as file:
        for line in file:
            try:
                record = orjson.loads(line)
                key, time = record.get("fingerprint") or record["error_type"], record["timestamp"]
            except (orjson.JSONDecodeError, AttributeError, LookupError):
                continue
            if type(key) is str and type(time) is str:
                yield key, (time, line)


def _before(lines: Iterable[tuple[str, Line]], span: timedelta) -> str:
    """Return the time a span before the last of some records."""
    last = max((time for _, (time, _) in lines), default="")
    try:
        return utc_text((datetime.fromisoformat(last).astimezone() - span).timestamp())[:-1]
    except (ValueError, OverflowError):
        return ""


def _chosen(lines: Sequence[Line], per_group: int) -> Sequence[Line]:
    ordered = sorted(dict.fromkeys(lines))
    if len(ordered) <= per_group:
        return ordered
    return [ordered[0], *ordered[1 - per_group :]] if per_group > 1 else ordered[-1:]


def _fitting(groups: Mapping[str, Sequence[Line]], max_bytes: int, since: str) -> Iterable[Line]:
    """Return the lines of the groups that came last, as many as there is room for."""
    room = max_bytes
    for lines in sorted(groups.values(), key=lambda lines: lines[-1][0], reverse=True):
        room -= sum(len(line) for _, line in lines)
        if room < 0 or lines[-1][0] < since:
            return
        yield from lines
