"""The classifier gives category and severity by type, logger and module, from dictConfig."""

import io
import json
import logging
import logging.config
import re
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.detail import raising
from tests.detail.test_stacks import record_of
from visigate_logging.detail.classification import Classifier
from visigate_logging.detail.record import DetailOptions, ErrorDetail
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.handlers.json_file import JsonFileHandler
from visigate_logging.host import State
from visigate_logging.host.counts import host_counts

RULES = """
- {exceptions: OSError, category: system, severity: WARNING}
- {exceptions: [ConnectionError, TimeoutError], category: network}
- {exceptions: [sqlite3.DatabaseError], category: database, severity: CRITICAL}
- {exceptions: [sqlite3.IntegrityError], category: data}
- {exceptions: [json.JSONDecodeError], category: recognition}
- {exceptions: [InnerError], causes: true, category: inner}
- {logger: gate.camera, category: camera}
- {module: other.module, category: module}
- {exceptions: [ValueError], logger: gate.web, category: web}
"""


def classified(error: BaseException | None = None, name: str = "gate", **extra: Any) -> tuple[str, str]:
    record = record_of(error, **extra) if error is not None else logging.LogRecord(name, 40, "f", 1, "m", None, None)
    record.name = name
    assert Classifier(yaml.safe_load(RULES)).filter(record) is True
    detail = ErrorDetail.from_record(record)
    return detail.category, detail.severity


def caused(error: BaseException, by: BaseException) -> BaseException:
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PermissionError(), ("system", "WARNING")),
        (ConnectionRefusedError(), ("network", "WARNING")),
        (sqlite3.OperationalError(), ("database", "CRITICAL")),
        (sqlite3.IntegrityError(), ("data", "CRITICAL")),
        (json.JSONDecodeError("x", "y", 0), ("recognition", "ERROR")),
        (KeyError(), ("", "ERROR")),
        (raising.Outer.InnerError(), ("inner", "ERROR")),
        (caused(KeyError(), raising.Outer.InnerError()), ("inner", "ERROR")),
        (caused(KeyError(), ConnectionRefusedError()), ("", "ERROR")),
        (ExceptionGroup("g", [KeyError(), raising.Outer.InnerError()]), ("inner", "ERROR")),
        (caused(raising.FalsyError(), raising.Outer.InnerError()), ("inner", "ERROR")),
    ],
    ids=lambda v: type(v).__name__,
)
def test_the_nearest_class_wins_for_category_and_severity_apart(
    error: BaseException, expected: tuple[str, str]
) -> None:
    assert classified(error) == expected


def test_an_exceptions_rule_goes_before_a_loggers() -> None:
    assert classified(ConnectionError(), "gate.camera") == ("network", "WARNING")
    assert classified(KeyError(), "gate.camera.north") == ("camera", "ERROR")
    assert classified(KeyError(), "gate.cameras") == ("", "ERROR")
    assert classified(ValueError(), "gate.web") == ("web", "ERROR")
    assert classified(ValueError(), "gate.api") == ("", "ERROR")


def test_a_rule_for_a_module_looks_at_the_frames() -> None:
    error = raising.caught(lambda: exec("{}['x']", {"__name__": "other.module.sub"}))
    assert classified(error) == ("module", "ERROR")


def test_a_record_without_an_exception_has_its_own_level_as_severity() -> None:
    assert classified(None) == ("", "ERROR")
    assert classified(None, "gate.camera") == ("camera", "ERROR")


def test_what_the_application_has_given_stays() -> None:
    assert classified(ConnectionError(), category="mine", severity="INFO") == ("mine", "INFO")


def test_a_classifier_that_comes_after_the_detail_was_built_still_counts() -> None:
    record = record_of(ConnectionError())
    before = ErrorDetail.from_record(record)
    Classifier(yaml.safe_load(RULES)).filter(record)
    after = ErrorDetail.from_record(record)
    assert (before.category, after.category, after.severity) == ("", "network", "WARNING")
    assert before.event_id == after.event_id


@pytest.mark.parametrize("kind", [raising.HostileError, raising.HostileLinksError, raising.LiarError])
def test_a_hostile_exception_does_not_escape(kind: type[Exception]) -> None:
    error = kind("x")
    for group in (error, caused(KeyError(), error), ExceptionGroup("g", [error])):
        assert classified(group)[1] == "ERROR"


@pytest.mark.parametrize("info", [True, (None, None, None), ValueError("x"), "text", (1, 2)])
def test_an_odd_exc_info_does_not_escape(info: Any) -> None:
    record = logging.makeLogRecord({"exc_info": info, "levelname": "ERROR", "name": "gate"})
    assert Classifier(yaml.safe_load(RULES)).filter(record)
    assert ErrorDetail.from_record(record).to_json()


@pytest.mark.parametrize("place", ["handler", "logger"])
def test_it_is_wired_from_yaml_by_dictconfig(place: str) -> None:
    config = yaml.safe_load(f"""
        version: 1
        filters: {{classify: {{(): visigate_logging.Classifier, rules: {yaml.safe_load(RULES)!r} }} }}
        formatters: {{detail: {{class: visigate_logging.DetailFormatter}} }}
        handlers: {{out: {{class: logging.StreamHandler, formatter: detail}} }}
        loggers: {{gate: {{handlers: [out]}} }}
    """)
    where = config["handlers"]["out"] if place == "handler" else config["loggers"]["gate"]
    where["filters"] = ["classify"]
    logging.config.dictConfig(config)
    logger = logging.getLogger("gate")
    stream = io.StringIO()
    logger.handlers[0].stream = stream  # type: ignore[attr-defined]
    try:
        raise ConnectionResetError
    except ConnectionResetError:
        logger.exception("lost")
    line = json.loads(stream.getvalue())
    assert (line["category"], line["severity"], line["level"]) == ("network", "WARNING", "ERROR")


@pytest.mark.parametrize(
    ("rules", "key"),
    [
        ("{exceptions: x}", "rules"),
        ("text", "rules"),
        ("[text]", "rules.0"),
        ("[{exception: X, category: a}]", "rules.0.exception"),
        ("[{exceptions: X, category: a}, {category: a}]", "rules.1"),
        ("[{exceptions: X}]", "rules.0"),
        ("[{exceptions: 5, category: a}]", "rules.0.exceptions"),
        ("[{exceptions: [5], category: a}]", "rules.0.exceptions.0"),
        ("[{exceptions: [], category: a}]", "rules.0.exceptions"),
        ("[{exceptions: X, category: }]", "rules.0.category"),
        ("[{exceptions: X, category: 5}]", "rules.0.category"),
        ("[{logger: 5, category: a}]", "rules.0.logger"),
        ("[{module: [a], category: a}]", "rules.0.module"),
        ("[{exceptions: X, severity: critical}]", "rules.0.severity"),
        ("[{exceptions: X, severity: 0}]", "rules.0.severity"),
        ("[{exceptions: X, severity: 50}]", "rules.0.severity"),
        ("[{exceptions: X, causes: perhaps, category: a}]", "rules.0.causes"),
        ("[{exceptions: X, ignore: perhaps}]", "rules.0.ignore"),
        ("[{exceptions: X, severity: NOTSET}]", "rules.0.severity"),
        ("[{message: '(', category: a}]", "rules.0.message"),
        ("[{message: 5, category: a}]", "rules.0.message"),
        ("[{status: 700, category: a}]", "rules.0.status"),
        ("[{status: [404, four], category: a}]", "rules.0.status"),
        ("[{status: true, category: a}]", "rules.0.status"),
        ("[{status: [], category: a}]", "rules.0.status"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_key(rules: str, key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Classifier(yaml.safe_load(rules))
    assert caught.value.key == key
    assert re.search("is not|possible|a rule", str(caught.value))


def test_what_is_remembered_of_classes_is_bounded() -> None:
    classifier = Classifier([{"exceptions": ["OSError"], "category": "x"}])
    for number in range(5000):
        classifier.filter(record_of(type(f"E{number}", (Exception,), {})()))
    assert len(classifier._ranks) <= 4096


class WebError(Exception):
    """Carries a status as werkzeug's exceptions do."""

    def __init__(self, code: int) -> None:
        super().__init__(f"{code} is what the server said")
        self.code = code


def ruled(rules: str, error: BaseException | None = None, message: str = "m", name: str = "gate") -> dict[str, Any]:
    record = record_of(error) if error is not None else logging.LogRecord(name, 40, "f", 1, message, None, None)
    record.name, record.msg = name, message
    passed = Classifier(yaml.safe_load(rules)).filter(record)
    return {"passed": passed, "category": record.category, "severity": record.severity}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("rule", "error", "message", "category"),
    [
        ("{message: 'camera .* is away'}", None, "camera north is away", "x"),
        ("{message: 'camera .* is away'}", None, "camera north is here", ""),
        ("{message: refused}", ConnectionError("refused"), "cannot connect", "x"),
        ("{message: refused, exceptions: [ValueError]}", ConnectionError("refused"), "m", ""),
        ("{status: 404}", WebError(404), "m", "x"),
        ("{status: 404}", WebError(500), "m", ""),
        ("{status: [401, 5xx]}", WebError(503), "m", "x"),
        ("{status: 4xx}", None, "HTTP 404 for /favicon.ico", "x"),
        ("{status: 4xx}", None, "webhook failed: 403 Client Error: Forbidden for url: http://x", "x"),
        ("{status: 4xx}", None, "webhook answered with status code: 422", "x"),
        ("{status: 4xx}", None, "404 plates were read", ""),
        ("{status: 404}", None, "%d is no status", ""),
        ("{status: 404, causes: true}", caused(KeyError(), WebError(404)), "m", "x"),
        ("{status: 404}", caused(KeyError(), WebError(404)), "m", ""),
    ],
)
def test_a_rule_looks_at_the_message_and_at_the_status(
    rule: str, error: BaseException | None, message: str, category: str
) -> None:
    assert ruled(f"[{{category: x, {rule[1:-1]}}}]", error, message)["category"] == category


def test_a_message_or_status_is_as_near_as_the_exceptions_own_class() -> None:
    by_base = "{exceptions: [OSError], category: base}"
    by_class = "{exceptions: [ConnectionError], category: own}"
    by_message = "{message: gone, category: told}"
    for rules, category in (
        ([by_base, by_message], "told"),
        ([by_class, by_message], "own"),
        ([by_message, by_class], "told"),
        (["{logger: gate, category: logger}", by_message], "told"),
    ):
        assert ruled(f"[{','.join(rules)}]", ConnectionError("gone"))["category"] == category


def test_a_rule_may_ignore_and_another_that_is_nearer_may_not() -> None:
    rules = "[{exceptions: [ConnectionResetError], ignore: false}, {exceptions: [OSError], ignore: true}]"
    assert not ruled(rules, BlockingIOError())["passed"]
    assert ruled(rules, ConnectionResetError())["passed"]
    assert ruled(rules, KeyError())["passed"]


def test_a_severity_may_be_as_low_as_debug() -> None:
    assert ruled("[{message: '^DEBUG', severity: DEBUG}]", None, "DEBUG: frame 7")["severity"] == "DEBUG"


def test_what_is_ignored_is_not_recorded_but_counted(tmp_path: Path) -> None:
    handler = JsonFileHandler(tmp_path / "details.jsonl")
    handler.addFilter(Classifier([{"status": 404, "ignore": True}]))
    for number in range(100):
        handler.handle(logging.LogRecord("web", 40, "f", 1, f"404 Not Found: /wp-{number}.php", None, None))
    handler.handle(logging.LogRecord("web", 40, "f", 1, "an error", None, None))
    assert handler.counts() == {"accepted": 101, "delivered": 1, "folded": 100, "dropped": {}, "pending": 0}
    handler.close()
    assert (tmp_path / "details.jsonl").read_text().count("\n") == 1
    assert host_counts(State(tmp_path / "state"))[str(tmp_path / "details.jsonl")]["folded"] == 100


def test_a_class_whose_library_is_not_there_is_met_by_nothing_and_imports_nothing() -> None:
    before = set(sys.modules)
    rules = "[{exceptions: [no_such_library.Error, xml.dom.minidom.NoSuch], category: x}]"
    assert ruled(rules, KeyError())["category"] == ""
    assert set(sys.modules) == before


def test_what_named_groups_of_a_rule_find_goes_along_and_is_a_facet(tmp_path):
    rule = {"message": r"camera (?P<camera>[\w.]+) on (?P<port>\d+)?", "category": "camera"}
    records = [logging.makeLogRecord({"msg": f"camera {name} on ", "levelno": 40}) for name in ("north", "south")]
    records[1].camera = "given"
    for record in records:
        Classifier([rule]).filter(record)
    found = [ErrorDetail.from_record(record, DetailOptions(facets=("camera", "port"))) for record in records]
    assert [detail.facets for detail in found] == [{"camera": "north"}, {"camera": "given"}]
    assert Classifier([{"message": "(?P<camera>x)"}]).filter(records[0])


@pytest.mark.parametrize("name", ["cameras", "v3:0123456789abcdef"])
def test_a_rule_names_the_group_of_an_error_or_gives_the_key_of_one(name):
    rules = [{"message": "camera", "fingerprint": name}, {"logger": "gate", "fingerprint": "other"}]
    records = [logging.makeLogRecord({"name": "gate", "msg": f"camera {n} fell", "levelno": 40}) for n in "ab"]
    for record in records:
        Classifier(rules).filter(record)
    keys = {ErrorDetail.from_record(record).fingerprint for record in records}
    assert len(keys) == 1
    assert (name in keys) == name.startswith("v3:")
    own = logging.makeLogRecord({"name": "gate", "msg": "camera fell", "fingerprint": "mine", "levelno": 40})
    Classifier(rules).filter(own)
    assert own.fingerprint == "mine"
