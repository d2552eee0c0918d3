"""The annotations that the standard library's handlers would have, so that they are checked like our own."""

import logging
import logging.handlers
import os
import re
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from visigate_logging.options import Count, Encoding, Level, OnUnencodable, Port, Range, Size, Via, Writable, meant

_STYLES = {"percent": "%", "%s": "%", "brace": "{", "braces": "{", "format": "{", "dollar": "$", "template": "$"}
_HOST_AND_PORT = re.compile(r"[('\"\s]*([\w.-]+)['\"\s]*[:,]\s*(\d+)[)\s]*")
_OF_TIME = ("S", "M", "H", "D", "midnight", *(f"W{day}" for day in range(7)))
_FACILITIES: Mapping[str, int] = logging.handlers.SysLogHandler.facility_names


def _style(value: str) -> str:
    if value not in ("%", "{", "$"):
        near = _STYLES.get(value.lower().rstrip("s"), _STYLES.get(value.lower(), ""))
        raise ValueError('is not one of "%", "{", "$"' + (f'; write "{near}"' if near else ""))
    return value


def _mode(value: str) -> str:
    if not re.fullmatch(r"[awx]t?\+?|[awx]\+?t?", value):
        raise ValueError(f"is not one of a, w, x{'; write a' if value[:1] == 'a' else ''}")
    return value


def _when(value: str) -> str:
    if value.upper() not in map(str.upper, _OF_TIME):
        raise ValueError(f"is not one of {', '.join(_OF_TIME)}{meant(value, _OF_TIME)}")
    return value


def _flush_level(value: int | str) -> int | str:
    if isinstance(value, int):
        return value
    number = logging.getLevelNamesMapping().get(value)
    raise ValueError("is not a whole number" + (f"; write {number}" if number is not None else ""))


def _facility(value: int | str) -> int | str:
    if isinstance(value, str) and value not in _FACILITIES:
        raise ValueError(f"is no facility{meant(value, _FACILITIES)}")
    return value


def _syslog_address(value: Any) -> Any:
    if isinstance(value, str) and not value.startswith(("/", "\0")):
        pair = _HOST_AND_PORT.fullmatch(value)
        cure = f"; write [{pair[1]}, {pair[2]}]" if pair else "; write [host, 514], or /dev/log"
        raise ValueError(f"is taken for the path of a socket{cure}")
    return value


def _mail_host(value: Any) -> Any:
    host = value if isinstance(value, str) else value[0]
    if "//" in host:
        raise ValueError(f"is not a host; write {host.partition('//')[2].partition('/')[0] or 'mail.example.org'}")
    if pair := _HOST_AND_PORT.fullmatch(host):
        raise ValueError(f"is not a host; write [{pair[1]}, {pair[2]}]")
    return value


def _http_host(value: str) -> str:
    if "/" in value:
        raise ValueError(f"is not a host; write {value.partition('//')[2].partition('/')[0] or value.strip('/')}")
    return value


def _http_path(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError("is not a path, which begins with /; the host stands at host")
    return value


TRUTH = Annotated[bool | Literal[0, 1], Via(bool, "true or false")]
STYLE = Annotated[str, Via(_style)]
_PATH = str | os.PathLike[str]
_FLUSH = Annotated[int | str, Via(_flush_level, "a whole number")] if sys.version_info < (3, 13) else Level
_PAIR = tuple[str, str]
_FILE: dict[str, Any] = {
    "filename": _PATH,
    "mode": Annotated[str, Via(_mode)],
    "encoding": Encoding | None,
    "errors": OnUnencodable | None,
    "delay": TRUTH,
}
_BY_CLASS: dict[type, dict[str, Any]] = {
    logging.StreamHandler: {"stream": Writable | None},
    logging.FileHandler: _FILE,
    logging.handlers.WatchedFileHandler: _FILE,
    logging.handlers.BaseRotatingHandler: _FILE,
    logging.handlers.RotatingFileHandler: {**_FILE, "maxBytes": Size, "backupCount": Count},
    logging.handlers.TimedRotatingFileHandler: {
        **_FILE,
        "when": Annotated[str, Via(_when)],
        "interval": Annotated[int, Range(1)],
        "backupCount": Count,
        "utc": bool,
        "atTime": Any,
    },
    logging.handlers.SocketHandler: {"host": str, "port": Port | None},
    logging.handlers.DatagramHandler: {"host": str, "port": Port | None},
    logging.handlers.SysLogHandler: {
        "address": Annotated[str | tuple[str, Port], Via(_syslog_address, "a path or [host, port]")],
        "facility": Annotated[int | str, Via(_facility, "the name of a facility")],
        "socktype": Any,
    },
    logging.handlers.SMTPHandler: {
        "mailhost": Annotated[str | tuple[str, Port], Via(_mail_host, "a host or [host, port]")],
        "fromaddr": str,
        "toaddrs": str | list[str],
        "subject": str,
        "credentials": _PAIR | None,
        "secure": list[str] | None,
        "timeout": Annotated[float, Range(above=0, unit="seconds")],
    },
    logging.handlers.HTTPHandler: {
        "host": Annotated[str, Via(_http_host)],
        "url": Annotated[str, Via(_http_path)],
        "method": Literal["GET", "POST", "get", "post"],
        "secure": bool,
        "credentials": _PAIR | None,
        "context": Any,
    },
    logging.handlers.BufferingHandler: {"capacity": Count},
    logging.handlers.MemoryHandler: {"capacity": Count, "flushLevel": _FLUSH, "flushOnClose": bool},
    logging.Formatter: {
        "fmt": str | None,
        "datefmt": str | None,
        "style": STYLE,
        "validate": bool,
        "defaults": Mapping[str, Any] | None,
    },
    logging.Filter: {"name": str},
}
STANDARD = {(owner, name): kind for owner, kinds in _BY_CLASS.items() for name, kind in kinds.items()}
"""What a constructor's parameter takes, by its class and name."""
