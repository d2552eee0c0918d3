"""The options of constructors, checked against their annotations: type, range, choices, what is nested, all at once.

::

    class Siren(logging.Handler):
        @checked
        def __init__(self, port: Port, volume: Annotated[float, Range(0, 1)] = 0.5, rules: Sequence[Rule] = ()):

An annotation is read as YAML gives values: ``Literal`` for choices, dataclasses for what is nested, ``Annotated`` for
what a type alone cannot say. The same annotations make the JSON Schema. (annotated-types and msgspec do parts of it:
the first brings no checks, the second stops at the first mistake, and either is one more library on each gate.)
"""

from visigate_logging.options.faults import NOTHING, Fault, KeyPath, is_secret, meant, path_of, possible, shown
from visigate_logging.options.kinds import (
    SIMPLE,
    Count,
    Encoding,
    Level,
    LevelName,
    Names,
    Number,
    OnUnencodable,
    Port,
    Range,
    Seconds,
    Size,
    Via,
    Writable,
    in_words,
)
from visigate_logging.options.reading import build, checked, error_of, faults_of, hints_of, read

__all__ = [
    "NOTHING",
    "SIMPLE",
    "Count",
    "Encoding",
    "Fault",
    "KeyPath",
    "Level",
    "LevelName",
    "Names",
    "Number",
    "OnUnencodable",
    "Port",
    "Range",
    "Seconds",
    "Size",
    "Via",
    "Writable",
    "build",
    "checked",
    "error_of",
    "faults_of",
    "hints_of",
    "in_words",
    "is_secret",
    "meant",
    "path_of",
    "possible",
    "read",
    "shown",
]
