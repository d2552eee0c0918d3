"""Records to Sentry, or to any server that takes its envelopes.

By the public documentation: https://develop.sentry.dev/sdk/data-model/envelopes/,
https://develop.sentry.dev/sdk/data-model/event-payloads/, https://develop.sentry.dev/sdk/expected-features/rate-limiting/.
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar

import orjson

from visigate_logging._version import __version__
from visigate_logging.forward.client import Reply, verdict
from visigate_logging.forward.posting import Web
from visigate_logging.forward.target import Later, Outcome, Record
from visigate_logging.forward.times import microseconds, not_older
from visigate_logging.host.clock import rfc3339, utc_text
from visigate_logging.options import Seconds, Via

_DSN = re.compile(r"(https?)://(\w+)(?::\w+)?@([\w.\-\[\]:]+)(/(?:[\w.\-]+/)*)(\d+)")
_MONTH = 30 * 86_400.0
_LEVELS = {"CRITICAL": "fatal", "FATAL": "fatal", "ERROR": "error", "WARNING": "warning", "INFO": "info"}
_CLIENT = f"visigate_logging/{__version__}"
_LONGEST_TAG = 200


def _dsn(value: str) -> str:
    if not _DSN.fullmatch(value):
        raise ValueError("is no DSN such as https://KEY@sentry.example.org/1")
    return value


@dataclass(frozen=True, kw_only=True)
class Sentry(Web):
    """A Sentry-compatible server.

    Args:
        dsn: where, and with which key: ``https://KEY@HOST/PROJECT``, as the project's settings there show it.
        environment: which of several installations.
        max_age: seconds; an older record goes with the time of its sending, because Sentry refuses old times; its own
            is in the event's ``extra``.
        compression: ``gzip`` or ``none``.
        tls: ``{ca_file: PATH, cert_file: PATH, key_file: PATH}``.
        timeout: seconds that the server may be silent.
    """

    dsn: Annotated[str, Via(_dsn, "a DSN")]
    environment: str = "production"
    max_age: Seconds = _MONTH

    most: ClassVar[int] = 20

    def send(self, records: Sequence[Record]) -> Sequence[Outcome]:
        """Post one envelope for each record, until the server asks to wait."""
        outcomes: list[Outcome] = []
        for record in records:
            outcomes.append(self._post(record))
            if isinstance(outcomes[-1], Later):
                break
        return [*outcomes, *[outcomes[-1]] * (len(records) - len(outcomes))]

    def _endpoint(self) -> tuple[str, Mapping[str, str]]:
        scheme, key, host, path, project = _DSN.findall(self.dsn)[0]
        known = f"Sentry sentry_version=7, sentry_client={_CLIENT}, sentry_key={key}"
        return f"{scheme}://{host}{path}api/{project}/envelope/", {"X-Sentry-Auth": known}

    @cached_property
    def _limits(self) -> dict[str, float]:
        """Until when, by the monotonic clock, the server wants no more errors."""
        return {"until": 0.0}

    def _post(self, record: Record) -> Outcome:
        if (wait := self._limits["until"] - time.monotonic()) > 0:
            return Later("the server has asked to wait", wait)
        reply = self._client.post(_envelope(record, self), "application/x-sentry-envelope")
        if isinstance(reply, Later):
            return reply
        if limit := _limit(reply):
            self._limits["until"] = time.monotonic() + limit
        outcome = verdict(reply)
        return Later(outcome.reason, limit or outcome.after) if isinstance(outcome, Later) and limit else outcome


def _limit(reply: Reply) -> float:
    """Return for how many seconds the server wants no more errors: ``60:error;transaction:key, 2700:default:…``."""
    longest = 0.0
    for limit in reply.headers.get("X-Sentry-Rate-Limits", "").split(","):
        seconds, _, rest = limit.strip().partition(":")
        categories = rest.partition(":")[0].split(";")
        if re.fullmatch(r"\d+(\.\d+)?", seconds) and {"", "error"} & {*categories}:
            longest = max(longest, float(seconds))
    return longest


def _envelope(record: Record, target: Sentry) -> bytes:
    event = orjson.dumps(event_of(record, target.environment, target.max_age))
    header = orjson.dumps({"event_id": record["event_id"], "sent_at": utc_text(timespec="microseconds")})
    item = orjson.dumps({"type": "event", "content_type": "application/json", "length": len(event)})
    return b"\n".join([header, item, event, b""])


def event_of(record: Record, environment: str = "production", max_age: float = _MONTH) -> dict[str, Any]:
    """Return a record as Sentry's event payload, without user data.

    Args:
        record: the detail record.
        environment: of the installation.
        max_age: seconds; of an older record the time is now, and its own in ``extra``.
    """
    when = rfc3339(microseconds(not_older(record.get("timestamp"), max_age)))
    extra = dict(record.get("additional_info") or {})
    if when != record.get("timestamp"):
        extra["original_timestamp"] = record.get("timestamp")
    event = {
        "event_id": record["event_id"],
        "timestamp": when,
        "platform": "python",
        "level": _LEVELS.get(str(record.get("severity")), "error"),
        "logger": record.get("logger"),
        "logentry": {"formatted": record.get("message"), "message": record.get("message_template")},
        "server_name": record.get("host"),
        "release": record.get("release") or None,
        "environment": environment,
        "transaction": record.get("culprit"),
        "fingerprint": [record["fingerprint"]] if record.get("fingerprint") else None,
        "tags": _tags(record),
        "extra": extra,
        "contexts": {**_contexts(record), "process": {"type": "process", "pid": record.get("pid")}},
        "sdk": {"name": "visigate_logging", "version": __version__},
    }
    if values := [*_exceptions(record)]:
        event["exception"] = {"values": values}
    if crumbs := [_breadcrumb(crumb) for crumb in record.get("breadcrumbs") or ()]:
        event["breadcrumbs"] = {"values": crumbs}
    return {name: value for name, value in event.items() if value is not None}


def _tags(record: Record) -> dict[str, str]:
    found = {name: record.get(name) for name in ("category", "service", "process", "thread", "module", "severity")}
    found |= record.get("facets") or {}
    return {str(name): str(value)[:_LONGEST_TAG] for name, value in found.items() if value not in (None, "")}


def _contexts(record: Record) -> dict[str, Any]:
    machine, found = record.get("machine"), dict[str, Any]()
    if isinstance(machine, Mapping) and machine:
        found["machine"] = dict(machine)
    if record.get("trace_id"):
        found["trace"] = {"trace_id": record["trace_id"], "span_id": record.get("span_id")}
    if changes := record.get("changes"):
        found["changes"] = {str(n): change for n, change in enumerate(changes)}
    return found


def _exceptions(record: Record) -> Iterator[dict[str, Any]]:
    """Yield the chain as Sentry has it: what was raised last comes last."""
    chain = list(record.get("exceptions") or ())
    groups = {one.get("parent") for one in chain if one.get("relation") == "member"}
    for number, one in reversed([*enumerate(chain)]):
        notes = "".join(f"\n{note}" for note in one.get("notes") or ())
        mechanism = {
            "type": "chained" if number else "logging",
            "handled": bool(number) or record.get("logger") != "visigate.uncaught",
            "exception_id": number,
            "is_exception_group": number in groups or None,
        }
        if number:
            mechanism |= {"parent_id": one.get("parent"), "source": _source(chain, number)}
        yield {
            "type": one.get("type"),
            "module": one.get("module"),
            "value": f"{one.get('message', '')}{notes}",
            "mechanism": {name: value for name, value in mechanism.items() if value is not None},
            "stacktrace": {"frames": [_frame(frame) for frame in one.get("frames") or ()]},
        }


def _source(chain: Sequence[Mapping[str, Any]], number: int) -> str:
    relation, parent = chain[number].get("relation"), chain[number].get("parent")
    if relation != "member":
        return f"__{relation}__"
    before = [one for one in chain[:number] if one.get("relation") == "member" and one.get("parent") == parent]
    return f"exceptions[{len(before)}]"


def _frame(frame: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        "abs_path": frame.get("file"),
        "filename": _relative(str(frame.get("file", "")), str(frame.get("module", ""))),
        "lineno": frame.get("line"),
        "function": frame.get("function"),
        "module": frame.get("module"),
        "context_line": frame.get("code"),
        "in_app": frame.get("in_app"),
        "vars": frame.get("values") or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _relative(file: str, module: str) -> str:
    """Return a file's path from where its module is imported: ``gate/camera.py`` of ``gate.camera``."""
    path = module.replace(".", "/")
    found = next((tail for tail in (f"{path}.py", f"{path}/__init__.py") if f"/{file}".endswith(f"/{tail}")), None)
    return found or file.rpartition("/")[2]


def _breadcrumb(crumb: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        "type": "default",
        "timestamp": crumb.get("timestamp"),
        "level": _LEVELS.get(str(crumb.get("level")), "debug"),
        "category": crumb.get("logger"),
        "message": crumb.get("message"),
        "data": crumb.get("additional_info") or None,
    }
    return {name: value for name, value in found.items() if value is not None}
