"""An index may change its form: counts go along, records are read anew, and readers go on meanwhile."""

import gc
import os
import shutil
import sqlite3
import threading
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from tests.records import NOON, detail, write
from visigate_logging.store import catchup, interning
from visigate_logging.store.index import index_path
from visigate_logging.store.schema import VERSION
from visigate_logging.store.store import ErrorStore

FORM1 = Path(__file__).parent / "form1"
"""A log and its index as the first form had it: 40 errors counted, of which a file with 20 is gone."""


def open_store(log, **options):
    return ErrorStore(log, tz=UTC, clock=(NOON + timedelta(hours=2)).timestamp, **options)


@pytest.fixture
def log(tmp_path):
    for name in ("details.jsonl", "details.jsonl.1"):
        shutil.copy(FORM1 / name, tmp_path)
    with sqlite3.connect(index_path(tmp_path / "details.jsonl", 1)) as db:
        db.executescript((FORM1 / "index.sql").read_text())
    db.close()
    return tmp_path / "details.jsonl"


def test_what_an_index_of_the_first_form_has_counted_stays_counted(log):
    with open_store(log) as store:
        found = store.statistics()
        assert found["total_errors"] == 40
        assert found["error_types"] == {"ConnectionRefusedError": 26, "KeyError": 14}
        assert list(found["daily_counts"].values())[-4:] == [20, 0, 10, 10]
        assert found["releases"] == {"1.0": 20, "": 20}, "of those that are gone nobody had asked"
        first = {group.key: group.first_seen for group in store.groups()}
        assert min(first.values()) == NOON - timedelta(days=3)
        assert store.health()["records"] == 20
        assert store.check() == []


def test_at_every_step_of_the_rebuild_the_counts_are_whole(log, monkeypatch):
    monkeypatch.setattr(catchup, "BATCH", 3)
    seen = []

    def look(done, total):
        with sqlite3.connect(index_path(log)) as db:
            seen.append(db.execute("SELECT sum(n) FROM tally WHERE facet = 0").fetchone()[0])
            assert db.execute("SELECT sum(n) FROM tally WHERE facet > 0").fetchone()[0] == seen[-1]
        db.close()

    with open_store(log, progress=look) as store:
        store.recent()
    assert len(seen) >= 6
    assert set(seen) == {40}


def test_the_newest_are_read_first_and_a_question_need_not_wait(log, monkeypatch):
    """With no patience a question is answered at once from what there is; a thread reads the rest."""
    monkeypatch.setattr(catchup, "BATCH", 4)
    may_go_on, step = threading.Event(), catchup._step

    def slowly(*args):
        if threading.current_thread().name == "visigate-index":
            may_go_on.wait(30)
        return step(*args)

    monkeypatch.setattr(catchup, "_step", slowly)
    with open_store(log) as store:
        store.patience = 0.0
        assert store.statistics()["total_errors"] == 40
        assert "% is read" in store.health()["note"]
        assert store.recent(100).records == []
        may_go_on.set()
        store._access._builder.join(30)
        assert [r.additional_info["attempt"] for r in store.recent(100)] == list(range(39, 19, -1))
        assert store.health()["note"] == ""
        assert store.check() == []


def test_a_store_that_nobody_closes_is_collected_without_waiting_for_the_thread_that_makes_its_index(
    log, monkeypatch
):
    """The collector may come under the lock without which no thread can end."""
    collected, begun, step = threading.Event(), threading.Event(), catchup._step

    def slowly(*args):
        if threading.current_thread().name == "visigate-index":
            begun.set()
            collected.wait(5)
        return step(*args)

    monkeypatch.setattr(catchup, "_step", slowly)
    store = open_store(log)
    store.patience = 0.0
    store.recent()
    builder = store._access._builder
    assert begun.wait(30)
    del store
    gc.collect()
    was_waited_for = not builder.is_alive()
    collected.set()
    builder.join(30)
    assert not builder.is_alive()
    assert not was_waited_for


def test_programs_of_two_versions_do_not_delete_each_others_index(log):
    with open_store(log) as store:
        store.recent()
    assert index_path(log, 1).exists()
    assert index_path(log, 1) != index_path(log, VERSION) == index_path(log)


def test_an_index_of_an_older_form_goes_when_nobody_has_written_to_it_for_a_day(log):
    os.utime(index_path(log, 1), (1, 1))
    with open_store(log) as store:
        assert store.statistics()["total_errors"] == 40
    assert not index_path(log, 1).exists()


@pytest.mark.parametrize("damage", [b"no database", b"", b"SQLite format 3\0" + bytes(4080)])
def test_an_older_index_that_is_damaged_is_passed_over(log, damage):
    index_path(log, 1).write_bytes(damage)
    with open_store(log) as store:
        assert store.statistics()["total_errors"] == 20
        assert store.check() == []


def test_a_file_that_comes_back_is_counted_once(log):
    with open_store(log) as store:
        store.recent()
        gone = log.with_name("details.jsonl.1")
        content = gone.read_bytes()
        gone.unlink()
        assert store.statistics()["total_errors"] == 40
        gone.write_bytes(content)
        assert store.statistics()["total_errors"] == 40
        assert store.health()["records"] == 20


def test_a_report_of_an_exception_that_was_reported_before_is_kept_and_counted_once(log, tmp_path):
    own = tmp_path / "own" / "details.jsonl"
    own.parent.mkdir()
    first = detail(1, NOON)
    again = first.to_json().replace(first.event_id.encode(), detail(2, NOON).event_id.encode())
    write(own, first, again[:-1] + b',"repeats":"%s"}\n' % first.event_id.encode())
    with open_store(own) as store:
        assert len(store.recent()) == 2
        assert store.statistics()["total_errors"] == 1
        assert store.groups()[0].count == 1
        assert sum(span["total"] for span in store.timeline(days=1)) == 1
        assert store.trends()["total"]["count"] == 1


OLD, NEW, SECOND = "v1:00000000000000aa", "v2:00000000000000aa", "v2:00000000000000bb"


@pytest.fixture
def regrouped(tmp_path, monkeypatch):
    """A log with errors under an old key; from now on the rules give their like two keys."""
    log = tmp_path / "two" / "details.jsonl"
    log.parent.mkdir()
    write(log, detail(0, NOON - timedelta(days=40), fingerprint=OLD), detail(1, NOON, fingerprint=OLD))
    older = {NEW: (OLD,), SECOND: (OLD,)}
    monkeypatch.setattr(interning, "older_keys", lambda r: older.get(r["fingerprint"], ()))
    return log


def test_an_old_key_leads_to_the_group_with_the_new_one(regrouped):
    with open_store(regrouped) as store:
        store.recent()
        write(regrouped, detail(2, NOON + timedelta(seconds=1), fingerprint=NEW))
        (group,) = store.groups(days=60)
        assert (group.key, group.count, group.latest) == (NEW, 3, detail(2, NOON + timedelta(seconds=1)).event_id)
        for key in (OLD, NEW):
            assert store.group(key)["total"] == 3
            assert len(store.recent(group=key)) == 3
        assert [g["key"] for g in store.trends(60)["groups"]] == [NEW]
        write(regrouped, detail(3, NOON + timedelta(seconds=9), fingerprint=OLD))  # a process not yet restarted
        (group,) = store.groups(days=60)
        assert (group.count, group.last_seen) == (4, NOON + timedelta(seconds=9))


def test_a_group_that_was_known_under_an_older_key_is_not_new(regrouped):
    with open_store(regrouped) as store:
        store.recent()
        write(regrouped, detail(2, NOON + timedelta(seconds=1), fingerprint=NEW))
        write(regrouped, detail(3, NOON + timedelta(seconds=2), fingerprint=SECOND))
        found = {group.key: group for group in store.groups(days=1)}
        assert {key: group.new for key, group in found.items()} == {NEW: False, SECOND: False}
        assert found[SECOND].count == 1


def test_keys_that_are_met_in_one_go_are_one_group_all_the_same(regrouped):
    write(regrouped, detail(2, NOON + timedelta(seconds=1), fingerprint=NEW))
    with open_store(regrouped) as store:
        (group,) = store.groups(days=60)
        assert (group.key, group.count, group.first_seen) == (NEW, 3, NOON - timedelta(days=40))


def test_the_order_in_which_keys_are_met_does_not_matter(regrouped, tmp_path):
    log = tmp_path / "reverse" / "details.jsonl"
    log.parent.mkdir()
    write(log, detail(2, NOON + timedelta(seconds=1), fingerprint=NEW))
    with open_store(log) as store:
        store.recent()
        write(log, detail(0, NOON - timedelta(days=40), fingerprint=OLD))
        (group,) = store.groups(days=60)
        assert (group.key, group.count, group.first_seen) == (NEW, 2, NOON - timedelta(days=40))


def with_facets(record, **facets):
    import orjson

    return record.to_json()[:-1] + b',"facets":' + orjson.dumps(facets) + b"}\n"


def test_facets_of_the_applications_own_filter_and_are_counted(tmp_path):
    log = tmp_path / "own.jsonl"
    for n, camera in enumerate(["entrance", "entrance", "exit"]):
        write(log, with_facets(detail(n, NOON + timedelta(seconds=n)), camera=camera))
    write(log, detail(3, NOON + timedelta(seconds=3)))
    with open_store(log) as store:
        assert store.statistics()["facets"] == {"camera": {"entrance": 2, "exit": 1}}
        assert [r.additional_info["attempt"] for r in store.recent(camera="entrance")] == [1, 0]
        assert store.groups(camera="exit")[0].count == 1
        assert store.choices()["camera"] == ["entrance", "exit"]
        with pytest.raises(Exception, match=r"no facet 'camra'.* camera"):
            store.recent(camra="exit")


def test_a_text_that_earlier_rules_grouped_otherwise_is_one_group_with_what_is_grouped_now(tmp_path):
    """With the real rules: a call site's f-string has one key now, and had one for each masked text before."""
    from visigate_logging.detail.grouping import key_of_parts, v1

    log = tmp_path / "real.jsonl"
    as_text = {"logger": "VisiGate", "culprit": ("gate in open",)}
    parts = {"logger": "VisiGate", "culprit": ["gate in open"], "template": "Error getting {}: {}", "codes": []}
    for n, text in enumerate(("Error getting B AB 12: no row", "Error getting B AB 12: locked")):
        old = detail(n, NOON - timedelta(days=9), fingerprint=v1.key(as_text, text), error_message=text, message=text)
        new = detail(n + 10, NOON, fingerprint=key_of_parts(parts, text), error_message=text, message=text)
        write(log, old, replace(new, grouping=parts))
    with open_store(log) as store:
        (group,) = store.groups(days=30)
        assert (group.count, group.key[:3]) == (4, "v2:")
        assert not store.groups(days=1)[0].new
        assert store.group(v1.key(as_text, "Error getting B AB 12: locked"))["total"] == 4
