"""What is read from the files, and what is passed over."""

import gzip

import pytest

from tests.records import detail, settle, write
from visigate_logging.host.log_files import log_files
from visigate_logging.store.lines import read_lines


@pytest.fixture
def log(tmp_path):
    return tmp_path / "details.jsonl"


def read(log):
    return [line for file in log_files(log) for line in read_lines(file)]


def test_the_files_of_a_log_come_newest_first_and_nothing_else_does(log):
    for name in ("", ".2", ".1", ".10.gz", "-20260101", "-20260102.gz", ".lock", ".1.tmp", "x"):
        log.with_name(log.name + name).touch()
    log.with_name("details.jsonl.3").mkdir()
    found = [file.path.name.removeprefix(log.name) for file in log_files(log)]
    assert found == ["", ".1", ".2", ".10.gz", "-20260102.gz", "-20260101"]


def test_every_line_is_read_with_its_place(log):
    first, second = detail(1), detail(2)
    write(log, first, second)
    lines = read(log)
    assert [line.record["event_id"] for line in lines] == [first.event_id, second.event_id]
    content = log.read_bytes()
    for line in lines:
        assert content[line.offset : line.offset + line.length].endswith(b"\n")


def test_a_gzipped_file_is_read_like_a_plain_one(log):
    record = detail(1)
    log.with_name("details.jsonl.1.gz").write_bytes(gzip.compress(record.to_json() + b"\n"))
    assert [line.record for line in read(log)] == [record.to_dict()]


@pytest.mark.parametrize("content", [b"\x1f\x8b\x08\x00cut", gzip.compress(b"x" * 9999, mtime=0)[:-9], b"not packed"])
def test_a_damaged_gzip_file_is_a_problem_and_no_exception(log, content):
    log.with_name("details.jsonl.1.gz").write_bytes(content)
    assert "gzip" in read(log)[-1].problem


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (b"\0" * 4096, "zero bytes"),
        (b'{"timestamp":"2026-05-04T12:00', "cut short"),
        (b"some text", "not JSON"),
        (b'[1, 2, "three"]', "not a record"),
        (b'{"timestamp":12,"error_type":"OSError"}', "not a record"),
        (b'{"timestamp":"2026-05-04T12:00:00Z"}', "not a record"),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_damage_costs_its_own_line_alone(log, damage, problem):
    write(log, detail(1), damage + b"\n", detail(2))
    first, broken, second = read(log)
    assert first.record
    assert second.record
    assert problem in broken.problem
    assert broken.length == len(damage) + 1
    assert log.read_bytes()[broken.offset :].startswith(damage)


@pytest.mark.parametrize("damage", [b"\0" * 512, detail(1).to_json()[:333], detail(1).to_json()[:-1]])
def test_a_whole_record_glued_behind_damage_is_rescued(log, damage):
    record = detail(2)
    write(log, damage, record)
    broken, rescued = read(log)
    assert (broken.offset, broken.length) == (0, len(damage))
    assert rescued.record == record.to_dict()
    assert rescued.offset == len(damage)


def test_records_that_lost_the_newline_between_them_are_all_read(log):
    write(log, detail(1).to_json(), detail(2).to_json(), detail(3).to_json()[:90], detail(4))
    *whole, broken, last = read(log)
    assert [line.record["additional_info"]["attempt"] for line in [*whole, last]] == [1, 2, 4]
    assert broken.length == 90


def test_blank_lines_are_not_damage(log):
    write(log, b"\n", detail(1), b"\n  \n", detail(2), b"\n")
    assert not any(line.problem for line in read(log))
    assert sum(line.length for line in read(log)) == log.stat().st_size


def test_a_line_that_is_being_written_is_left_for_later(log):
    line = detail(1).to_json() + b"\n"
    write(log, line[:100])
    assert read(log) == []
    write(log, line[100:])
    assert [found.offset for found in read(log)] == [0]


def test_half_a_line_that_nobody_writes_any_more_is_damage(log):
    write(log, detail(1).to_json()[:100])
    settle(log)
    assert "cut short" in read(log)[0].problem


def test_reading_goes_on_from_an_offset(log):
    write(log, detail(1))
    end = log.stat().st_size
    write(log, detail(2))
    assert [line.offset for line in read_lines(log_files(log)[0], end)] == [end]


def test_a_file_that_was_rotated_meanwhile_is_not_mistaken_for_another(log):
    write(log, detail(1))
    (seen,) = log_files(log)
    log.rename(log.with_name("details.jsonl.1"))
    write(log, detail(2))
    with pytest.raises(FileNotFoundError, match="rotated"):
        list(read_lines(seen))
