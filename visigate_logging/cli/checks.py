"""What is wrong with a configuration: what check, apply and rehearse have in common."""

from collections.abc import Iterator, Sequence

from visigate_logging.cli.output import complain, painted, paragraph
from visigate_logging.config.source import ERROR, NOTE, WARNING, Problem, Source
from visigate_logging.present.words import counted

COLOURS = {ERROR: "red", WARNING: "yellow", NOTE: "dim"}


def is_fine(problems: Sequence[Problem], *, strict: bool = False) -> bool:
    """Return whether a configuration with these problems may be applied."""
    return not [p for p in problems if p.severity == ERROR or (strict and p.severity != NOTE)]


def told(found: Sequence[tuple[Source, Sequence[Problem]]]) -> Iterator[str]:
    """Yield the problems of configurations; how many there are is said on standard error."""
    for source, problems in found:
        for problem in problems:
            severity = painted(f"{problem.severity:<7}", COLOURS[problem.severity])
            yield paragraph(f"{severity} ", source.told(problem))
        errors, warnings = (sum(p.severity == what for p in problems) for what in (ERROR, WARNING))
        complain(f"{source.path}: {counted(errors, 'error')}, {counted(warnings, 'warning')}")
