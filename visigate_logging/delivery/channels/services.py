"""Notification services, reached through apprise: what each answered, without the secrets of its address."""

import functools
import re
import sys
from dataclasses import dataclass, field
from typing import Any

from visigate_logging.delivery.channels import Accepted, Later, Outcome, Refused
from visigate_logging.delivery.channels.responses import Seen, observe, watched
from visigate_logging.delivery.short import LONGEST_SMS, ShortTexts
from visigate_logging.exceptions import MissingExtraError
from visigate_logging.host.forks import in_forked_child

_CONNECT, _READ = 10.0, 30.0
"""Seconds for the connection, and for an answer, at least; ``cto`` and ``rto`` in an address may be longer."""
_LONGEST_ANSWER = 200
_WEBHOOKS = {"json", "jsons", "xml", "xmls", "form", "forms"}
_WAITED_FOR = {408, 425, 429}
_LOGIN = {401, 403, 407}


@dataclass(frozen=True)
class Service:
    """One service.

    Args:
        name: that is shown.
        url: its address by apprise (https://appriseit.com/services/); it has secrets.
    """

    name: str
    url: str = field(repr=False)

    def send(self, texts: ShortTexts, delayed: str = "") -> Outcome:
        """Hand a message over in the form that the service has; never raises an ``Exception``."""
        to = (self.name,)
        with watched() as seen:
            try:
                plugin = plugin_of(self.url)
                if plugin is None:
                    return Later(to, "address: apprise knows no such service. Correct it in urls", about_all=True)
                is_taken = plugin.notify(**_arguments(plugin, self.url.partition(":")[0].lower(), texts, delayed))
            except MissingExtraError as error:
                return Later(to, f"apprise: {error}", about_all=True)
            except Exception as error:  # a plugin of somebody's
                return Later(to, f"service: {type(error).__name__}. It is tried again by itself")
        return Accepted(to) if is_taken else self._judged(seen)

    def looked_at(self) -> tuple[str, str]:
        """Return what is known without sending anything, and what to do where that is bad; else nothing."""
        import socket

        address = self.address()
        if address is None:
            return "a service whose state only a message shows (visigate-errors notify test)", ""
        try:
            socket.create_connection(address, _CONNECT).close()
        except OSError as error:
            problem = f"{address[0]}:{address[1]} cannot be reached: {error.strerror or error}"
            return problem, "Check the network, that the service runs, and its address in urls"
        return f"{address[0]}:{address[1]} answers", ""

    def address(self) -> tuple[str, int] | None:
        """Return host and port of a server that stands in the address itself; None for a service's own."""
        plugin, host = plugin_of(self.url), _host(self.url)
        if plugin is None or getattr(plugin, "host", None) != host or not (host == "localhost" or "." in host):
            return None
        return host, int(getattr(plugin, "port", None) or (443 if getattr(plugin, "secure", False) else 80))

    def _judged(self, seen: Seen) -> Outcome:
        to = (self.name,)
        if seen.errors:
            return _of_error(to, seen.errors[-1])
        failed = [r for r in seen.responses if r.status_code >= 300]
        if failed:
            return self._of_response(to, failed[-1])
        words = self._redacted("; ".join(seen.words)) or "apprise says no more"
        return Later(to, f"service: {words}. It is tried again by itself")

    def _of_response(self, to: tuple[str, ...], response: Any) -> Outcome:
        status, host = response.status_code, _host(response.url) or "the service"
        answer = self._redacted(" ".join(str(response.text).split())[:_LONGEST_ANSWER])
        told = f"{status} from {host}{': ' + answer if answer else ''}"
        if status in _LOGIN:
            cure = "It refuses token or password: correct them in urls"
            return Later(to, f"login: {told}. {cure}", about_all=True)
        if status in _WAITED_FOR or status >= 500:
            return Later(to, f"{told}. It is tried again by itself", _retry_after(response))
        return Refused(to, f"{told}. Check the address in urls: what it asks for must be there")

    def _redacted(self, text: str) -> str:
        """Return a text without the parts of the address, of which any may be a secret."""
        from urllib.parse import unquote

        parts = re.split(r"[/:@?&=,#+]+", unquote(self.url).partition("://")[2])
        parts += re.split(r"[/:@?&=,#]+", self.url.partition("://")[2])
        for part in sorted({p for p in parts if len(p) > 3}, key=len, reverse=True):
            text = text.replace(part, "***")
        return text


@functools.lru_cache(maxsize=64)  # it keeps the pace that its service asks for
def plugin_of(url: str) -> Any:
    """Return apprise's object for an address; None when it knows none.

    Raises:
        MissingExtraError: apprise is not installed.
    """
    with watched():
        plugin = _apprise().instantiate(url, suppress_exceptions=True)
    if plugin is not None:
        plugin.socket_connect_timeout = max(float(plugin.socket_connect_timeout or 0), _CONNECT)
        plugin.socket_read_timeout = max(float(plugin.socket_read_timeout or 0), _READ)
        observe(sys.modules[type(plugin).__module__])
    return plugin


in_forked_child(plugin_of.cache_clear)  # a plugin may have a connection, and a thread


@functools.cache
def _apprise() -> Any:
    """Return apprise with its plugins, of which some import what Python is giving up."""
    import warnings

    with warnings.catch_warnings(action="ignore"):
        try:
            from apprise import Apprise
        except ImportError as error:
            raise MissingExtraError("apprise", "notify") from error
        Apprise.instantiate("json://localhost")
    return Apprise


def _arguments(plugin: Any, scheme: str, texts: ShortTexts, delayed: str) -> dict[str, Any]:
    if 0 < plugin.body_maxlen <= 3 * LONGEST_SMS:
        return {"body": texts.sms, "title": "", "notify_type": texts.kind, "body_format": "text"}
    formats = plugin.notify_format if isinstance(plugin.notify_format, tuple) else (plugin.notify_format,)
    is_marked = scheme not in _WEBHOOKS and any(form.value == "markdown" for form in formats)
    body = texts.markdown if is_marked else texts.text
    return {
        "body": f"{delayed}\n{body}" if delayed else body,
        "title": texts.title,
        "notify_type": texts.kind,
        "body_format": "markdown" if is_marked else "text",
    }


def _of_error(to: tuple[str, ...], error: Exception) -> Later:
    """Return what an exception of `requests` means; its text would show the address."""
    import requests

    request = getattr(error, "request", None)
    host = _host(getattr(request, "url", "")) or "the service"
    if isinstance(error, requests.exceptions.SSLError):
        return Later(to, f"connect: the certificate of {host} is not valid, or it speaks no TLS", about_all=True)
    is_away = isinstance(error, requests.exceptions.ConnectTimeout) or (
        isinstance(error, requests.exceptions.ConnectionError)
        and type(error.args[0] if error.args else None).__name__ == "MaxRetryError"
    )
    if is_away:
        return Later(to, f"connect: {host} cannot be reached. Check network and address", about_all=True)
    return Later(to, f"answer: {host} took it and did not answer to the end", perhaps=True)


def _host(url: str | None) -> str:
    from urllib.parse import urlsplit

    return urlsplit(url or "").hostname or ""


def _retry_after(response: Any) -> float | None:
    """Return the seconds that a server asks for (RFC 9110, 10.2.3)."""
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime

    given = str(response.headers.get("Retry-After", "")).strip()
    if given.isdecimal():
        return min(float(given), 86_400.0)
    try:
        when = parsedate_to_datetime(given)
        return min(max((when - datetime.now(UTC)).total_seconds(), 0.0), 86_400.0)
    except (ValueError, TypeError):
        return None
