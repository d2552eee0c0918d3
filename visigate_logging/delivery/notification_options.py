"""The options of notifications: what each can be, as its annotation, and what they come to together."""

import os
import re
import stat
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import time
from pathlib import Path
from typing import Annotated, Any

from visigate_logging.delivery.channels.notification import NotificationChannel
from visigate_logging.delivery.channels.server import Line
from visigate_logging.delivery.channels.services import Service, plugin_of
from visigate_logging.delivery.options import Severity, Summary
from visigate_logging.delivery.pipeline import Delivery
from visigate_logging.delivery.routes import Hours, Route
from visigate_logging.exceptions import ConfigurationError, MissingExtraError
from visigate_logging.options import Names, Range, Via

_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_NAMED = re.compile(r"([A-Za-z0-9_.-]+) *= *(\S+)")


class _NotThereError(Exception):  # here: raised and caught in this module alone
    """The addresses are not where they should be; that is said, and refuses no configuration."""


def _services(value: str | Sequence[str] | Mapping[str, str]) -> tuple[Service, ...]:
    """Return the services of a list, of names and addresses, or of lines, ``ADDRESS`` or ``NAME = ADDRESS``."""
    seen: Counter[str] = Counter()
    made = []
    for n, (given, url) in enumerate(_listed(value), 1):
        scheme, _, rest = url.partition("://")
        seen[scheme] += 1
        name = given or f"{scheme.lower()}-{seen[scheme]}"
        if not _NAME.fullmatch(name):
            raise ValueError(f"has the name {name!r}, which is not of letters, digits, dots and hyphens alone")
        if not rest or not _is_known(url):
            raise ValueError(f"has, as number {n}, no address that apprise knows, such as ntfy://ntfy.sh/TOPIC")
        made.append(Service(name, url))
    if len({service.name for service in made}) < len(made):
        raise ValueError("has two services of one name")
    return tuple(made)


def _listed(value: str | Sequence[str] | Mapping[str, str]) -> list[tuple[str, str]]:
    if isinstance(value, Mapping):
        return [(str(name), url.strip()) for name, url in value.items()]
    lines = map(str.strip, value.splitlines() if isinstance(value, str) else value)
    return [_named(line) for line in lines if line and not line.startswith("#")]


def _named(line: str) -> tuple[str, str]:
    found = _NAMED.fullmatch(line)
    return (found[1], found[2]) if found else ("", line)


def _is_known(url: str) -> bool:
    try:
        return plugin_of(url) is not None
    except MissingExtraError as error:
        raise ValueError(f"cannot be used: {error}") from error


def _hours(value: str) -> Hours:
    found = re.fullmatch(r"(\d\d?):(\d\d) ?- ?(\d\d?):(\d\d)", value.strip())
    try:
        if found is None:
            raise ValueError
        begin, end = time(int(found[1]), int(found[2])), time(int(found[3]) % 24, int(found[4]))
    except ValueError:
        raise ValueError("is no part of a day, such as 22:00-07:00") from None
    return Hours(begin, end)


Urls = Annotated[str | Sequence[str] | Mapping[str, str], Via(_services, "addresses of services")] | None
HoursOfDay = Annotated[str, Via(_hours)] | None


@dataclass(frozen=True, kw_only=True)
class RouteOptions:
    """One route: where it goes, and which errors go it; all conditions that are given must hold.

    Args:
        urls: addresses of services (https://appriseit.com/services/): a list, or names and addresses.
        urls_env: name of the environment variable that has them, one a line.
        urls_file: path of the file that has them, one a line; nobody else may be able to read it.
        severity: errors from this severity on; default the handler's.
        categories: the classifier's; default all.
        loggers: these and those below; default all.
        hours: when the error comes, as ``22:00-07:00``; default always.
        digest: when what goes this way is told together, as ``daily 07:00``; default at once.
        max_per_hour: never more messages in any hour; default the handler's.
    """

    urls: Urls = None
    urls_env: Line | None = None
    urls_file: Line | None = None
    severity: Severity | None = None
    categories: Names | None = None
    loggers: Names | None = None
    hours: HoursOfDay = None
    digest: Summary = None
    max_per_hour: Annotated[int, Range(1)] | None = None

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.urls, self.urls_env, self.urls_file)) > 1:
            raise ConfigurationError("", "has more than one of urls, urls_env, urls_file")

    def services(self) -> tuple[Service, ...]:
        """Return who is told; nobody when none of the three is given.

        Raises:
            _NotThereError: the variable or the file is not there, or not as it should be.
        """
        if self.urls_env is not None:
            if not os.environ.get(self.urls_env):
                raise _NotThereError(f"the environment variable {self.urls_env} is not set, or empty")
            return _read(os.environ[self.urls_env], self.urls_env)
        if self.urls_file is not None:
            return _read(_content(Path(self.urls_file)), self.urls_file)
        return self.urls or ()  # type: ignore[return-value]  # as they were read


def _read(text: str, where: str) -> tuple[Service, ...]:
    try:
        return _services(text)
    except ValueError as error:
        raise _NotThereError(f"{where} {error}") from error


def _content(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & stat.S_IROTH:
                raise _NotThereError(f"{path} can be read by everybody: chmod 640 {path}")
            return file.read()
    except (OSError, ValueError) as error:
        raise _NotThereError(f"{path} cannot be read: {error}") from error


RouteTable = Mapping[str, RouteOptions] | None


def notification_routes(
    only: RouteOptions,
    routes: Mapping[str, RouteOptions] | None,
    severity: int,
    channel: NotificationChannel,
    delivery: Delivery,
) -> tuple[list[Route], str]:
    """Return which errors go which way; and, where addresses are not where they should be, what is wrong.

    Args:
        only: the only way, where there are no routes.
        routes: by name.
        severity: of those that name none.
        channel: what all have in common, without services.
        delivery: what all have in common.

    Raises:
        ConfigurationError: they do not go together.
    """
    has_own = any((only.urls, only.urls_env, only.urls_file))
    if routes and has_own:
        raise ConfigurationError("routes", "stands beside urls: put those into a route")
    made: list[Route] = []
    for name, one in (routes or ({"": only} if has_own else {})).items():
        if not _NAME.fullmatch(name or "only"):
            raise ConfigurationError(f"routes.{name}", "is not of letters, digits, dots and hyphens alone")
        try:
            services = one.services()
        except _NotThereError as error:
            return [], f"no notification is sent: {error}"
        if not services:
            raise ConfigurationError(
                f"routes.{name}.urls", "is empty; write where it goes, as [ntfy://ntfy.sh/TOPIC]"
            )
        made.append(_route(name, one, severity, replace(delivery, channel=replace(channel, services=services))))
    return made, ""


def _route(name: str, one: RouteOptions, severity: int, delivery: Delivery) -> Route:
    windows = delivery.windows
    if one.max_per_hour is not None:
        windows = replace(windows, max_per_hour=one.max_per_hour)
    given: Any = one
    return Route(
        replace(delivery, windows=windows, digest=given.digest),
        severity if one.severity is None else int(one.severity),
        name,
        frozenset(one.categories or ()),
        tuple(one.loggers or ()),
        given.hours,
    )
