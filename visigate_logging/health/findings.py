"""Say what a check is about, and what it has found."""

from dataclasses import dataclass
from typing import Any

from visigate_logging.config.objects import Object
from visigate_logging.config.source import Source


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and what to do when it is not well."""

    about: str
    well: bool
    text: str
    cure: str = ""


@dataclass(frozen=True)
class Subject:
    """What the checks look at."""

    source: Source
    objects: list[Object]
    status: dict[str, Any]
