"""What is to be forgotten is gone from all files, and nothing else is."""

import gzip
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import timedelta

import orjson
import pytest

from tests.records import NOON, detail, write
from visigate_logging import ErrorStore
from visigate_logging.cli import main
from visigate_logging.retention.erasure import TextForms, ValueForms, erase
from visigate_logging.store.index import index_path

PLATE = "AB12 CDE"


@pytest.mark.parametrize(
    ("line", "after"),
    [
        (b'{"a":"x AB12 CDE y"}\n', b'{"a":"x ******** y"}\n'),
        (b'{"a":"ab12cde","b":["AB12-CDE"]}\n', b'{"a":"*******","b":["********"]}\n'),
        (b'{"AB12 CDE":1}\n', b'{"********":1}\n'),
        (b'{"event_id":"ab12cde0"}\n', b'{"event_id":"ab12cde0"}\n'),
        (b"2026 ERROR vehicle AB12 CDE denied\n", b"2026 ERROR vehicle ******** denied\n"),
        (b'{"a":"AB12 CDE', b'{"a":"********'),
    ],
)
def test_a_line_keeps_its_length_and_its_form(line, after):
    assert TextForms(PLATE).in_line(line) == after


def test_letters_beyond_ascii_numbers_and_escapes_are_known():
    forms = TextForms("KA-ÜE 123")
    assert forms.in_line('{"a":"ka-üe 123"}'.encode()) == b'{"a":"' + b"*" * 10 + b'"}'
    assert forms.in_line(b'{"a":"KA-\\u00dcE123"}') == b'{"a":"' + b"*" * 13 + b'"}'
    assert orjson.loads(TextForms("4711").in_line(b'{"person":4711,"other":47110}')) == {"person": 0, "other": 47110}
    with pytest.raises(ValueError, match="too short"):
        TextForms("A 1")


def test_it_is_gone_from_index_state_outbox_and_packed_files(tmp_path, capsys):
    log = tmp_path / "details.jsonl"
    packed = b"".join(
        detail(n, NOON - timedelta(days=1), message=f"denied {PLATE}").to_json() + b"\n" for n in range(3)
    )
    log.with_name("details.jsonl.1.gz").write_bytes(gzip.compress(packed))
    write(log, detail(10, error_message=f"denied {PLATE}", fingerprint="a", service=PLATE))
    write(log, detail(11, error_message="denied XY99 ZZZ", fingerprint="a", service="********"), detail(12))
    (tmp_path / "error.log").write_text(f"ERROR denied {PLATE.lower()}\n")
    with ErrorStore(log) as store:
        before = store.statistics(10_000)["total_errors"], [g.count for g in store.groups(days=10_000)]
    state = tmp_path / "state"
    (state / "outbox" / "mail").mkdir(parents=True)
    mail = f"X-Visigate-Recipients: a@b.c\nSubject: denied {PLATE}\nContent-Type: text/plain; charset=utf-8\n"
    body = "Content-Transfer-Encoding: base64\n\nZGVuaWVkIEFCMTIgQ0RFCg==\n"
    (state / "outbox" / "mail" / "1.eml").write_text(mail + body)
    with closing(sqlite3.connect(state / "state.sqlite3")) as db:
        db.execute("CREATE TABLE t (a TEXT PRIMARY KEY, b BLOB)")
        db.executemany(
            "INSERT INTO t VALUES (?, ?)", [(PLATE, PLATE.encode()), ("********", b""), ("freed AB12 CDE", b"")]
        )
        db.execute("DELETE FROM t WHERE a LIKE 'freed%'")
        db.commit()
    assert main(["erase", "--text", PLATE, "--log", str(log)]) == 0
    assert "stands nowhere" in capsys.readouterr().out
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    contents = [gzip.decompress(p.read_bytes()) if p.suffix == ".gz" else p.read_bytes() for p in files]
    assert not any(b"AB12 CDE" in content.upper() for content in contents)
    assert b"ZGVuaWVkIEFCMTIgQ0RFCg" not in (state / "outbox" / "mail" / "1.eml").read_bytes()
    assert "X-Visigate-Recipients: a@b.c" in (state / "outbox" / "mail" / "1.eml").read_text()
    with ErrorStore(log) as store:
        assert (store.statistics(10_000)["total_errors"], [g.count for g in store.groups(days=10_000)]) == before
        assert store.check() == []
        assert {r.error_message for r in store.recent(group="a")} == {"denied ********", "denied XY99 ZZZ"}
    with closing(sqlite3.connect(state / "state.sqlite3")) as db:
        assert db.execute("SELECT count(*) FROM t").fetchone() == (2,)


WRITER = """
import logging, sys
from visigate_logging import JsonFileHandler
handler = JsonFileHandler(sys.argv[1], maxBytes=40_000, backupCount=60)
for n in range(300):
    record = logging.LogRecord("gate", logging.ERROR, "gate.py", 1, "error %d of %s", (n, sys.argv[2]), None)
    handler.handle(record)
handler.close()
"""


def test_four_who_write_and_one_who_reads_lose_nothing_meanwhile(tmp_path):
    log = tmp_path / "details.jsonl"
    write(log, *(detail(n, error_message=f"denied {PLATE}", fingerprint="denied") for n in range(50)))
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(log), str(n)]) for n in range(4)]
    over, problems = threading.Event(), []

    def read():
        with ErrorStore(log) as store:
            while not over.is_set():
                if len(store.recent(100, group="denied")) != 50:
                    problems.append("a record was not there")

    reader = threading.Thread(target=read)
    reader.start()
    while any(writer.poll() is None for writer in writers):
        assert erase(tmp_path, log, PLATE) == []
        write(log, detail(1000, error_message=f"again {PLATE}", fingerprint="again"))
    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    over.set()
    reader.join()
    assert erase(tmp_path, log, PLATE) == []
    assert not any(b"AB12" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert problems == []
    lines = [
        orjson.loads(line) for path in tmp_path.glob("details.jsonl*") for line in path.read_bytes().splitlines()
    ]
    wanted = {f"error {n} of {writer}" for writer in range(4) for n in range(300)}
    assert wanted <= {line["message"] for line in lines}
    assert index_path(log).exists()


@pytest.mark.parametrize(
    ("line", "after"),
    [
        (b'{"additional_info":{"person":"17"},"line":17}', b'{"additional_info":{"person":"**"},"line":17}'),
        (b'{"a":{"person":17,"other":17}}', b'{"a":{"person": 0,"other":17}}'),
        (b'{"a":"Person=17, person = 170"}', b'{"a":"Person= 0, person = 170"}'),
        (b'{"a":"{\\"person\\": \\"17\\"}"}', b'{"a":"{\\"person\\": \\"**\\"}"}'),
        (b'{"salesperson":"17","persons":"17"}', b'{"salesperson":"17","persons":"17"}'),
    ],
)
def test_a_value_is_forgotten_behind_its_key_alone(line, after):
    assert ValueForms("person", "17").in_line(line) == after


def test_a_value_is_gone_from_all_files_behind_its_key(tmp_path, capsys):
    log = tmp_path / "details.jsonl"
    write(log, *(detail(n, additional_info={"person": "17"}, facets={"person": "17"}) for n in range(3)))
    write(log, detail(3, additional_info={"person": "18", "gate": "17"}, facets={"person": "18"}))
    with ErrorStore(log) as store:
        assert len(store.recent(person="17")) == 3
    assert main(["erase", "--key", "person", "--value", "17", "--log", str(log)]) == 0
    assert not any(b'"person":"17"' in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    with ErrorStore(log) as store:
        assert [r.additional_info for r in store.recent(person="18")] == [{"person": "18", "gate": "17"}]
        assert (len(store.recent(person="**")), store.check()) == (3, [])
    for wrong in (["--key", "person"], ["--text", "abcd", "--key", "a", "--value", "b"], []):
        assert main(["erase", *wrong, "--log", str(log)]) == 2


def test_freed_pages_of_a_database_hold_no_trace(tmp_path):
    path = tmp_path / "state.sqlite3"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA secure_delete=OFF")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE t (a TEXT)")
        db.executemany("INSERT INTO t VALUES (?)", [(f"{PLATE} {n} " + "x" * 3000,) for n in range(20)])
        db.execute("DELETE FROM t WHERE rowid > 1")
        db.commit()
        assert path.read_bytes().count(PLATE.encode()) + path.with_name(f"{path.name}-wal").read_bytes().count(
            PLATE.encode()
        )
        erase(tmp_path, tmp_path / "details.jsonl", PLATE)
        assert not any(PLATE.encode() in file.read_bytes() for file in tmp_path.iterdir())
