"""JsonFileHandler: one line of JSON for each error."""

import json
import logging
import logging.config

import orjson
import pytest

from tests.handlers.conformance import CASES
from tests.waiting import wait_until
from visigate_logging import DetailFormatter, ErrorDetail, JsonFileHandler
from visigate_logging.host.machine import machine


@pytest.fixture
def log(tmp_path):
    return tmp_path / "details.jsonl"


@pytest.fixture
def make(log):
    made = []

    def make(**options):
        made.append(JsonFileHandler(log, **options))
        return made[-1]

    yield make
    for handler in made:
        handler.close()


def error(message="no picture", **fields):
    return logging.makeLogRecord({"name": "gate", "levelno": 40, "levelname": "ERROR", "msg": message, **fields})


def test_each_record_is_one_line_that_reads_back_as_its_detail(make, log):
    handler = make()
    records = [error("one"), error("two\nlines", camera="north"), error("\ud800")]
    for record in records:
        handler.handle(record)
    lines = log.read_bytes().splitlines()
    read = [ErrorDetail.from_dict(orjson.loads(line)) for line in lines]
    assert [r.event_id for r in read] == [ErrorDetail.from_record(r).event_id for r in records]
    assert read[1].message == "two\nlines"
    assert read[1].additional_info == {"camera": "north"}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_does_what_every_handler_must(case, make, log):
    case.run(make)
    text_lines = {"None", "b'bytes'", "\\ud800"} if str(case) == "hostile_formatters" else set()
    for line in log.read_text().splitlines() if log.exists() else ():
        assert line in text_lines or isinstance(json.loads(line), dict)


class Failing(DetailFormatter):
    """Fails in the seam that is there for subclasses."""

    def process_log_record(self, log_data):
        raise KeyError("field")


class FailingText(logging.Formatter):
    """Fails altogether."""

    def format(self, record):
        raise KeyError("field")


@pytest.mark.parametrize("formatter", [Failing(), FailingText()])
def test_what_its_formatter_refuses_is_written_in_full_all_the_same(make, log, formatter):
    handler = make()
    handler.setFormatter(formatter)
    handler.handle(error("one", camera="north"))
    line = json.loads(log.read_text())
    assert (line["message"], line["additional_info"]) == ("one", {"camera": "north"})
    assert line["formatter_error"] == "KeyError"
    assert handler.counts()["delivered"] == 1


def test_a_formatter_of_the_configuration_takes_the_place_of_its_own(log):
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"detail": {"()": "visigate_logging.DetailFormatter", "service": "north gate"}},
            "handlers": {
                "details": {
                    "class": "visigate_logging.JsonFileHandler",
                    "filename": str(log),
                    "formatter": "detail",
                    "maxBytes": 100_000,
                    "backupCount": 3,
                    "sync": "interval",
                }
            },
            "root": {"handlers": ["details"]},
        }
    )
    logging.getLogger("gate").error("no picture")
    assert json.loads(log.read_text())["service"] == "north gate"


def test_an_error_tells_the_state_of_the_machine_once_the_handler_is_configured(log, make):
    handler = make()
    handler.set_name("details")
    wait_until(machine.newest)
    handler.handle(logging.makeLogRecord({"levelno": logging.ERROR, "levelname": "ERROR", "msg": "failed"}))
    found = json.loads(log.read_text())["machine"]
    assert found["load"]
    assert found["disks"]
