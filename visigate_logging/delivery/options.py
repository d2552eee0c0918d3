"""The options that all handlers have that tell people of errors: what each can be, as its annotation."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from visigate_logging.delivery.summary import read_schedule
from visigate_logging.delivery.throttle import Windows
from visigate_logging.options import Fault, Range, Via, meant
from visigate_logging.present.advice import Advice, read_advice


def windows_faults(windows: Windows) -> list[Fault]:
    """Return what cannot be about windows together."""
    if windows.max_interval >= windows.interval:
        return []
    return [
        Fault(("max_interval",), f"is shorter than interval, which is {windows.interval:g}", windows.max_interval)
    ]


def _severity(value: int | str) -> int:
    known = logging.getLevelNamesMapping()
    if isinstance(value, str) and value.upper() not in known:
        raise ValueError(f"is no level; known are {', '.join(known)}{meant(value, known)}")
    return known[value.upper()] if isinstance(value, str) else value


def _directory(value: str | os.PathLike[str]) -> Path:
    if not os.fspath(value).strip():
        raise ValueError("is no directory")
    return Path(value).absolute()  # it stays the same when the process changes its working directory


Positive = Annotated[float, Range(above=0, unit="seconds")]
Severity = Annotated[int | str, Via(_severity, "a level")]
StateDirectory = Annotated[str | os.PathLike[str], Via(_directory, "a path")]
AdviceTable = Annotated[
    Mapping[str, str] | Sequence[Mapping[str, Any]] | tuple[Advice, ...] | None, Via(read_advice, raw=True)
]
Summary = Annotated[str | None, Via(read_schedule)]
