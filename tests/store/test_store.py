"""Questions to the store, on logs as writers leave them."""

import gzip
import os
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.records import NOON, detail, settle, write
from visigate_logging.exceptions import StoreError, UnknownEventError
from visigate_logging.store import catchup, fetch, index, search
from visigate_logging.store import store as store_module
from visigate_logging.store.index import index_path
from visigate_logging.store.store import ErrorStore

NOW = NOON + timedelta(hours=6)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "details.jsonl"


@pytest.fixture
def store(log):
    with ErrorStore(log, tz=UTC, clock=NOW.timestamp) as store:
        yield store


def at(minutes, **fields):
    """A record of so many minutes after noon."""
    return detail(minutes, NOON + timedelta(minutes=minutes), **fields)


def numbers(records):
    return [record.additional_info["attempt"] for record in records]


def total(store):
    return store.statistics(7)["total_errors"]


def test_recent_is_newest_first_by_time_not_by_place_in_the_files(log, store):
    write(log, at(3), at(1))
    write(log.with_name("details.jsonl.1"), at(2), at(4))
    assert numbers(store.recent()) == [4, 3, 2, 1]


def test_what_is_written_meanwhile_is_in_the_next_answer(log, store):
    write(log, at(1))
    assert numbers(store.recent()) == [1]
    write(log, at(2))
    assert numbers(store.recent()) == [2, 1]
    assert total(store) == 2


def test_only_what_is_new_is_read_again(log, store, monkeypatch):
    write(log, *map(at, range(50)))
    store.recent()
    seen = []
    real = catchup.raw_lines
    monkeypatch.setattr(catchup, "raw_lines", lambda file, start: seen.append(start) or real(file, start))
    end = log.stat().st_size
    write(log, at(99))
    store.recent()
    store.recent()
    assert [start for start in seen if start] == [end]


def test_pages_by_cursor_show_each_record_once_while_new_ones_come(log, store):
    write(log, *map(at, range(10)))
    page = store.recent(4)
    shown = numbers(page)
    number = 100
    while page.cursor:
        write(log, at(number))
        number += 1
        page = store.recent(4, cursor=page.cursor)
        shown += numbers(page)
    assert shown == list(range(9, -1, -1))


def test_a_cursor_that_is_none_is_refused_in_words(log, store):
    write(log, at(1))
    for question in (store.recent, store.groups):
        with pytest.raises(StoreError, match="not a cursor"):
            question(1, cursor="x")


@pytest.mark.parametrize(
    ("word", "field"),
    [
        ("type", "error_type"),
        ("module", "module"),
        ("severity", "severity"),
        ("category", "category"),
        ("host", "host"),
        ("process", "process"),
        ("group", "fingerprint"),
    ],
)
@pytest.mark.parametrize("merged", [400, 0])
def test_each_filter_finds_what_has_that_word(log, store, word, field, merged, monkeypatch):
    monkeypatch.setattr(search, "MERGED", merged)
    write(log, at(1), at(2, **{field: "other"}), at(3), at(4, **{field: "other"}))
    assert numbers(store.recent(**{word: "other"})) == [4, 2]
    assert numbers(store.recent(**{word: "nothing"})) == []
    page = store.recent(1, **{word: "other"})
    assert numbers(store.recent(1, cursor=page.cursor, **{word: "other"})) == [2]


def test_filters_together_narrow_down(log, store):
    write(log, at(1, host="a"), at(2, host="b"), at(3, host="a", severity="CRITICAL"))
    assert numbers(store.recent(host="a", severity="CRITICAL")) == [3]


def test_since_is_included_and_until_is_not(log, store):
    write(log, *map(at, range(5)))
    minutes = [NOON + timedelta(minutes=n) for n in range(5)]
    assert numbers(store.recent(since=minutes[1], until=minutes[3])) == [2, 1]
    assert numbers(store.recent(since=minutes[1], until=minutes[3], host="gate-1")) == [2, 1]


def test_a_text_is_found_anywhere_in_any_case(log, store):
    write(log, at(1, error_message="ÄRGER here"), at(2, additional_info={"attempt": 2, "note": "ärger"}), at(3))
    assert numbers(store.recent(text="Ärger")) == [2, 1]
    assert numbers(store.recent(text="fingerprint")) == []


def test_a_search_for_a_text_is_bounded_says_so_and_goes_on(log, store, monkeypatch):
    monkeypatch.setattr(fetch, "SEARCHED", 20)
    monkeypatch.setattr(fetch, "STEP", 5)
    write(log, *(at(n, error_message="needle" if n in (3, 30) else "hay") for n in range(50)))
    page = store.recent(text="needle")
    assert (numbers(page), page.searched_back_to) == ([30], NOON + timedelta(minutes=30))
    page = store.recent(text="needle", cursor=page.cursor)
    assert page.records == []
    page = store.recent(text="needle", cursor=page.cursor)
    assert (numbers(page), page.cursor, page.searched_back_to) == ([3], None, None)


def test_get_finds_a_record_as_it_was_written(log, store):
    write(log, *map(at, range(20)))
    assert store.get(at(7).event_id) == at(7)
    assert store.get(at(7).event_id.upper()) == at(7)
    assert store.get(f" {at(7).event_id[:9]} {at(7).event_id[9:]}") == at(7)


@pytest.mark.parametrize("event_id", ["", "x", "../../etc/passwd", "f" * 32, "0" * 31, "error_1_2_X.json", "é" * 32])
def test_an_id_that_is_none_is_unknown(log, store, event_id):
    write(log, at(1))
    with pytest.raises(UnknownEventError):
        store.get(event_id)


def test_an_id_whose_time_is_not_that_of_its_record_is_found_all_the_same(log, store):
    odd = replace(at(1), event_id="0123456789ab7000800000000000abcd")
    write(log, odd, at(2))
    assert store.get(odd.event_id) == odd


def test_a_record_without_a_valid_id_gets_one_that_stays(log, store):
    write(log, replace(at(1), event_id=""), replace(at(2), event_id="mine"))
    ids = [record.event_id for record in store.recent()]
    store.rebuild()
    assert [record.event_id for record in store.recent()] == ids
    assert [numbers([store.get(event_id)]) for event_id in ids] == [[2], [1]]


def test_an_id_with_blanks_in_it_is_found_and_has_neighbours(log, store):
    spaced = replace(at(2), event_id=" ".join(re.findall("..", at(2).event_id)))
    write(log, at(1), spaced, at(3))
    assert store.get(at(2).event_id) == spaced
    assert store.neighbours(spaced) == (at(1).event_id, at(3).event_id)


def test_neighbours_are_those_of_the_same_group(log, store):
    write(log, at(1), at(2, fingerprint="other"), at(3), at(4))
    assert store.neighbours(at(3)) == (at(1).event_id, at(4).event_id)
    assert store.neighbours(at(1)) == (None, at(3).event_id)
    assert store.neighbours(at(4)) == (at(3).event_id, None)


def rotate(log, backups=3):
    for number in range(backups - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.rename(log.with_name(f"{log.name}.{number + 1}"))
    log.rename(log.with_name(f"{log.name}.1"))


def test_a_rotated_file_is_known_again_under_its_new_name(log, store):
    for n in range(1, 4):
        write(log, at(n))
        assert store.get(at(n).event_id)
        rotate(log)
    write(log, at(4))
    assert numbers(store.recent()) == [4, 3, 2, 1]
    assert total(store) == 4


def test_a_late_record_in_a_rotated_file_is_seen(log, store):
    write(log, at(1))
    store.recent()
    rotate(log)
    write(log, at(3))
    store.recent()
    write(log.with_name("details.jsonl.1"), at(2))
    assert numbers(store.recent()) == [3, 2, 1]
    assert total(store) == 3


def test_what_is_rotated_out_leaves_the_answers_but_not_the_counts(log, store):
    write(log, at(1), b"damage\n")
    store.recent()
    rotate(log, backups=1)
    write(log, at(2))
    store.recent()
    log.with_name("details.jsonl.1").unlink()
    assert numbers(store.recent()) == [2]
    assert store.unreadable() == []
    assert total(store) == 2
    (group,) = store.groups()
    assert (group.count, group.first_seen) == (2, NOON + timedelta(minutes=1))
    with pytest.raises(UnknownEventError):
        store.get(at(1).event_id)


def test_a_file_that_comes_back_is_not_counted_twice(log, store):
    write(log, at(1), at(2))
    store.recent()
    away = log.rename(log.with_name("elsewhere"))
    assert numbers(store.recent()) == []
    away.rename(log.with_name("details.jsonl.1"))
    write(log, at(3))
    assert numbers(store.recent()) == [3, 2, 1]
    assert total(store) == 3


def test_a_file_that_logrotate_packs_stays_the_same_file(log, store):
    write(log, at(1), at(2))
    store.recent()
    packed = log.with_name("details.jsonl.1.gz")
    packed.write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    write(log, at(3))
    assert numbers(store.recent()) == [3, 2, 1]
    assert store.get(at(1).event_id) == at(1)
    assert total(store) == 3


def test_while_a_file_is_being_packed_the_plain_one_counts(log, store):
    write(log.with_name("details.jsonl.1"), at(1))
    log.with_name("details.jsonl.1.gz").write_bytes(b"\x1f\x8b\x08")
    assert numbers(store.recent()) == [1]
    assert store.unreadable() == []


def test_a_copy_of_a_file_adds_nothing(log, store):
    write(log, at(1), at(2))
    shutil.copy(log, log.with_name("details.jsonl.7"))
    assert numbers(store.recent()) == [2, 1]
    assert total(store) == 2


def test_a_file_emptied_in_place_begins_anew(log, store):
    write(log, at(1), at(2))
    store.recent()
    shutil.copy(log, log.with_name("details.jsonl.1"))
    os.truncate(log, 0)
    write(log, at(3))
    assert numbers(store.recent()) == [3, 2, 1]
    assert total(store) == 3


def test_another_file_in_the_same_inode_is_another_file(log, store):
    write(log, at(1), at(2))
    store.recent()
    size = log.stat().st_size
    log.write_bytes(at(8).to_json() + b"\n" + at(9).to_json() + b"\n")
    assert log.stat().st_size == size
    assert numbers(store.recent()) == [9, 8]
    assert total(store) == 4


def test_damage_is_counted_with_its_place_once(log, store):
    write(log, at(1), b"\0" * 100 + b"\n", at(2))
    write(log, at(3).to_json()[:50])
    settle(log)
    for _ in range(2):
        assert numbers(store.recent()) == [2, 1]
        half, zeros = store.unreadable()
        assert (zeros["length"], half["length"]) == (101, 50)
        assert log.read_bytes()[zeros["offset"] :].startswith(b"\0")
    assert store.health()["unreadable"] == 2


def test_damage_in_any_part_of_a_line_is_counted_with_its_place(log, store):
    write(log, at(1), at(2))
    fields = (b'"traceback"', b'"attempt"', b'"code"', b'"host"')
    lines = [at(3 + n).to_json().replace(field, b"\x01" + field[1:]) for n, field in enumerate(fields)]
    write(log, *(line + b"\n" for line in lines))
    assert numbers(store.recent()) == [2, 1]
    assert total(store) == 2
    assert [found["length"] for found in store.unreadable()] == [len(line) + 1 for line in reversed(lines)]


def test_half_a_record_does_not_take_its_end_from_the_next_one(log, store):
    half = at(3, host="other").to_json()
    write(log, half[: half.index(b'"code"')], at(4))
    assert [(r.event_id, r.host) for r in store.recent()] == [(at(4).event_id, at(4).host)]
    assert len(store.unreadable()) == 1


def test_a_record_without_a_time_is_unreadable(log, store):
    write(log, at(1), replace(at(2), timestamp="yesterday"))
    assert numbers(store.recent()) == [1]
    assert "yesterday" in store.unreadable()[0]["problem"]


def test_fields_of_the_wrong_kind_do_not_stop_the_index(log, store):
    write(
        log, b'{"timestamp":"2026-05-04T12:00:00Z","error_type":"X","module":["a"],"host":{"b":1},"fingerprint":3}\n'
    )
    assert total(store) == 1
    assert store.groups()[0].title == "X: "


def test_an_empty_log_and_one_that_is_not_there_yet_answer_nothing(log, store):
    assert store.recent().records == []
    log.touch()
    assert store.groups().groups == []
    assert total(store) == 0
    assert set(store.statistics(3)["daily_counts"].values()) == {0}


@pytest.mark.parametrize("content", [None, b"", b"no log\n" * 200, b'{"handlers": {}}\n'])
def test_asking_for_what_is_no_log_makes_no_file(log, store, monkeypatch, content):
    if content is not None:
        log.write_bytes(content)
    there = list(log.parent.iterdir())
    assert store.recent().records == []
    assert store.health()["index"] == "in memory"
    store.rebuild()
    assert store.check() == []
    assert list(log.parent.iterdir()) == there
    log.write_bytes(b"")
    write(log, at(1))
    assert numbers(store.recent()) == [1]
    monkeypatch.setattr(index.time, "monotonic", lambda: float("inf"))
    assert numbers(store.recent()) == [1]
    assert store.health()["index"] == str(index_path(log))


def test_a_store_on_a_directory_that_is_not_there_says_so(tmp_path):
    with pytest.raises(StoreError, match="nowhere"):
        ErrorStore(tmp_path / "nowhere" / "details.jsonl").recent()


def test_the_index_is_not_readable_by_everybody(log, store):
    write(log, at(1))
    store.recent()
    assert index_path(log).stat().st_mode & 0o007 == 0


def test_prune_removes_old_rotated_files_and_never_the_one_being_written(log, store):
    write(log.with_name("details.jsonl.2"), at(1))
    write(log.with_name("details.jsonl.1"), at(2), at(50))
    write(log, at(3))
    limit = NOON + timedelta(minutes=10)
    assert [path.name for path in store.prune(limit, dry_run=True)] == ["details.jsonl.2"]
    assert len(store.recent()) == 4
    assert [path.name for path in store.prune(limit)] == ["details.jsonl.2"]
    assert numbers(store.recent()) == [50, 3, 2]
    assert total(store) == 4


def test_prune_spares_a_file_that_has_got_the_name_of_an_old_one(log, store, monkeypatch):
    old = write(log.with_name("details.jsonl.1"), at(1))
    write(log, at(50))
    find = store_module.files_before

    def find_then_rotate(*args):
        found = find(*args)
        old.unlink()
        log.rename(old)
        return found

    monkeypatch.setattr(store_module, "files_before", find_then_rotate)
    assert store.prune(NOON + timedelta(minutes=10)) == []
    assert numbers(store.recent()) == [50]


def test_groups_tell_how_often_since_when_and_where(log, store):
    day = timedelta(days=1)
    write(
        log,
        detail(1, NOON - 40 * day, fingerprint="old"),
        detail(2, NOON - 2 * day, fingerprint="old", error_message="newest\nof old"),
        detail(3, NOON, fingerprint="new", severity="CRITICAL", culprit="the line"),
        detail(4, NOON, fingerprint="new", host="b"),
        detail(5, NOON - 35 * day, fingerprint="gone"),
    )
    new, old = store.groups()
    assert (new.key, new.count, new.severity, new.new) == ("new", 2, "CRITICAL", True)
    assert new.daily == (0,) * 29 + (2,)
    assert new.latest == detail(4).event_id
    assert (old.key, old.count, old.new) == ("old", 1, False)
    assert old.title == "ConnectionRefusedError: newest"
    assert old.daily[-3] == 1
    assert old.first_seen == NOON - 40 * day
    assert [g.key for g in store.groups(order="count")] == ["new", "old"]
    assert [g.key for g in store.groups(text="NEWEST")] == ["old"]
    assert [(g.key, g.count) for g in store.groups(host="b")] == [("new", 1)]
    assert [g.key for g in store.groups(days=60)] == ["new", "old", "gone"]


def test_groups_come_in_pages(log, store):
    write(log, *(at(n, fingerprint=f"g{n}") for n in range(5)))
    for order in ("last", "count"):
        page, keys = store.groups(2, order=order), []
        keys += [g.key for g in page]
        while page.cursor:
            page = store.groups(2, order=order, cursor=page.cursor)
            keys += [g.key for g in page]
        assert sorted(keys) == [f"g{n}" for n in range(5)]


def test_one_group_tells_what_varies_and_what_does_not(log, store):
    write(log, *(at(n, host=f"h{n % 2}", grouping={"culprit": "grab"}) for n in range(4)))
    found = store.group(detail().fingerprint)
    assert found["total"] == found["group"].count == 4
    assert numbers(found["events"]) == [3, 2, 1, 0]
    assert found["varying"]["host"] == {"h0": 2, "h1": 2}
    assert found["why"] == {"culprit": "grab"}
    assert "additional_info.attempt" in found["varying"]
    assert "process" not in found["varying"]
    with pytest.raises(UnknownEventError):
        store.group("nothing")


def test_trends_tell_the_course_of_each_group_and_of_all(log, store):
    rising = [detail(n, NOON - timedelta(days=30 - n), fingerprint="up") for n in range(30) for _ in range(n)]
    records = [replace(r, event_id=f"{r.event_id[:16]}{8:x}{i:015x}") for i, r in enumerate(rising)]
    burst = [at(n, fingerprint="burst") for n in range(20)]
    write(log, *records, detail(999, NOON - timedelta(days=9), fingerprint="burst"), *burst)
    found = store.trends(31)
    by_key = {group["key"]: group for group in found["groups"]}
    assert by_key["up"]["trend"] == "rising"
    assert by_key["burst"]["bursts"][0]["count"] == 20
    assert by_key["burst"]["bursts"][0]["start"] == NOON.isoformat()
    assert found["total"]["count"] == len(records) + 21


def test_a_timeline_counts_by_severity(log, store):
    write(log, at(0), at(70, severity="CRITICAL"), detail(9, NOON - timedelta(days=1)))
    hours = {span["start"]: span["severities"] for span in store.timeline(hours=24)}
    assert len(hours) == 24
    assert hours[NOON.isoformat()] == {"ERROR": 1}
    assert hours[(NOON + timedelta(hours=1)).isoformat()] == {"CRITICAL": 1}
    days = store.timeline(days=7)
    assert [span["total"] for span in days] == [0, 0, 0, 0, 0, 1, 2]


def test_choices_are_what_occurs(log, store):
    write(log, at(1, host="b"), at(2, host="a"))
    assert store.choices()["host"] == ["a", "b"]


def test_threads_may_share_a_store(log, store):
    from concurrent.futures import ThreadPoolExecutor

    write(log, *map(at, range(100)))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: numbers(store.recent(5)), range(40)))
    assert set(map(tuple, answers)) == {(99, 98, 97, 96, 95)}


def test_a_forked_child_opens_the_index_anew(log, store):
    write(log, at(1))
    store.recent()
    child = os.fork()
    if child == 0:
        right = numbers(store.recent()) == [1] and store._access._index.pid == os.getpid()
        os._exit(0 if right else 1)
    assert os.waitpid(child, 0)[1] == 0
    write(log, at(2))
    assert numbers(store.recent()) == [2, 1]


def test_the_days_of_an_index_follow_the_time_zone_of_its_reader(log, monkeypatch):
    import time

    write(log, detail(1, datetime(2026, 5, 4, 23, 30, tzinfo=UTC)))
    clock = datetime(2026, 5, 5, 12, tzinfo=UTC).timestamp
    for zone, day in (("UTC", "2026-05-04"), ("Asia/Tokyo", "2026-05-05"), ("UTC", "2026-05-04")):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        with ErrorStore(log, clock=clock) as store:
            counts = store.statistics(3)["daily_counts"]
        assert [date for date, n in counts.items() if n] == [day]
    monkeypatch.undo()
    time.tzset()
