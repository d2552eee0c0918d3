"""Records to any web server: as JSON lines or an array, in Loki's push format, or in Elasticsearch's bulk format."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from visigate_logging.forward.client import Reply, verdict
from visigate_logging.forward.posting import Posting
from visigate_logging.forward.target import Accepted, Later, Outcome, Record, Refused
from visigate_logging.forward.times import microseconds, not_older
from visigate_logging.options import Seconds

_WEEK = 7 * 86_400.0
_CONFLICT, _TOO_MANY = 409, 429


@dataclass(frozen=True, kw_only=True)
class Http(Posting):
    """A web server that takes POST requests.

    Args:
        url: http or https; of Loki ``…/loki/api/v1/push``, of Elasticsearch ``…/INDEX/_bulk``.
        format: ``json_lines``, ``json_array``, ``loki`` (https://grafana.com/docs/loki/latest/reference/loki-http-api)
            or ``elasticsearch`` (https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk).
        headers: of each request, such as ``Authorization``.
        labels: further labels for Loki, beside ``service``, ``host`` and ``level``.
        max_age: seconds; to Loki an older record goes with the time of its sending, because Loki refuses old times
            (``reject_old_samples_max_age``); its own time is in the record.
        compression: ``gzip``, which a server that says 415 is spared, or ``none``.
        tls: ``{ca_file: PATH, cert_file: PATH, key_file: PATH}``.
        timeout: seconds that the server may be silent.
    """

    format: Literal["json_lines", "json_array", "loki", "elasticsearch"] = "json_lines"
    labels: Mapping[str, str] = field(default_factory=dict)
    max_age: Seconds = _WEEK

    def _post(self, records: Sequence[Record]) -> Sequence[Outcome]:
        content_type, body = _FORMATS[self.format](self, records)
        reply = self._client.post(body, content_type)
        outcome = verdict(reply)
        if isinstance(reply, Reply) and outcome == Accepted() and self.format == "elasticsearch":
            return _of_items(reply, len(records))
        return [outcome]


def _json_lines(_target: Http, records: Sequence[Record]) -> tuple[str, bytes]:
    return "application/x-ndjson", b"".join(orjson.dumps(record) + b"\n" for record in records)


def _json_array(_target: Http, records: Sequence[Record]) -> tuple[str, bytes]:
    return "application/json", orjson.dumps(list(records))


def _loki(target: Http, records: Sequence[Record]) -> tuple[str, bytes]:
    streams: dict[tuple[str, ...], list[list[str]]] = {}
    for record in records:
        key = tuple(str(record.get(name) or "") for name in ("service", "host", "severity"))
        when = not_older(record.get("timestamp"), target.max_age)
        streams.setdefault(key, []).append([f"{microseconds(when)}000", orjson.dumps(record).decode()])
    labelled = [
        {"stream": {"service": service, "host": host, "level": level.lower()} | dict(target.labels), "values": values}
        for (service, host, level), values in streams.items()
    ]
    return "application/json", orjson.dumps({"streams": labelled})


def _elasticsearch(_target: Http, records: Sequence[Record]) -> tuple[str, bytes]:
    lines = []
    for record in records:
        # "create" with an id of our own: what was sent before is answered with 409, and is there once.
        lines += [{"create": {"_id": record["event_id"]}}, {"@timestamp": record.get("timestamp"), **record}]
    return "application/x-ndjson", b"".join(orjson.dumps(line) + b"\n" for line in lines)


_FORMATS: dict[str, Callable[[Http, Sequence[Record]], tuple[str, bytes]]] = {
    "json_lines": _json_lines,
    "json_array": _json_array,
    "loki": _loki,
    "elasticsearch": _elasticsearch,
}


def _of_items(reply: Reply, n: int) -> list[Outcome]:
    """Return what Elasticsearch says of each record."""
    try:
        items = orjson.loads(reply.body)["items"]
        outcomes = [_of_item(next(iter(item.values()))) for item in items]
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration):
        return [Later(f"the answer is none of Elasticsearch's: {reply.text}")] * n
    return outcomes if len(outcomes) == n else [Later(f"{len(outcomes)} answers came for {n} records")] * n


def _of_item(item: Mapping[str, Any]) -> Outcome:
    status, error = int(item["status"]), item.get("error") or {}
    if status < 300 or status == _CONFLICT:
        return Accepted()
    reason = f"{status} {error.get('type', '')}: {error.get('reason', '')}"[:300]
    return Later(reason) if status == _TOO_MANY or status >= 500 else Refused(reason)
