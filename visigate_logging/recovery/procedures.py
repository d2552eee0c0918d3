"""Procedures as the configuration has them: for which errors, which steps, how often."""

import importlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

from visigate_logging.detail.conditions import Status, search, status_of
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.options import Fault, KeyPath, Range, Seconds, Via, build, error_of, path_of, read
from visigate_logging.recovery.application import find
from visigate_logging.recovery.codes import Code, Verdict
from visigate_logging.recovery.policy import Limits
from visigate_logging.recovery.steps import step_named
from visigate_logging.recovery.steps.base import Context, Step

PLACEHOLDER = re.compile(r"\{(\w+)\}")
PLACEHOLDERS = ("procedure", "key", "event_id", "error_type", "logger")
UNSAFE = re.compile(r"[^\w.:@-]")  # what a placeholder's value may not bring into a path, URL or argument
LONGEST_VALUE = 80


@dataclass(frozen=True)
class Planned:
    """One step of a procedure: its name, its parameters as given, and the step they make."""

    name: str
    parameters: Mapping[str, Any]
    step: Step

    @classmethod
    def read(cls, value: Any) -> Self:
        """Make one from ``{name: {parameter: value}}``, or from a name alone."""
        if isinstance(value, str):
            value = {value: {}}
        if not isinstance(value, Mapping) or len(value) != 1:
            raise ValueError("is not one step, as in - probe_tcp: {host: ..., port: ...}")
        ((name, parameters),) = value.items()
        try:
            kind = step_named(str(name))
        except ValueError as error:
            raise ConfigurationError(str(name), str(error)) from error
        return cls(name, parameters or {}, build(kind, parameters, str(name)))

    def filled(self, context: Context) -> "Planned":
        """Return the same with the placeholders replaced by what the error brought."""
        known = {**context.found, **{name: getattr(context, name) for name in PLACEHOLDERS}}
        parameters = _fill(self.parameters, self.name, known)
        return Planned(self.name, parameters, build(step_named(self.name), parameters, self.name))


PlannedStep = Annotated[Planned, Via(Planned.read, "a step", raw=True)]


@dataclass(frozen=True, kw_only=True)
class Verify:
    """What judges a step instead of its own word; times in seconds.

    Args:
        probe: the step that judges.
        attempts: how often it may fail before the step counts as failed.
        interval: from one attempt to the next.
        grace: from the end of the step to the first attempt; a camera that starts needs some 90 s.
    """

    probe: PlannedStep
    attempts: Annotated[int, Range(1)] = 3
    interval: Seconds = 5.0
    grace: Seconds = 0.0


@dataclass(frozen=True, kw_only=True)
class Before:
    """When what only looks of a procedure is to look before an error has come.

    Args:
        probability: from which on its group is likely enough to be back within 7 days.
    """

    probability: Annotated[float, Range(0.1, 0.9)] = 0.7


def _class_name(value: Any) -> str:
    """Return the name of an exception class, or the path by which the class calls itself.

    A plain name is taken as it is; a dotted path is resolved when it can be imported already.
    """
    if not isinstance(value, str):
        raise ValueError("is not text; put it in quotes")
    home, _, attribute = value.rpartition(".")
    try:
        module = importlib.import_module(home) if home else None
    except Exception:  # noqa: BLE001 -- the application's own module may not be ready yet
        module = None
    if module is None or getattr(module.__spec__, "_initializing", False):
        return value
    found = getattr(module, attribute, None)
    if not (isinstance(found, type) and issubclass(found, BaseException)):
        raise ValueError(f"is {found!r}, not a class of exceptions")
    return f"{found.__module__}.{found.__qualname__}"


@dataclass(frozen=True, kw_only=True)
class Procedure(Limits):
    """For which errors, which steps, and, from :class:`Limits`, how often.

    Args:
        exceptions: class names and dotted paths; subclasses count, and the nearest class wins. None at all:
            ``message`` decides alone, after all procedures that name a class.
        steps: in the order of escalation.
        verify: what judges a step instead of its own word.
        key: names of values given with ``extra``, or of groups of ``message``: each combination has a budget of
            its own.
        logger: name of the logger, or of one above it.
        module: dotted name of the module the error comes from, or of a package it is in.
        code: names of error numbers: ``SQLITE_CORRUPT``, ``ECONNREFUSED``.
        message: regular expression, searched in what was logged, then in the messages of the chain; what its
            named groups find can be a ``key``, and stands for ``{group}`` in the texts of steps.
        status: HTTP status, as 404, 4xx or a list: of an exception of the chain, else of those texts.
        before: when its steps that only look are called by a forecast; none that acts ever is.
        release: ``package.module:function`` of the application, called in its own process when a step is put off
            because the application itself is in the way; it closes what is open, and may return a function that
            opens it again.
    """

    name: str
    steps: tuple[PlannedStep, ...]
    exceptions: tuple[Annotated[str, Via(_class_name, "a name", raw=True)], ...] = ()
    verify: Verify | None = None
    before: Before | None = None
    key: tuple[str, ...] = ()
    logger: str = ""
    module: str = ""
    code: tuple[Annotated[Code, Via(Code.read, "a code", raw=True)], ...] = ()
    message: re.Pattern[str] | None = None
    status: Status | None = None
    release: str = ""

    # complex: what must hold of the parts together, one each
    def __post_init__(self) -> None:
        if not self.steps or not (self.exceptions or self.message):
            raise ValueError("steps, and exceptions where there is no message, must each have at least one entry")
        groups = self.message.groupindex if self.message else ()
        planned = {f"steps.{i}": one for i, one in enumerate(self.steps)}
        if self.verify is not None:
            planned["verify.probe"] = self.verify.probe
        for place, one in planned.items():
            _fill(one.parameters, f"{place}.{one.name}", dict.fromkeys((*PLACEHOLDERS, *groups), ""))
        if self.before and not self.looks:
            raise ConfigurationError("before", "needs a step that only looks, as probe_tcp, or verify with one")
        if self.release:
            try:
                find(self.release)
            except ValueError as error:
                raise ConfigurationError("release", str(error)) from error

    @property
    def looks(self) -> tuple[Planned, ...]:
        """What of it only looks: such steps, else the probe that judges them."""
        judge = (self.verify.probe,) if self.verify else ()
        steps, probe = ([p for p in some if not (p.step.mends or p.step.inside)] for some in (self.steps, judge))
        return tuple(steps or probe)

    # complex: one condition a line
    def concerns(self, record: logging.LogRecord, codes: Mapping[str, int]) -> bool:
        """Return whether its conditions hold for a record whose chain of exceptions has these codes."""
        if not _is_below(str(record.name), self.logger):
            return False
        verdict = self.steps[0].step.answers(codes)
        if verdict is Verdict.NO:
            return False
        # Where the first step looks for itself, a list of numbers is not to keep it from that.
        if self.code and verdict is Verdict.YES and not any(code.is_in(codes) for code in self.code):
            return False
        if self.module and not _is_below(ErrorDetail.from_record(record).module, self.module):
            return False
        if self.status is not None and (codes.get("http") or status_of((), texts_of(record))) not in self.status:
            return False
        return self.message is None or search(self.message, texts_of(record)) is not None

    def found_in(self, record: logging.LogRecord) -> dict[str, str]:
        """Return what the named groups of ``message`` find, without secrets."""
        match = self.message and search(self.message, texts_of(record))
        return {name: text or "" for name, text in match.groupdict().items()} if match else {}


def texts_of(record: logging.LogRecord) -> list[str]:
    """Return what was logged, then the messages of the chain, without secrets."""
    detail = ErrorDetail.from_record(record)
    return [detail.message, *([e.message for e in detail.exceptions] or [detail.error_message])]


def parse_procedures(values: Any, key: str = "procedures", *, allow_reboot: bool = False) -> tuple[Procedure, ...]:
    """Return the procedures of the configuration.

    Raises:
        ConfigurationError: names the key that is wrong, and what is possible.
    """
    if not isinstance(values, Mapping):
        raise ConfigurationError(key, "is not a mapping of names to procedures")
    found: list[Procedure] = []
    faults: list[Fault] = []
    for name, value in values.items():
        place = (*path_of(key), str(name))
        given = {**value, "name": str(name)} if isinstance(value, Mapping) else value
        procedure, own = read(given, Procedure, place)
        faults += own or _reboots(procedure, place, allowed=allow_reboot)
        found.append(procedure)
    if faults:
        raise error_of(faults)
    return tuple(found)


def _reboots(procedure: Procedure, place: KeyPath, *, allowed: bool) -> list[Fault]:
    """Name the steps that would reboot, and may not."""
    planned = [] if allowed else [(i, one) for i, one in enumerate(procedure.steps) if one.step.reboots]
    return [Fault((*place, "steps", i, one.name), "needs allow_reboot: true at the handler") for i, one in planned]


def _is_below(name: str, above: str) -> bool:
    return not above or name == above or name.startswith(f"{above}.")


# complex: one kind of value a line
def _fill(value: Any, key: str, known: Mapping[str, str]) -> Any:
    """``value`` with the placeholders in its texts replaced; raises for one that is not known."""
    if isinstance(value, str):
        if unknown := next((n for n in PLACEHOLDER.findall(value) if n not in known), None):
            possible = ", ".join(f"{{{name}}}" for name in known)
            raise ConfigurationError(key, f"{{{unknown}}} is not a placeholder; possible are {possible}")
        return PLACEHOLDER.sub(lambda match: _harmless(known[match[1]]), value)
    if isinstance(value, Mapping):
        return {name: _fill(inner, f"{key}.{name}", known) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_fill(inner, f"{key}.{i}", known) for i, inner in enumerate(value)]
    return value


def _harmless(text: str) -> str:
    """Return a value that came with an error, so that it can be neither an option nor a way out of a folder."""
    return UNSAFE.sub("_", text)[:LONGEST_VALUE].lstrip("-.") or "_"
