"""A record knows the span of OpenTelemetry that it was made in, and costs nothing where there is none."""

import logging
import subprocess
import sys
import threading

import pytest

from visigate_logging import ErrorDetail
from visigate_logging.formatters import DetailFormatter

trace = pytest.importorskip("opentelemetry.trace")
CONTEXT = trace.SpanContext(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, is_remote=False)
IDS = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


def record():
    return logging.LogRecord("gate", logging.ERROR, "f", 1, "broken", (), None)


def ids_of(one):
    detail = ErrorDetail.from_record(one)
    return detail.trace_id, detail.span_id


def test_inside_a_span_a_record_has_its_ids_and_so_has_its_line():
    with trace.use_span(trace.NonRecordingSpan(CONTEXT)):
        one = record()
        assert ids_of(one) == IDS
        assert f'"trace_id":"{IDS[0]}","span_id":"{IDS[1]}"' in DetailFormatter().format(record())


def test_outside_it_has_none():
    assert ids_of(record()) == ("", "")
    with trace.use_span(trace.INVALID_SPAN):
        assert ids_of(record()) == ("", "")


def test_the_span_of_another_thread_or_process_is_not_the_records():
    found = []
    thread = threading.Thread(target=lambda: found.append(record()))
    thread.start()
    thread.join()
    elsewhere = record()
    elsewhere.process = 1
    with trace.use_span(trace.NonRecordingSpan(CONTEXT)):
        assert ids_of(found[0]) == ("", "")
        assert ids_of(elsewhere) == ("", "")


def test_a_hostile_opentelemetry_harms_nothing(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", object())
    assert ids_of(record()) == ("", "")


def test_opentelemetry_is_not_imported_for_it():
    code = (
        "import sys, logging, visigate_logging as v;"
        "v.ErrorDetail.from_record(logging.makeLogRecord({}));"
        "print('opentelemetry' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
    )
