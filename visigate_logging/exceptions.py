"""The exceptions of this package.

::

    VisigateLoggingError
    ├── ConfigurationError (ValueError)    an option cannot be: says which key, what was met, what is possible
    ├── MissingExtraError (ImportError)    an optional library is not installed: names the extra
    ├── StateError (OSError)               the host's shared state file cannot be used
    ├── StoreError                         the stored errors cannot be read
    │   ├── UnknownEventError (LookupError)  no record has that id
    │   └── DecisionError (ValueError)     a decision about a group cannot be made as asked
    ├── RecoveryError                      a recovery cannot be run as asked
    │   └── BusyError                        another process holds the database: later it may be possible
    ├── MailServerError                    a step with the mail server failed: says which, what was met, what to do
    ├── JournalFullError (OSError)         nobody has read for so long that there is no room any more
    ├── ShortWriteError (OSError)          only the beginning of a line could be written
    ├── RefusedError (ValueError)          what has come from a gate can never be taken
    └── IncidentError                      what no program could raise; its records have these types
        ├── ProcessCrashedError              native code has ended a process
        ├── ProcessKilledError               the kernel or somebody else has
        ├── ProcessHungError                 it made no progress any more
        ├── PowerLostError                   the host was off without having been shut down
        ├── GateSilentError                  nothing is heard of a gate
        ├── SiteSilentError                  nothing is heard of any gate of a site
        └── HubLostError                     what gates send cannot be collected

None of them ever leaves a handler's ``emit``. What is raised within one module alone, and stands there, says so.
"""

from collections.abc import Sequence


class VisigateLoggingError(Exception):
    """Base of all errors that this package raises."""


class ConfigurationError(VisigateLoggingError, ValueError):
    """An option cannot be as it is.

    Args:
        key: dotted path of the key, as in ``handlers.mail.interval``; empty for the file as a whole.
        problem: what was met and what is possible, in one sentence.
        others: what else is wrong, as far as it was found at once.
    """

    def __init__(self, key: str, problem: str, others: "Sequence[ConfigurationError]" = ()) -> None:
        super().__init__(key, problem, *([others] if others else []))
        self.key = key
        self.problem = problem
        self.others = tuple(others)

    def __str__(self) -> str:
        first = f"{self.key}: {self.problem}" if self.key else self.problem
        return "\n".join([first, *map(str, self.others)])


class MissingExtraError(VisigateLoggingError, ImportError):
    """An optional library is not installed.

    Args:
        library: the name of what could not be imported.
        extra: the extra of this package that brings it.
    """

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(
            f"{library} is not installed; it is part of the extra visigate-logging[{extra}]: in a clone, "
            f"pip install '.[{extra}]'"
        )
        self.library = library
        self.extra = extra


class StateError(VisigateLoggingError, OSError):
    """The host's shared state file cannot be used."""


class StoreError(VisigateLoggingError):
    """The stored errors cannot be read."""


class UnknownEventError(StoreError, LookupError):
    """No stored record has that id."""


class DecisionError(StoreError, ValueError):
    """A decision about a group cannot be made as asked."""


class RecoveryError(VisigateLoggingError):
    """A recovery cannot be run as asked."""


class BusyError(RecoveryError):
    """Another process holds the database; later it may be possible."""


class MailServerError(VisigateLoggingError):
    """A step with the mail server failed.

    Args:
        step: ``login data``, ``connect``, ``greeting``, ``tls``, ``login``, ``sender``, ``recipient``, ``message`` or
            ``answer``.
        problem: what was met.
        cure: what to do.
        perhaps: the mail was handed over whole, and no answer came.
    """

    def __init__(self, step: str, problem: str, cure: str, *, perhaps: bool = False) -> None:
        super().__init__(step, problem, cure)
        self.perhaps = perhaps
        self.step = step
        self.problem = problem
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.step}: {self.problem}. {self.cure}"


class JournalFullError(VisigateLoggingError, OSError):
    """Nobody has read for so long that there is no room any more."""


class ShortWriteError(VisigateLoggingError, OSError):
    """Only the beginning of a line could be written: the disk is full."""


class RefusedError(VisigateLoggingError, ValueError):
    """What has arrived can never be taken; its text says why."""


class IncidentError(VisigateLoggingError):
    """What no program could raise; never raised here either, but the type of its record."""


class ProcessCrashedError(IncidentError):
    """Native code has ended a process."""


class ProcessKilledError(IncidentError):
    """The kernel, or somebody else, has ended a process."""


class ProcessHungError(IncidentError):
    """A process made no progress any more."""


class PowerLostError(IncidentError):
    """The host was off without having been shut down."""


class GateSilentError(IncidentError):
    """Nothing is heard of a gate."""


class SiteSilentError(IncidentError):
    """Nothing is heard of any gate of a site."""


class HubLostError(IncidentError):
    """What gates send cannot be collected."""
