"""The options of forwarding: what each can be, as its annotation, and what they come to together."""

import os
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from visigate_logging.forward.privacy import Privacy
from visigate_logging.forward.selection import Selection
from visigate_logging.forward.target import Target
from visigate_logging.options import Range, Via

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
Bytes = Annotated[int, Range(1024, unit="bytes")]
PerMinute = Annotated[int, Range(1)]
Backfill = Annotated[str, Via(_backfill)]
