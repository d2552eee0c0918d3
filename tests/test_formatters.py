"""The formatters write the detail record, on python-json-logger's seams, for whatever is logged."""

import io
import json
import logging
import logging.config
from typing import Any

import pytest
import yaml

from tests.detail.test_record import FIELDS, fail, hostile_records, logged
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.formatters import DetailFormatter, TextFormatter


def test_a_record_is_one_line_of_json_with_all_fields_in_order() -> None:
    record = logged(fail)
    line = DetailFormatter().format(record)
    assert "\n" not in line
    assert list(json.loads(line)) == list(ErrorDetail.from_record(record).to_dict())
    assert set(json.loads(line)) == FIELDS
    assert DetailFormatter().format_bytes(record) == f"{line}\n".encode()


def test_every_hostile_record_is_a_line_of_utf8() -> None:
    formatter = DetailFormatter()
    for record in hostile_records():
        line = formatter.format_bytes(record).removesuffix(b"\n")
        assert b"\n" not in line
        assert set(json.loads(line.decode("utf-8"))) == FIELDS


def test_a_record_that_one_formatter_has_seen_is_the_same_event_for_another() -> None:
    record = logged(fail)
    one = json.loads(DetailFormatter().format(record))
    other = json.loads(DetailFormatter(service="gate", release="1.2").format(record))
    assert one["event_id"] == other["event_id"]
    assert (other["service"], other["release"]) == ("gate", "1.2")


def test_static_and_renamed_fields_work_as_in_python_json_logger() -> None:
    formatter = DetailFormatter(
        static_fields={"site": "north", "odd": {1, 2}}, rename_fields={"level": "severity_text"}
    )
    line = json.loads(formatter.format(logged(fail)))
    assert (line["site"], line["severity_text"]) == ("north", "ERROR")
    assert "level" not in line
    assert line["odd"] == [1, 2]


def test_a_subclass_may_change_the_fields_and_how_they_are_written() -> None:
    class Own(DetailFormatter):
        def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
            return {"only": log_data["error_type"], 5: object, "bad": "\ud800", "nan": float("nan")}  # type: ignore[dict-item]

        def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
            return "> " + super().jsonify_log_record(log_data)

    text = Own().format(logged(fail))
    assert text.startswith("> ")
    line = json.loads(text[2:])
    assert line["only"] == "ConnectionRefusedError"
    assert line["bad"] == "\\ud800"
    assert "object" in line["5"]


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"fmt": "%(message)s"}, "fmt"),
        ({"max_field_bytes": 10}, "max_field_bytes"),
        ({"max_field_bytes": "64k"}, "max_field_bytes"),
        ({"max_field_bytes": True}, "max_field_bytes"),
        ({"in_app": 5}, "in_app"),
        ({"in_app": [5]}, "in_app.0"),
        ({"mask_keys": [None]}, "mask_keys.0"),
        ({"mask_keys": ["---"]}, "mask_keys.0"),
        ({"mask_keys": [""]}, "mask_keys.0"),
    ],
)
def test_an_option_that_cannot_be_is_refused_with_its_key(given: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        DetailFormatter(**given)
    assert caught.value.key == key


def test_a_field_over_the_limit_is_cut_and_says_by_how_much() -> None:
    formatter = DetailFormatter(max_field_bytes=1024)
    record = logged(lambda logger: logger.error("x" * 5000, extra={"many": ["y" * 100] * 100}))
    line = json.loads(formatter.format(record))
    assert "[… 3977 bytes cut …]" in line["message"]
    assert "more items cut]" in str(line["additional_info"])
    assert len(json.dumps(line["additional_info"])) < 1600


def test_both_are_wired_from_yaml_by_dictconfig() -> None:
    config = """
        version: 1
        formatters:
          detail: {(): visigate_logging.DetailFormatter, service: gate, mask_keys: [plate], in_app: tests}
          text:
            class: visigate_logging.formatters.TextFormatter
            format: "%(levelname)s %(category)s|%(message)s %(event_id)s"
        handlers:
          detail: {class: logging.StreamHandler, formatter: detail}
          text: {class: logging.StreamHandler, formatter: text}
        loggers: {gate: {handlers: [detail, text]}}
    """
    logging.config.dictConfig(yaml.safe_load(config))
    logger = logging.getLogger("gate")
    streams = [io.StringIO(), io.StringIO()]
    for handler, stream in zip(logger.handlers, streams, strict=True):
        handler.stream = stream  # type: ignore[attr-defined]
    fail(logger, extra={"plate": "B-AB 12"})
    line = json.loads(streams[0].getvalue())
    assert (line["service"], line["additional_info"], line["function"]) == ("gate", {"plate": "***"}, "fail")
    text = streams[1].getvalue()
    assert text.startswith(
        f"ERROR |camera north is lost {line['event_id']}\n    Traceback (most recent call last):\n"
    )
    assert text.endswith("\n    ConnectionRefusedError: [Errno 111] refused\n")


def test_the_text_for_people_holds_no_secret_and_leaves_the_record_as_it_was() -> None:
    record = logged(lambda logger: logger.error("at %s", "rtsp://a:hunter2@h", extra={"url": "rtsp://a:hunter2@h"}))
    text = TextFormatter("%(message)s %(url)s").format(record)
    assert text == "at rtsp://***@h rtsp://***@h"
    assert record.args == ("rtsp://a:hunter2@h",)


@pytest.mark.parametrize("place", ["name", "processName", "threadName", "taskName"])
def test_the_text_for_people_holds_no_secret_of_a_name(place: str) -> None:
    record = logged(lambda logger: logger.error("no picture"))
    setattr(record, place, "grab rtsp://a:hunter2@h")
    assert TextFormatter(f"%({place})s: %(message)s").format(record) == "grab rtsp://***@h: no picture"


FORGED = "2026-11-23 19:00:00,000 CRITICAL the gate is open"
HOSTILE = [
    f"ok{end}{FORGED}" for end in ("\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\n\n\n")
]
HOSTILE += ["\x1b[2J\x1b[H", "\a\b\x7f", "\x9b2J", "\x1b]0;title\a", "\u202ekcart\u202c", "\u2066a\u2069", "\u200f"]


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("place", ["message", "exception", "note", "extra", "name", "threadName", "stack", "code"])
def test_no_text_of_a_record_steers_a_terminal_or_passes_for_another_record(hostile: str, place: str) -> None:
    """Only the first line of a record does not begin with white space, and all but newlines can be printed."""
    error = ValueError(hostile if place == "exception" else "x")
    if place == "note":
        error.add_note(hostile)
    if place == "code":
        error.__cause__ = type(hostile, (Exception,), {})()
    given = {"plate": hostile if place == "extra" else "x"}

    def call(logger: logging.Logger) -> None:
        try:
            raise error
        except ValueError:
            logger.exception("read %s", hostile if place == "message" else "x", extra=given)

    record = logged(call)
    if place in {"name", "threadName"}:
        setattr(record, place, hostile)
    if place == "stack":
        record.stack_info = f"Stack (most recent call last):\n{hostile}"
    text = TextFormatter("%(asctime)s %(name)s %(threadName)s %(plate)s: %(message)s").format(record)
    first, *others = text.split("\n")
    assert text.replace("\n", "").isprintable()
    assert others
    assert all(line.startswith("    ") for line in others)
    assert not first.startswith(" ")


def test_the_lines_of_a_message_stay_readable_below_its_first() -> None:
    record = logged(lambda logger: logger.error("cannot read:\nB-AB 12\n\tB-CD 34"))
    assert TextFormatter("%(levelname)s %(message)s").format(record) == (
        "ERROR cannot read:\n    B-AB 12\n    \tB-CD 34"
    )


def test_colours_that_the_format_itself_has_are_kept() -> None:
    record = logged(lambda logger: logger.error("red\x1b[0m"))
    assert TextFormatter("\x1b[31m%(message)s\x1b[0m").format(record) == "\x1b[31mred\\u001b[0m\x1b[0m"


def test_the_line_of_json_has_the_text_as_it_was() -> None:
    record = logged(lambda logger: logger.error("\x1b[2J\n\u202e"))
    TextFormatter("%(message)s").format(record)
    assert json.loads(DetailFormatter().format(record))["message"] == "\x1b[2J\n\u202e"


def test_facets_are_those_of_the_extra_values_that_are_named():
    formatter = DetailFormatter(facets=["camera", "lane"])
    record = logging.makeLogRecord({"msg": "no picture", "levelname": "ERROR", "camera": "entrance", "attempt": 3})
    assert json.loads(formatter.format(record))["facets"] == {"camera": "entrance"}
    plain = json.loads(DetailFormatter().format(logging.makeLogRecord({"msg": "x", "camera": "entrance"})))
    assert plain["facets"] == {}
