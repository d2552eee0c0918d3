"""Values such as number plates get another name, the same for the same value."""

import logging
import os
import stat
from contextlib import suppress

import orjson
import pytest

from visigate_logging import DetailFormatter, TextFormatter
from visigate_logging.detail import masking
from visigate_logging.detail.masking import unless_refused


@pytest.fixture
def key(tmp_path):
    return tmp_path / "state" / "pseudonyms.key"


PLATES = ("AB12 CDE", "ab12cde", "AB-12-CDE", "XY99ZZZ")
TEXTS = (
    "denied: plate=AB12CDE",
    "denied {'plate': 'AB12 CDE', 'lane': 3}",
    'denied {"plate": "AB12 CDE"}',
    "Plate: AB12CDE",
)


def written(formatter, message="denied", **extra):
    record = logging.LogRecord("gate", logging.ERROR, "gate.py", 1, message, (), None)
    record.__dict__.update(extra)
    return orjson.loads(formatter.format(record))


def test_the_same_plate_has_the_same_name_however_it_is_written_and_in_each_process(key):
    formatter = DetailFormatter(pseudonyms=["plate"], pseudonym_key=str(key))
    found = [written(formatter, plate=p)["additional_info"]["plate"] for p in PLATES]
    assert len(set(found[:3])) == 1
    assert found[3] != found[0]
    assert "12" not in found[0].partition("-")[0]
    masking._put(frozenset(), None)
    other = DetailFormatter(pseudonyms=["plate"], pseudonym_key=str(key))
    assert written(other, plate="AB12CDE")["additional_info"]["plate"] == found[0]


@pytest.mark.parametrize(
    "text",
    [
        "denied: plate=AB12CDE",
        "denied {'plate': 'AB12 CDE', 'lane': 3}",
        'denied {"plate": "AB12 CDE"}',
        "Plate: AB12CDE",
    ],
)
def test_texts_have_the_name_behind_the_key(key, text):
    formatter = DetailFormatter(pseudonyms=["plate"], pseudonym_key=str(key))
    record = written(formatter, text)
    name = written(formatter, plate="AB12CDE")["additional_info"]["plate"]
    assert name in record["message"]
    assert "CDE" not in orjson.dumps(record).decode()
    assert masking.mask(record["message"]) == record["message"], "a name keeps itself"
    line = TextFormatter("%(message)s").format(logging.LogRecord("g", 40, "g.py", 1, text, (), None))
    assert name in line


def test_groups_and_facets_stay_right(key):
    formatter = DetailFormatter(pseudonyms=["plate"], pseudonym_key=str(key), facets=["plate"])
    one, other = (written(formatter, f"denied plate={p}", plate=p) for p in ("AB12CDE", "XY99ZZZ"))
    assert one["fingerprint"] == other["fingerprint"]
    assert one["facets"]["plate"] == one["additional_info"]["plate"] != other["facets"]["plate"]


def test_the_key_is_made_with_the_first_name_and_for_its_owner_alone(key):
    formatter = DetailFormatter(pseudonyms=["plate"], pseudonym_key=str(key))
    assert not key.exists(), "a configuration that is only checked makes nothing"
    written(formatter, plate="AB12CDE")
    assert stat.S_IMODE(os.stat(key).st_mode) == 0o600
    assert len(key.read_bytes()) == 32


def test_without_a_key_nothing_is_told_all_the_same(tmp_path, caplog):
    (tmp_path / "file").touch()
    formatter = DetailFormatter(pseudonyms=["plate"], pseudonym_key=str(tmp_path / "file" / "key"))
    assert "AB12" not in str(written(formatter, "plate=AB12CDE", plate="AB12CDE"))
    assert "pseudonyms are others in each process" in caplog.text


def test_a_configuration_that_is_refused_changes_nothing(key):
    with suppress(ZeroDivisionError), unless_refused():
        DetailFormatter(pseudonyms=["plate"], pseudonym_key=str(key))
        raise ZeroDivisionError
    assert not masking.policy().is_secret("plate", "x")
