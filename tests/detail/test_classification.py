"""The classifier gives category and severity by type, logger and module, from dictConfig."""

import io
import json
import logging
import logging.config
import sqlite3
from typing import Any

import pytest
import yaml

from tests.detail import raising
from tests.detail.test_stacks import record_of
from visigate_logging.detail.classification import Classifier
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.exceptions import ConfigurationError

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
        ("[text]", "rules[0]"),
        ("[{exception: X, category: a}]", "rules[0].exception"),
        ("[{exceptions: X, category: a}, {category: a}]", "rules[1]"),
        ("[{exceptions: X}]", "rules[0]"),
        ("[{exceptions: 5, category: a}]", "rules[0].exceptions"),
        ("[{exceptions: [5], category: a}]", "rules[0].exceptions"),
        ("[{exceptions: [], category: a}]", "rules[0].exceptions"),
        ("[{exceptions: X, category: }]", "rules[0].category"),
        ("[{exceptions: X, category: 5}]", "rules[0].category"),
        ("[{logger: 5, category: a}]", "rules[0].logger"),
        ("[{module: [a], category: a}]", "rules[0].module"),
        ("[{exceptions: X, severity: critical}]", "rules[0].severity"),
        ("[{exceptions: X, severity: 0}]", "rules[0].severity"),
        ("[{exceptions: X, severity: 50}]", "rules[0].severity"),
        ("[{exceptions: X, causes: perhaps, category: a}]", "rules[0].causes"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_key(rules: str, key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Classifier(yaml.safe_load(rules))
    assert caught.value.key == key
    assert "met" in str(caught.value) or "possible" in str(caught.value) or "a rule" in str(caught.value)


def test_what_is_remembered_of_classes_is_bounded() -> None:
    classifier = Classifier([{"exceptions": ["OSError"], "category": "x"}])
    for number in range(5000):
        classifier.filter(record_of(type(f"E{number}", (Exception,), {})()))
    assert len(classifier._ranks) <= 4096
