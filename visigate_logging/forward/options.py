"""The options of forwarding: what each can be, as its annotation, and what they come to together."""

import os
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from visigate_logging.forward.privacy import Privacy, Pseudonyms
from visigate_logging.forward.selection import Selection
from visigate_logging.forward.target import Target
from visigate_logging.forward.targets import OneTarget
from visigate_logging.options import Names, Range, Via

_SPAN = re.compile(r"(\d+) ?([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST = timedelta(days=36_500)


@dataclass(frozen=True)
class ForwardOptions:
    """The options, checked.

    Args:
        target: who takes the records.
        log: the file that they are in.
        state_dir: directory that the processes of the host share.
        selection: which records are forwarded.
        privacy: what of them stays here.
        max_bytes: of the records in one request, before they are packed.
        max_per_minute: records.
        backfill: how old the records may be that were there before; None for none of them.
    """

    target: Target
    log: Path
    state_dir: Path
    selection: Selection
    privacy: Privacy
    max_bytes: int
    max_per_minute: int
    backfill: timedelta | None


def forward_options(
    target: OneTarget | None,
    log: Any,
    state_dir: Any,
    selection: Selection,
    privacy: Privacy,
    max_bytes: int,
    max_per_minute: int,
    backfill: Any,
) -> ForwardOptions | None:
    """Return the options together, as they were read; None without a target."""
    if target is None:
        return None
    return ForwardOptions(target.chosen, log, state_dir, selection, privacy, max_bytes, max_per_minute, backfill)


def selected(severity: Any, categories: Any, loggers: Any) -> Selection:
    """Return which records are forwarded, from options as they were read."""
    return Selection(severity, categories or (), loggers or ())


def private(leave_out: Any, pseudonyms: Pseudonyms | None) -> Privacy:
    """Return what of a record stays on the host, from options as they were read."""
    return Privacy(leave_out or (), pseudonyms)


def _path(value: str | os.PathLike[str]) -> Path:
    if not os.fspath(value).strip():
        raise ValueError("is no path")
    return Path(value).absolute()  # it stays the same when the process changes its working directory


def _backfill(value: str) -> timedelta:
    found = _SPAN.fullmatch(value)
    if value == "all":
        return _LONGEST
    if found is None:
        raise ValueError("is no time such as 12h, 7d or 2w, nor all")
    return min(timedelta(**{_UNITS[found[2]]: min(int(found[1]), 10**6)}), _LONGEST)


LogFile = Annotated[str | os.PathLike[str], Via(_path, "a path")]
TargetTable = OneTarget | None
PseudonymTable = Pseudonyms | None
Bytes = Annotated[int, Range(1024, unit="bytes")]
PerMinute = Annotated[int, Range(1)]
Backfill = Annotated[str, Via(_backfill)] | None
OptionalNames = Names | None
