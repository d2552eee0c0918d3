"""Records to an OpenTelemetry collector: logs over HTTP in Protobuf, with the official messages.

https://opentelemetry.io/docs/specs/otlp/#otlphttp, https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-logs/
"""

import importlib.util
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from visigate_logging._version import __version__
from visigate_logging.exceptions import ConfigurationError, MissingExtraError
from visigate_logging.forward.client import Reply, verdict
from visigate_logging.forward.posting import Posting
from visigate_logging.forward.target import Accepted, Outcome, Record, Refused
from visigate_logging.forward.times import microseconds, not_older

if TYPE_CHECKING:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

_FOR_EVER = 10 * 365 * 86_400.0
_SEVERITIES = {"DEBUG": 5, "INFO": 9, "WARNING": 13, "ERROR": 17, "CRITICAL": 21}
"""https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber"""
_RESOURCE = {
    "service": "service.name",
    "release": "service.version",
    "host": "host.name",
    "process": "process.executable.name",
    "pid": "process.pid",
}
_ATTRIBUTES = {
    "event_id": "log.record.uid",
    "error_type": "exception.type",
    "error_message": "exception.message",
    "traceback": "exception.stacktrace",
    "file": "code.file.path",
    "line": "code.line.number",
    "thread": "thread.name",
    "message_template": "visigate.message_template",
    "category": "visigate.category",
    "fingerprint": "visigate.fingerprint",
    "culprit": "visigate.culprit",
    "boot_id": "visigate.boot_id",
    "repeats": "visigate.repeats",
    "breadcrumbs": "visigate.breadcrumbs",
    "machine": "visigate.machine",
    "changes": "visigate.changes",
    "additional_info": "visigate.additional_info",
}


@dataclass(frozen=True, kw_only=True)
class Otlp(Posting):
    """An OpenTelemetry collector, or any server that takes OTLP over HTTP.

    Args:
        url: of the logs, which mostly ends with ``:4318/v1/logs``.
        headers: of each request, such as ``Authorization``.
        compression: ``gzip`` or ``none``.
        tls: ``{ca_file: PATH, cert_file: PATH, key_file: PATH}``.
        timeout: seconds that the server may be silent.
    """

    def __post_init__(self) -> None:
        try:
            found = importlib.util.find_spec("opentelemetry.proto")
        except ImportError:
            found = None
        if found is None:
            raise ConfigurationError("", str(MissingExtraError("opentelemetry-proto", "otlp")))

    def _post(self, records: Sequence[Record]) -> Sequence[Outcome]:
        reply = self._client.post(_request(records).SerializeToString(), "application/x-protobuf")
        outcome = verdict(reply)
        return _accepted(reply, len(records)) if isinstance(reply, Reply) and outcome == Accepted() else [outcome]


def _accepted(reply: Reply, n: int) -> Sequence[Outcome]:
    """Return what a 200 says: of a partial success how many were refused, which must not be sent again."""
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

    try:
        partial = ExportLogsServiceResponse.FromString(reply.body).partial_success
    except DecodeError:  # it has said 200
        return [Accepted()] * n
    refused = min(max(partial.rejected_log_records, 0), n)
    reason = f"{refused} of {n} in one request: {partial.error_message}"[:300]
    return [*[Refused(reason, is_known=refused == n)] * refused, *[Accepted()] * (n - refused)]


def _request(records: Sequence[Record]) -> "ExportLogsServiceRequest":
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    request = ExportLogsServiceRequest()
    scopes: dict[tuple[Any, ...], Any] = {}
    for record in records:
        resource = tuple(record.get(name) for name in _RESOURCE)
        key = (*resource, record.get("logger"))
        if key not in scopes:
            if resource not in scopes:
                scopes[resource] = logs = request.resource_logs.add()
                logs.resource.attributes.extend(_pairs(dict(zip(_RESOURCE.values(), resource, strict=True))))
            scopes[key] = scopes[resource].scope_logs.add()
            scopes[key].scope.name, scopes[key].scope.version = str(record.get("logger") or ""), __version__
        _fill(scopes[key].log_records.add(), record)
    return request


def _fill(log: "LogRecord", record: Record) -> None:
    from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber

    log.time_unix_nano = microseconds(not_older(record.get("timestamp"), _FOR_EVER)) * 1000
    log.observed_time_unix_nano = time.time_ns()
    severity = str(record.get("severity") or "ERROR")
    log.severity_text = severity
    log.severity_number = SeverityNumber.ValueType(_SEVERITIES.get(severity, _SEVERITIES["ERROR"]))
    log.body.string_value = str(record.get("message") or "")
    found = {name: record.get(field) for field, name in _ATTRIBUTES.items()}
    if not record.get("exceptions"):  # the conventions' names are for exceptions
        found |= {name: None for name in found if name.startswith("exception.")}
    function = ".".join(filter(None, (record.get("module"), record.get("function"))))
    found["code.function.name"] = function
    found |= {f"visigate.facet.{name}": value for name, value in (record.get("facets") or {}).items()}
    log.attributes.extend(_pairs(found))
    log.trace_id, log.span_id = _hex(record.get("trace_id"), 16), _hex(record.get("span_id"), 8)


def _pairs(values: Mapping[str, Any]) -> Iterator["KeyValue"]:
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue

    for name, value in values.items():
        if value not in (None, "", {}, []):
            pair = KeyValue(key=str(name))
            _put(pair.value, value)
            yield pair


def _put(place: Any, value: Any) -> None:
    """Fill an AnyValue."""
    if isinstance(value, bool):
        place.bool_value = value
    elif isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        place.int_value = value
    elif isinstance(value, float):
        place.double_value = value
    elif isinstance(value, Mapping):
        place.kvlist_value.values.extend(_pairs(value))
    elif isinstance(value, list | tuple):
        place.array_value.SetInParent()
        for inner in value:
            _put(place.array_value.values.add(), inner)
    else:
        place.string_value = str(value)


def _hex(text: Any, size: int) -> bytes:
    """Return an id of a trace or span; nothing unless it is one."""
    try:
        found = bytes.fromhex(str(text or ""))
    except ValueError:
        return b""
    return found if len(found) == size and any(found) else b""
