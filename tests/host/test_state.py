"""State: the host's small SQLite file."""

import gc
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import warnings

import pytest

from visigate_logging.exceptions import StateError
from visigate_logging.host import State
from visigate_logging.host.state_file import Connection

SCHEMA = "CREATE TABLE IF NOT EXISTS things (n INTEGER);"


@pytest.fixture
def state(tmp_path):
    state = State(tmp_path / "state", SCHEMA)
    yield state
    state.close()


def add(state, n=1):
    with state.transaction() as connection:
        connection.execute("INSERT INTO things VALUES (?)", (n,))


def things(state):
    with state.transaction() as connection:
        return [n for (n,) in connection.execute("SELECT n FROM things ORDER BY rowid")]


def damage(path, how):
    if how == "no database":
        path.write_bytes(b"this is not a database, but it is long enough to be looked at" * 100)
    elif how == "zeros":
        path.write_bytes(bytes(8192))
        path.write_bytes(b"\0" * 16 + b"\xff" * 8176)
    else:
        with path.open("r+b") as file:
            file.seek(100)
            file.write(os.urandom(path.stat().st_size - 100))


def test_nothing_is_made_before_the_first_transaction(tmp_path):
    State(tmp_path / "a" / "b", SCHEMA)
    assert list(tmp_path.iterdir()) == []


def test_it_stays_where_it_was_meant_when_the_process_goes_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    state = State("here", SCHEMA)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    add(state)
    state.close()
    assert (tmp_path / "here" / "state.sqlite3").exists()


def test_others_cannot_read_what_it_holds(state):
    add(state)
    assert {path.name: path.stat().st_mode & 0o007 for path in state.directory.iterdir()} == dict.fromkeys(
        ("state.sqlite3", "state.sqlite3-wal", "state.sqlite3-shm", "state.lock"), 0
    )


def test_what_is_committed_is_there_for_others_and_later(state):
    add(state, 1)
    other = State(state.directory, SCHEMA)
    add(other, 2)
    other.close()
    assert things(state) == [1, 2]


def test_a_body_that_raises_leaves_nothing_behind(state):
    def fail():
        with state.transaction() as connection:
            connection.execute("INSERT INTO things VALUES (1)")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert things(state) == []


def test_a_fault_of_sqlite_becomes_a_state_error_that_names_the_file(state):
    said = pytest.raises(StateError, match=r"state\.sqlite3: no such table")
    with said, state.transaction() as connection:
        connection.execute("SELECT * FROM absent")
    add(state)


def test_a_transaction_inside_a_transaction_is_refused(state):
    refused = pytest.raises(StateError, match="inside a transaction")
    with state.transaction(), refused, state.transaction():
        pass
    add(state)


def test_commits_are_made_durable(state):
    with state.transaction() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_threads_take_turns(state):
    def work():
        for n in range(20):
            add(state, n)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(things(state)) == 80


WRITER = """
import sys
from visigate_logging.host import State
state = State(sys.argv[1], "CREATE TABLE IF NOT EXISTS things (n INTEGER);")
for n in range(50):
    with state.transaction() as connection:
        connection.execute("INSERT INTO things VALUES (?)", (n,))
    if n == 0:
        print("begun", flush=True)
"""


def start_writer(state):
    return subprocess.Popen([sys.executable, "-c", WRITER, str(state.directory)], stdout=subprocess.PIPE, text=True)


def test_processes_that_begin_together_all_get_in(state):
    writers = [start_writer(state) for _ in range(4)]
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    assert len(things(state)) == 200


def test_a_process_killed_while_writing_stops_nobody_and_leaves_whole_transactions(state):
    writer = start_writer(state)
    assert writer.stdout.readline() == "begun\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    seen = things(state)
    assert seen == list(range(len(seen)))
    add(state)


def fork(body):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        body()
        code = 0
    finally:
        os._exit(code)


def test_parent_and_forked_children_write_side_by_side(state):
    add(state)

    def write():
        for _ in range(25):
            add(state)

    children = [fork(write) for _ in range(3)]
    write()
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
    assert len(things(state)) == 101


def test_who_forgets_a_state_leaves_no_connection_open(tmp_path):
    state = State(tmp_path, SCHEMA)
    add(state)
    state.myself, db = state, state._connection.db  # in a circle it ends with the next collection
    del state
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        db.execute("SELECT 1")


AT_EXIT = """
import atexit, sqlite3, sys
from visigate_logging.host import State

def close():
    state.close()
    try:
        db.execute("SELECT 1")
    except sqlite3.ProgrammingError as error:
        print(error)

state = State(sys.argv[1])
atexit.register(close)  # as logging.shutdown: weakref's own, which it registers later, comes before
with state.transaction() as db:
    pass
"""


def test_who_closes_a_state_while_the_interpreter_ends_has_closed_it(tmp_path):
    done = subprocess.run([sys.executable, "-c", AT_EXIT, tmp_path], capture_output=True, check=True, text=True)
    assert done.stdout == "Cannot operate on a closed database.\n"


def test_no_connection_is_open_while_the_process_forks(state):
    add(state)
    assert state._connection is not None
    pid = fork(lambda: add(state) if state._connection is None else os._exit(3))
    assert os.waitpid(pid, 0)[1] == 0
    assert things(state) == [1, 1]


def test_a_fork_waits_for_a_transaction_of_another_thread(state):
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with state.transaction() as connection:
            connection.execute("INSERT INTO things VALUES (1)")
            inside.set()
            leave.wait(0.3)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(5)
    pid = fork(lambda: add(state, 2))
    assert os.waitpid(pid, 0)[1] == 0
    thread.join()
    assert things(state) == [1, 2]


def test_a_child_forked_amid_a_transaction_that_did_not_end_says_so(state, monkeypatch):
    monkeypatch.setattr("visigate_logging.host.state._FORK_PATIENCE", 0.05)
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with state.transaction():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(5)

    def child():
        for one in (state, State(state.directory)):  # SQLite would rely on locks that it remembers and has not
            with pytest.raises(StateError, match="forked during a transaction"):
                add(one)

    pid = fork(child)
    assert os.waitpid(pid, 0)[1] == 0
    leave.set()
    thread.join()
    add(state)


@pytest.mark.parametrize("how", ["no database", "zeros", "pages"])
@pytest.mark.parametrize("is_open", [True, False])
def test_a_damaged_file_is_put_aside_and_begun_anew_and_said(state, caplog, how, is_open):
    for n in range(200):
        add(state, n)
    state.close()
    if is_open:
        things(state)
    damage(state.path, how)
    for _ in range(2):
        try:
            add(state, 7)
            break
        except StateError:
            continue
    if things(state) != [7]:  # an open connection may have the old pages in its cache for a while
        state.close()
        add(state, 7)
    assert things(state)[-1] == 7
    assert [p for p in state.directory.iterdir() if "damaged" in p.name]
    said = [r for r in caplog.records if r.name == "visigate_logging"]
    assert said
    assert said[0].levelno == logging.ERROR
    assert "damaged" in said[0].getMessage()


def test_another_process_goes_on_in_the_new_file(state):
    other = State(state.directory, SCHEMA)
    add(other, 1)
    add(state, 1)
    other.close()
    state.close()
    damage(state.path, "no database")
    add(state, 2)
    add(other, 3)
    assert things(state) == [2, 3]
    other.close()


def test_two_that_find_the_damage_put_one_file_aside(state):
    states = [State(state.directory, SCHEMA) for _ in range(4)]
    add(state)
    state.close()
    damage(state.path, "no database")
    threads = [threading.Thread(target=add, args=(s, 5)) for s in states]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert things(state) == [5] * 4
    assert len([p for p in state.directory.glob("*damaged*") if p.name[-1].isdigit()]) == 1
    for s in states:
        s.close()


def test_only_the_last_damaged_files_are_kept(state):
    for _ in range(5):
        add(state)
        state.close()
        damage(state.path, "no database")
        add(state)
    assert len([p for p in state.directory.glob("*damaged*") if p.name[-1].isdigit()]) == 3


def test_a_file_that_somebody_removed_is_made_again(state):
    add(state, 1)
    for path in state.directory.glob("state.sqlite3*"):
        path.unlink()
    add(state, 2)
    assert things(state) == [2]


@pytest.mark.parametrize("code", [5, 6, 8, 10, 13, 14])
def test_what_is_not_damage_puts_nothing_aside(state, code):
    add(state)
    error = sqlite3.OperationalError("not damage")
    error.sqlite_errorcode = code
    assert not state._put_aside_if_damaged(error)
    assert things(state) == [1]


def test_a_directory_that_cannot_be_made_is_a_state_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="file"), State(tmp_path / "file" / "state").transaction():
        pass


def test_a_state_that_is_closed_just_while_another_looks_for_lost_ones_is_not_lost(tmp_path, monkeypatch):
    state = State(tmp_path)
    with state.transaction():
        pass
    was_robbed = Connection.was_robbed.fget

    def closed_meanwhile(connection):
        state.close()
        return was_robbed(connection)

    monkeypatch.setattr(Connection, "was_robbed", property(closed_meanwhile))
    assert state.lost() is None
