"""The targets that records can be forwarded to: one file each, and one line here.

To add one: write a dataclass that follows :class:`~visigate_logging.forward.target.Target`, and name it below.
"""

from dataclasses import dataclass, fields

from visigate_logging.exceptions import ConfigurationError
from visigate_logging.forward.target import Target
from visigate_logging.forward.targets.http import Http
from visigate_logging.forward.targets.nats import Nats
from visigate_logging.forward.targets.otlp import Otlp
from visigate_logging.forward.targets.sentry import Sentry


@dataclass(frozen=True, kw_only=True)
class OneTarget:
    """One of the targets, with its options.

    Args:
        http: any web server, Loki and Elasticsearch among them.
        nats: a NATS server with JetStream.
        otlp: an OpenTelemetry collector.
        sentry: a Sentry-compatible server.

    Raises:
        ConfigurationError: there is none, or more than one.
    """

    http: Http | None = None
    nats: Nats | None = None
    otlp: Otlp | None = None
    sentry: Sentry | None = None

    def __post_init__(self) -> None:
        if len(self._given) != 1:
            names = ", ".join(one.name for one in fields(self))
            raise ConfigurationError("", f"is not one target with its options, as {{sentry: {{dsn: …}}}}, of {names}")

    @property
    def chosen(self) -> Target:
        """The one that is given."""
        return self._given[0]

    @property
    def _given(self) -> list[Target]:
        return [target for one in fields(self) if (target := getattr(self, one.name)) is not None]
