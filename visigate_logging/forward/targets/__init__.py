"""The targets that records can be forwarded to: one file each, named as in the configuration.

To add one: write a dataclass that follows :class:`~visigate_logging.forward.target.Target` into a module here.
"""

from dataclasses import make_dataclass
from typing import TYPE_CHECKING

from visigate_logging.exceptions import ConfigurationError
from visigate_logging.forward.target import Target
from visigate_logging.options.discovery import dataclasses_in

TARGETS = dataclasses_in(__name__, __path__, lambda kind: hasattr(kind, "send"))


class _Chosen:
    """One of the targets, with its options, under the name of its module.

    Raises:
        ConfigurationError: there is none, or more than one.
    """

    def __post_init__(self) -> None:
        if len(self._given) != 1:
            names = ", ".join(TARGETS)
            raise ConfigurationError("", f"is not one target with its options, as {{sentry: {{dsn: …}}}}, of {names}")

    @property
    def chosen(self) -> Target:
        """The one that is given."""
        return self._given[0]

    @property
    def _given(self) -> list[Target]:
        return [target for name in TARGETS if (target := getattr(self, name)) is not None]


if TYPE_CHECKING:
    OneTarget = _Chosen
else:
    _fields = [(name, kind | None, None) for name, kind in TARGETS.items()]
    OneTarget = make_dataclass("OneTarget", _fields, bases=(_Chosen,), frozen=True, kw_only=True)
