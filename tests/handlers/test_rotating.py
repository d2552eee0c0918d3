"""SharedRotatingFileHandler: options, syncing, threads, forks and exits."""

import contextlib
import itertools
import json
import logging
import logging.config
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter

import pytest
import yaml

from tests.handlers.conformance import CASES
from tests.waiting import wait_until
from visigate_logging import SharedRotatingFileHandler
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.host import State, buffered_file, file_upkeep, host_counts


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.log"


@pytest.fixture
def make(path):
    made = []

    def make(**options):
        made.append(SharedRotatingFileHandler(path, **options))
        return made[-1]

    yield make
    for handler in made:
        handler.close()


def log(handler, text, level=logging.ERROR):
    handler.handle(logging.makeLogRecord({"name": "gate", "levelno": level, "levelname": "ERROR", "msg": text}))


def lines(path):
    return Counter(line for file in path.parent.glob("a.log*") for line in file.read_text().splitlines())


def python(code, *args, **options):
    """Run a program with the handler's names at hand."""
    prelude = (
        "import logging, os, sys; from visigate_logging import SharedRotatingFileHandler\n"
        "from visigate_logging.host import buffered_file\n"
    )
    command = [sys.executable, "-c", prelude + code, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_does_what_every_handler_must(case, make):
    case.run(make)


@pytest.mark.parametrize("given", ['"0640"', "0640", "416", '"640"', "0o640"])
def test_permissions_may_be_written_in_every_way_that_means_them(path, given):
    options = yaml.safe_load(f"file_mode: {given}")
    handler = SharedRotatingFileHandler(path, **options)
    handler.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("given", [640, 400, 440, 444, 600, 644, 660, 0, 0o1640, -1, "rw", "0755", "0200", 416.0])
def test_permissions_that_nobody_can_mean_are_refused_with_the_right_way_to_write_them(path, given):
    with pytest.raises(ConfigurationError, match=r'file_mode: .* as in "0640"') as caught:
        SharedRotatingFileHandler(path, file_mode=given)
    assert repr(given) in str(caught.value)


@pytest.mark.parametrize(
    ("option", "value"),
    [("mode", "w"), ("sync", "sometimes"), ("maxBytes", "1M"), ("maxBytes", -1), ("backupCount", True)],
)
def test_a_value_that_cannot_be_is_refused_by_name(path, option, value):
    with pytest.raises(ConfigurationError, match=f"^{option}: .*{value!r}"):
        SharedRotatingFileHandler(path, **{option: value})
    logging.shutdown()  # meets no handler that is half made


def test_it_is_wired_from_yaml_by_plain_dictconfig(path):
    text = """
    version: 1
    disable_existing_loggers: false
    formatters: {short: {format: "%(levelname)s %(message)s"}}
    handlers:
      file:
        class: visigate_logging.SharedRotatingFileHandler
        filename: PATH
        formatter: short
        maxBytes: 1000
        backupCount: 2
        encoding: latin-1
        delay: true
        sync: always
        file_mode: 0600
    root: {handlers: [file]}
    """
    logging.config.dictConfig(yaml.safe_load(text.replace("PATH", str(path))))
    assert not path.exists()
    logging.getLogger("gate").error("Einfahrt für € 3")
    assert path.read_bytes() == b"ERROR Einfahrt f\xfcr \\u20ac 3\n"


def test_what_its_formatter_refuses_is_told_without_it(path, make):
    handler = make()
    handler.handle(logging.makeLogRecord({"name": "gate", "levelname": "ERROR", "msg": "%d", "args": ("x",)}))
    assert "ERROR gate" in path.read_text()
    assert "'%d' ('x',) [not formatted: TypeError(" in path.read_text()


class Syncs:
    """Notes the calls that force a file's data to the medium; what forces a new name there is not looked at."""

    def __init__(self, monkeypatch):
        self.times = []
        self.inodes = set()
        real = buffered_file.force

        def datasync(fd):
            status = os.fstat(fd)
            if stat.S_ISREG(status.st_mode):
                self.inodes.add(status.st_ino)
                self.times.append(time.monotonic())
            real(fd)

        monkeypatch.setattr(buffered_file, "force", datasync)

    def __len__(self):
        return len(self.times)


@pytest.fixture
def syncs(monkeypatch):
    return Syncs(monkeypatch)


def test_sync_never_forces_nothing(make, syncs):
    handler = make(sync="never")
    log(handler, "one", logging.CRITICAL)
    wait_until(lambda: not handler._file.is_dirty)  # the background has done what it does
    handler.close()
    assert len(syncs) == 0


def test_sync_always_has_forced_each_record_when_emit_returns(make, syncs):
    handler = make(sync="always")
    for n in range(5):
        log(handler, str(n))
        assert len(syncs) >= n + 1


def test_sync_critical_forces_critical_records_at_once_and_others_in_the_background(make, syncs):
    handler = make()
    log(handler, "one")
    wait_until(lambda: len(syncs) == 1)
    log(handler, "two", logging.CRITICAL)
    assert len(syncs) == 2


def test_sync_interval_comes_at_most_once_a_second_and_only_after_writes(make, syncs):
    handler = make(sync="interval")
    end = time.monotonic() + 1.6
    while time.monotonic() < end:
        log(handler, "one", logging.CRITICAL)
        time.sleep(0.005)
    wait_until(lambda: not handler._file.is_dirty)
    gaps = [b - a for a, b in zip(syncs.times, syncs.times[1:], strict=False)]
    assert len(syncs) in {2, 3}
    assert min(gaps) >= 0.99
    before = len(syncs)
    wait_until(lambda: not handler._upkeep.is_awake)
    assert len(syncs) == before


def test_files_that_were_rotated_away_before_the_sync_are_synced_too(path, make, syncs):
    handler = make(maxBytes=4, backupCount=5, sync="interval")
    log(handler, "first")  # wakes the background, which syncs now and then waits for a second
    wait_until(lambda: not handler._file.is_dirty)
    log(handler, "second")
    log(handler, "third")
    handler.close()
    assert syncs.inodes == {p.stat().st_ino for p in path.parent.glob("a.log*")}


def test_the_sync_does_not_wait_for_a_busy_state_file(path, make, syncs, monkeypatch):
    monkeypatch.setattr(file_upkeep, "PUBLISH_EVERY", 0.0)
    handler = make(sync="interval")
    other = State(path.parent / "state")
    with other.transaction():
        log(handler, "one")
        wait_until(lambda: len(syncs) == 1)
        log(handler, "two")
        wait_until(lambda: len(syncs) == 2, 5)
    other.close()


def test_counts_are_in_the_state_file_in_time_and_at_the_end(path, make, monkeypatch):
    monkeypatch.setattr(file_upkeep, "PUBLISH_EVERY", 0.1)
    handler = make()
    state = State(path.parent / "state")

    def delivered():
        return host_counts(state).get(str(path), {}).get("delivered")

    log(handler, "one")
    wait_until(lambda: delivered() == 1)
    monkeypatch.setattr(file_upkeep, "PUBLISH_EVERY", 1000.0)
    log(handler, "two")
    handler.close()
    assert delivered() == 2
    state.close()


def test_eight_threads_write_each_record_once(path, make):
    handler = make(maxBytes=10_000, backupCount=1000)

    def run(thread):
        for n in range(1000):
            log(handler, f"{thread} {n}")

    threads = [threading.Thread(target=run, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lines(path) == {f"{thread} {n}": 1 for thread in range(8) for n in range(1000)}
    assert handler.counts()["delivered"] == 8000


def test_a_record_logged_in_the_middle_of_a_write_is_on_disk_when_its_call_returns(path, make, monkeypatch):
    handler = make()
    real = os.write

    def write(fd, data):
        monkeypatch.setattr(os, "write", real)
        log(handler, "inner")
        assert lines(path) == {"inner": 1}
        return real(fd, data)

    monkeypatch.setattr(os, "write", write)
    log(handler, "outer")
    assert lines(path) == {"inner": 1, "outer": 1}
    assert handler.counts()["delivered"] == 2


def test_a_record_logged_while_kept_ones_are_written_doubles_and_loses_none(path, make, monkeypatch):
    handler = make()
    real = os.write

    def fail(fd, data):
        raise OSError(28, "No space left on device")

    def write(fd, data):
        monkeypatch.setattr(os, "write", real)
        log(handler, "inner")
        return real(fd, data)

    monkeypatch.setattr(os, "write", fail)
    log(handler, "one")
    log(handler, "two")
    monkeypatch.setattr(os, "write", write)
    handler.flush()
    assert lines(path) == {"inner": 1, "one": 1, "two": 1}
    assert handler.counts()["pending"] == 0


def test_a_storm_of_signals_that_log_doubles_and_loses_none(path, make):
    handler = make(maxBytes=2000, backupCount=5000)
    numbers = itertools.count()
    before = signal.signal(signal.SIGALRM, lambda *_: log(handler, f"signal {next(numbers)}"))
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        for n in range(3000):
            log(handler, f"main {n}")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    expected = {f"main {n}": 1 for n in range(3000)} | {f"signal {n}": 1 for n in range(next(numbers))}
    assert lines(path) == expected


def test_a_handler_closed_by_a_signal_in_the_middle_of_a_write_loses_nothing(path, make, monkeypatch):
    handler = make()
    real = os.write

    def write(fd, data):
        monkeypatch.setattr(os, "write", real)
        handler.close()
        others.append((path.parent / "other").open("wb"))  # would get the number of a descriptor closed too early
        return real(fd, data)

    others = []
    monkeypatch.setattr(os, "write", write)
    log(handler, "one")
    log(handler, "two")
    others[0].close()
    assert lines(path) == {"one": 1, "two": 1}
    assert (path.parent / "other").read_bytes() == b""
    assert handler._file.file._fd is None


def forked(body):
    """Run ``body`` in a forked child, and end that with os._exit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what is tested
        pid = os.fork()
    if pid == 0:
        try:
            signal.alarm(30)
            body()
        finally:
            os._exit(0)
    return pid


def test_children_forked_while_threads_log_write_on_and_double_nothing(path, make):
    handler = make(maxBytes=5000, backupCount=5000)
    stop, logged = threading.Event(), [0, 0]

    def storm(thread):
        while not stop.is_set():
            log(handler, f"parent {thread} {logged[thread]}")
            logged[thread] += 1

    threads = [threading.Thread(target=storm, args=(thread,)) for thread in range(2)]
    for thread in threads:
        thread.start()
    pids = [forked(lambda c=child: [log(handler, f"child {c} {n}") for n in range(50)]) for child in range(10)]
    codes = [os.waitpid(pid, 0)[1] for pid in pids]
    stop.set()
    for thread in threads:
        thread.join()
    assert codes == [0] * 10
    expected = {f"parent {thread} {n}": 1 for thread in range(2) for n in range(logged[thread])}
    expected |= {f"child {child} {n}": 1 for child in range(10) for n in range(50)}
    assert lines(path) == expected


def test_what_is_kept_in_memory_at_a_fork_is_written_by_the_parent_alone(path, make):
    path.mkdir()
    handler = make()
    log(handler, "parent's")
    path.rmdir()
    pid = forked(lambda: (log(handler, "child's"), handler.close()))
    assert os.waitpid(pid, 0)[1] == 0
    handler.flush()
    assert lines(path) == {"child's": 1, "parent's": 1}


def test_a_forked_child_has_a_descriptor_of_its_own(make):
    handler = make()
    log(handler, "one")
    parents = handler._file.file._fd
    end, other_end = os.pipe()

    def child():
        os.write(other_end, b"closed" if handler._file.file._fd is None else b"shared")

    os.waitpid(forked(child), 0)
    assert os.read(end, 10) == b"closed"
    os.fstat(parents)
    os.close(end)
    os.close(other_end)


def in_child_process(path):
    handler = in_child_process.handler = SharedRotatingFileHandler(path)
    log(handler, f"{os.getpid()}")


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_children_of_multiprocessing_write_and_publish_their_counts(path, method):
    processes = [multiprocessing.get_context(method).Process(target=in_child_process, args=(path,)) for _ in range(2)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for process in processes:
            process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert lines(path) == {str(process.pid): 1 for process in processes}
    state = State(path.parent / "state")
    assert host_counts(state)[str(path)]["delivered"] == 2
    state.close()


@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), 9)", "os.abort()", "sys.exit()", "1/0", ""])
def test_however_a_process_ends_its_records_are_there(path, end):
    python(
        f"h = SharedRotatingFileHandler(sys.argv[1]); logging.getLogger().addHandler(h); logging.error('one')\n{end}",
        path,
    )
    assert lines(path) == {"one": 1}


def test_a_process_that_ends_by_itself_does_not_wait_and_says_nothing(path):
    code = """
import time, atexit
h = SharedRotatingFileHandler(sys.argv[1])
logging.getLogger().addHandler(h)
for n in range(100):
    logging.error("%d", n)
begun = time.monotonic()
logging.shutdown()
print(time.monotonic() - begun)
"""
    done = python(code, path)
    assert done.stderr == ""
    assert float(done.stdout) < 1.5
    assert len(lines(path)) == 100


def test_what_is_logged_while_the_interpreter_ends_is_there(path):
    code = """
import atexit
h = SharedRotatingFileHandler(sys.argv[1])
logging.getLogger().addHandler(h)
logging.error("before")
class Late:
    def __del__(self): logging.error("from a destructor")
late = Late()
@atexit.register  # runs before logging's own
def early(): logging.error("at exit")
logging.shutdown()
logging.error("after shutdown")
"""
    done = python(code, path)
    assert done.stderr == ""
    assert {"before", "at exit", "after shutdown"} <= set(lines(path))
    assert set(lines(path).values()) == {1}


def test_executed_programs_do_not_inherit_its_descriptors(path):
    code = """
import subprocess
before = set(os.listdir("/dev/fd"))
h = SharedRotatingFileHandler(sys.argv[1])
h.handle(logging.makeLogRecord({"msg": "one"}))
fd = h._file.file._fd
sys.exit(subprocess.run([sys.executable, "-c", f"import os; os.fstat({fd})"], close_fds=False,
                        stderr=subprocess.DEVNULL).returncode == 0)
"""
    assert python(code, path).returncode == 0


def test_a_closed_handler_writes_what_comes_later_and_leaves_nothing_open(path, make):
    handler = make()
    handler.close()
    before = len(os.listdir("/dev/fd"))
    log(handler, "late")
    assert lines(path) == {"late": 1}
    assert len(os.listdir("/dev/fd")) == before


def test_neither_descriptors_nor_threads_are_left_after_200_handlers(path):
    def cycle():
        handler = SharedRotatingFileHandler(path, maxBytes=100, backupCount=3)
        for n in range(5):
            log(handler, f"a line of some length {n}")
        handler.close()

    cycle()
    threads = set(threading.enumerate())
    for _ in range(200):
        cycle()
    assert [name for name in open_files() if name.startswith(str(path.parent))] == []
    assert set(threading.enumerate()) <= threads


def open_files():
    """Return the names of the files that this process has open."""
    names = []
    for fd in os.listdir("/dev/fd"):
        with contextlib.suppress(OSError):  # the listing's own, or another thread's
            names.append(os.readlink(f"/dev/fd/{fd}"))
    return names


def test_importing_it_is_cheap():
    heavy = ["sqlite3", "multiprocessing", "smtplib", "ssl", "flask"]
    done = python(f"print([m for m in {heavy} if m in sys.modules])")
    assert done.stdout == "[]\n"


def test_counts_can_be_taken_apart_by_programs(make):
    handler = make()
    log(handler, "one")
    assert json.loads(json.dumps(handler.counts())) == {
        "accepted": 1,
        "delivered": 1,
        "folded": 0,
        "dropped": {},
        "pending": 0,
    }


def test_secrets_are_masked_whatever_the_formatter(tmp_path):
    log = tmp_path / "error.log"
    handler = SharedRotatingFileHandler(log)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    try:
        raise ConnectionError("cannot open rtsp://admin:geheim@10.0.0.9/s1")
    except ConnectionError:
        handler.handle(logging.LogRecord("gate", 40, __file__, 1, "password=%s", ("geheim",), sys.exc_info()))
    handler.close()
    written = log.read_text()
    assert "geheim@" not in written
    assert "password=geheim" not in written
    assert "Traceback (most recent call last):" in written
