"""Say what a check is about, and what it has found."""

from dataclasses import dataclass
from typing import Any

import visigate_logging.config.load as loading
from visigate_logging.config.objects import Object


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

    source: loading.Source
    objects: list[Object]
    status: dict[str, Any]
