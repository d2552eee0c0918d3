"""The span of OpenTelemetry that a record was made in, where the application uses it."""

import logging
import os
import sys
import threading


def span_of(record: logging.LogRecord) -> tuple[str, str] | None:
    """Return the ids of trace and span as hex; None where there is none, or the record was made elsewhere.

    OpenTelemetry is never imported for this: who uses it has done so.
    """
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None or record.thread != threading.get_ident() or record.process not in (None, os.getpid()):
        return None
    try:
        context = trace.get_current_span().get_span_context()
        return (f"{context.trace_id:032x}", f"{context.span_id:016x}") if context.is_valid else None
    except Exception:  # it is only just being imported, or another version
        return None
