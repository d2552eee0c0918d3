"""What the index leaves out of lines is not missed: it is the same as if each line had been parsed whole."""

import re
import tempfile
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.records import NOON, detail, uuid7, write
from visigate_logging import ErrorStore
from visigate_logging.host.log_files import log_files
from visigate_logging.store import batch
from visigate_logging.store.batch import Part
from visigate_logging.store.index import Index, prepared
from visigate_logging.store.ingest import take
from visigate_logging.store.lines import raw_lines

few = st.sampled_from
TEXTS = few(["", "gate", 'a "quoted" one', "\\", "ä", "x" * 300, '","message":"', '{"timestamp":"'])
VALUES = {
    "error_type": TEXTS, "module": TEXTS, "host": TEXTS, "fingerprint": TEXTS, "message": TEXTS, "boot_id": TEXTS,
    "facets": few([{}, {"camera": "north"}, {"a": "}", "message": "b"}, {"a": 1}, []]),
    "handled": few([True, False, None]),
    "monotonic": few([0.0, 5, 17.25, 1e-9, None]),
    "repeats": few(["", uuid7(NOON, 7), "no id", None]),
    "timestamp": few(["2026-05-04T12:00:00Z", "1969-05-04T12:00:00.000000Z", "2026-02-30T12:00:00.000000Z", "", 5]),
    "additional_info": few([{"event_id": "a", "message": "b"}, {"timestamp": "x"}]),
    "other": TEXTS,
}  # fmt: skip


@st.composite
def line(draw, number):
    """A line as our writers make it, or with other values, fields elsewhere, or missing; each has its own time."""
    when = NOON + timedelta(seconds=10 * draw(st.integers(0, 5)) + number)
    plain = detail(exceptions=(), timestamp=when.isoformat(timespec="microseconds").replace("+00:00", "Z")).to_dict()
    plain["event_id"] = uuid7(when, draw(st.integers(0, 99)))
    for name in draw(st.lists(few(sorted(VALUES)), max_size=2)):
        plain[name] = draw(VALUES[name])
    if draw(st.integers(0, 3)) == 0:
        name = draw(few(sorted(plain)))
        value = plain.pop(name)
        plain |= draw(few([{}, {name: value}]))
    return orjson.dumps(plain)


@st.composite
def content(draw):
    """Some lines, of which some are cut short and have the next one glued to them."""
    whole = [draw(line(number)) for number in range(draw(st.integers(1, 6)))]
    return b"".join(one + b"\n" if draw(st.booleans()) else one[: draw(st.integers(1, len(one)))] for one in whole)


def indexed(file):
    """Everything that an index of a file holds."""
    index = Index(prepared(), None)
    take(index, raw_lines(file), Part(source=1))
    tables = ("record", "grp", "facet", "tally", "daily", "unreadable")
    found = {table: index.db.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
    index.close()
    return found


def compare(written):
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        (file,) = log_files(write(Path(directory) / "details.jsonl", written + b"\n"))
        skimmed = indexed(file)
        patch.setattr(batch, "HEAD", re.compile(b"(?!)"))
        assert skimmed == indexed(file)


@settings(max_examples=150, deadline=None)
@given(content())
def test_an_index_holds_what_it_would_if_each_line_were_parsed_whole(written):
    compare(written)


@pytest.mark.stress
@settings(max_examples=10_000, deadline=None)
@given(content())
def test_an_index_holds_what_it_would_if_each_line_were_parsed_whole_in_thousands_of_logs(written):
    compare(written)


def test_of_lines_with_the_same_words_one_is_parsed(tmp_path, monkeypatch):
    parsed = []
    real = batch.parse
    monkeypatch.setattr(batch, "parse", lambda line, offset: parsed.append(offset) or real(line, offset))
    (file,) = log_files(write(tmp_path / "details.jsonl", *(detail(n) for n in range(50))))
    assert len(indexed(file)["record"]) == 50
    assert parsed == [0]


def test_a_line_that_is_damaged_between_its_ends_costs_itself_alone(tmp_path):
    torn = detail(2).to_json().replace(b'"function":"', b'"function":"\0')
    fresh = detail(6, message="another").to_json().replace(b'"function":"', b'"function":"\0')
    glued = detail(3).to_json()[:-60] + detail(4).to_json()  # of one millisecond, which does not tell them apart
    log = write(tmp_path / "details.jsonl", detail(1), torn + b"\n", fresh + b"\n", glued + b"\n", detail(5))
    with ErrorStore(log) as store:
        assert {record.event_id for record in store.recent()} == {detail(n).event_id for n in (1, 4, 5)}
        assert [place["length"] for place in store.unreadable()] == [len(fresh) + 1, len(torn) + 1]
        assert store.statistics(days=10_000)["total_errors"] == 3
