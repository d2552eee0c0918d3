"""What a step of a recovery procedure is: the one Protocol that all of them follow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from visigate_logging.recovery.codes import Verdict


class Status(StrEnum):
    """How a step ended, and so what comes next."""

    DONE = "done"  # the step says that the fault is mended: verify, then stop
    FAILED = "failed"  # it is not: the next step
    REFUSED = "refused"  # this is not a fault that the procedure may touch: stop
    DEFERRED = "deferred"  # right, but not now: stop, and again later
    DIAGNOSED = "diagnosed"  # of a whole run: what was looked at; nothing was changed


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step has to say.

    Args:
        status: how it ended.
        message: for people, one or a few sentences.
        details: for programs; plain data.
    """

    status: Status
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The error that a recovery answers, as plain data.

    Args:
        procedure: name of the procedure.
        key: what the fault is about (a camera, a database); empty when the procedure is not keyed.
        event_id: of the error's detail record.
        error_type: name of the exception's class.
        error_message: masked text of the exception.
        severity: the level that the classifier gave it.
        logger: name of the logger.
        codes: error numbers found in the chain of exceptions: ``sqlite`` (extended result code), ``errno``, ``http``.
        found: what the named groups of the procedure's ``message`` found, without secrets.
        manual: whether a person asked for the recovery instead of an error.
    """

    procedure: str = ""
    key: str = ""
    event_id: str = ""
    error_type: str = ""
    error_message: str = ""
    severity: str = "ERROR"
    logger: str = ""
    codes: Mapping[str, int] = field(default_factory=dict)
    found: Mapping[str, str] = field(default_factory=dict)
    manual: bool = False


@dataclass(frozen=True, kw_only=True)
class Step(Protocol):
    """One step; its fields are its parameters in YAML, its docstring their explanation.

    A step that meets a wrong parameter raises ``ValueError`` in ``__post_init__``: the configuration is then refused.
    Exceptions that leave :meth:`run` count as failed.

    Args:
        timeout: seconds until the step is ended with all that it started.
    """

    inside: ClassVar[bool] = False  # runs in the application's own process instead of a child
    resumes: ClassVar[bool] = False  # is taken up again at the next start when it was put off or interrupted

    timeout: float = 60.0

    @property
    def mends(self) -> bool:
        """Whether it changes anything; a step that only looks uses up no budget."""
        return True

    @property
    def reboots(self) -> bool:
        """Whether it ends the host: only with allow_reboot, and once a day."""
        return False

    def answers(self, codes: Mapping[str, int]) -> Verdict:
        """Return whether an error with these numbers is for this step; in the caller's thread, so only compute."""
        return Verdict.YES

    def run(self, context: Context) -> Outcome:
        """Try to mend the fault."""
        ...

    def plan(self, context: Context) -> Outcome:
        """Say what :meth:`run` would do, changing nothing."""
        return Outcome(Status.REFUSED, "")
