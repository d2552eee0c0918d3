"""SharedFile: lines that processes append to one file, and its rotation."""

import os
import stat
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from visigate_logging.exceptions import ShortWriteError
from visigate_logging.host import HostLock
from visigate_logging.host.shared_file import SharedFile


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.log"


@pytest.fixture
def make(path):
    made = []

    def make(**options):
        made.append(SharedFile(path, **options))
        return made[-1]

    yield make
    for file in made:
        file.close()


def once(monkeypatch, name, instead):
    """Let the first call of ``os.NAME`` from here on be another function, which gets the real one first."""
    real = getattr(os, name)

    def first(*args):
        monkeypatch.setattr(os, name, real)
        return instead(real, *args)

    monkeypatch.setattr(os, name, first)


@pytest.fixture
def calls(monkeypatch):
    """How often each system call was made."""
    counted = Counter()

    def count(name):
        real = getattr(os, name)

        def call(*args, **kwargs):
            counted[name] += 1
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, call)

    for name in ("open", "stat", "fstat", "pread", "write", "lseek"):
        count(name)
    return counted


def test_a_line_costs_one_stat_one_write_and_one_fstat(make, calls):
    file = make(max_bytes=1 << 20, backups=3)
    file.append(b"first\n")
    calls.clear()
    for _ in range(10):
        file.append(b"line\n")
    assert calls == {"stat": 10, "write": 10, "fstat": 20}


def test_a_line_after_another_writers_costs_one_read_more(make, calls):
    mine, other = make(), make()
    mine.append(b"mine\n")
    other.append(b"other\n")
    calls.clear()
    mine.append(b"mine\n")
    assert calls == {"stat": 1, "pread": 1, "write": 1, "fstat": 2}


@pytest.mark.parametrize("tail", [b"whole\nhal", b"whole\n\0\0\0\0", b"\0" * 9, b"hal"])
def test_a_torn_tail_costs_no_other_line(make, path, tail):
    path.write_bytes(tail)
    make().append(b"next\n")
    assert path.read_bytes() == tail + b"\nnext\n"


def test_a_torn_tail_that_another_writer_leaves_meanwhile_costs_no_other_line(make, path):
    file = make()
    file.append(b"first\n")
    with path.open("ab") as other:
        other.write(b"hal")
    file.append(b"next\n")
    assert path.read_bytes() == b"first\nhal\nnext\n"


def test_half_a_line_that_a_killed_writer_leaves_just_before_ours_costs_ours_nothing(make, path, monkeypatch):
    def after_half_a_line(write, fd, data):
        with path.open("ab") as killed:
            killed.write(b"hal")
        return write(fd, data)

    file = make()
    file.append(b"first\n")
    once(monkeypatch, "write", after_half_a_line)
    file.append(b"next\n")
    file.append(b"last\n")
    assert path.read_bytes() == b"first\nhalnext\nnext\nlast\n"


def test_where_a_line_ended_is_known_only_when_nobody_wrote_in_between(make, path, monkeypatch):
    file, other = make(), make()
    file.append(b"1\n")
    once(monkeypatch, "write", lambda write, *args: (other.append(b"other\n"), write(*args))[1])
    file.append(b"2\n")
    os.truncate(path, 4)  # where "2\n" would have ended
    file.append(b"3\n")
    assert path.read_bytes() == b"1\not\n3\n"


LONG_LINES = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
line = b"x" * 9_999 + b"\\n"
print("ready", flush=True)
for _ in range(4_000):
    os.write(fd, line)
"""


def test_a_line_that_another_process_is_just_writing_is_not_taken_for_a_torn_one(make, path):
    file = make()
    file.open()
    with subprocess.Popen([sys.executable, "-c", LONG_LINES, str(path)], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        written = 0
        while child.poll() is None:
            file.append(b"mine\n")
            written += 1
    lines = Counter(path.read_bytes().splitlines())
    assert lines == {b"mine": written, b"x" * 9_999: 4_000}


def test_a_short_write_is_told_and_ended_by_the_next_line(make, path, monkeypatch):
    file = make()
    file.append(b"first\n")
    once(monkeypatch, "write", lambda write, fd, data: write(fd, data[:3]))
    with pytest.raises(ShortWriteError, match="only 3 of 7 bytes"):
        file.append(b"second\n")
    file.append(b"second\n")
    assert path.read_bytes() == b"first\nsec\nsecond\n"


def test_a_renamed_file_is_followed_by_a_new_one_at_the_path(make, path, tmp_path):
    file = make()
    file.append(b"1\n")
    path.rename(tmp_path / "a.log.1")
    file.append(b"2\n")
    assert (tmp_path / "a.log.1").read_bytes() == b"1\n"
    assert path.read_bytes() == b"2\n"


def test_after_a_rotation_by_somebody_else_a_line_is_in_the_file_of_the_path(make, path, tmp_path):
    file = make()
    file.append(b"before\n")
    path.rename(tmp_path / "a.log.1")
    path.write_bytes(b"theirs\n")
    file.append(b"after\n")
    assert path.read_bytes() == b"theirs\nafter\n"
    assert (tmp_path / "a.log.1").read_bytes() == b"before\n"


def test_a_file_renamed_between_look_and_write_gets_the_line(make, path, tmp_path, monkeypatch):
    file = make()
    file.append(b"1\n")
    once(monkeypatch, "write", lambda write, *args: (path.rename(tmp_path / "away"), write(*args))[1])
    file.append(b"2\n")
    assert (tmp_path / "away").read_bytes() == b"1\n2\n"
    assert not path.exists()


def test_a_line_written_into_a_file_removed_meanwhile_is_written_again(make, path, monkeypatch):
    file = make()
    file.append(b"1\n")
    once(monkeypatch, "write", lambda write, *args: (path.unlink(), write(*args))[1])
    file.append(b"2\n")
    assert path.read_bytes() == b"2\n"


def test_a_file_that_is_removed_each_time_is_never_taken_for_written(make, path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda *args: (path.unlink(missing_ok=True), real(*args))[1])
    with pytest.raises(FileNotFoundError, match="removed or replaced"):
        make().append(b"1\n")


@pytest.mark.parametrize("remove", ["file", "directory"])
def test_what_was_removed_is_made_again(tmp_path, remove):
    path = tmp_path / "sub" / "dir" / "a.log"
    file = SharedFile(path)
    file.append(b"1\n")
    path.unlink()
    if remove == "directory":
        path.parent.rmdir()
        path.parent.parent.rmdir()
    file.append(b"2\n")
    file.close()
    assert path.read_bytes() == b"2\n"


def test_a_file_emptied_in_place_is_written_from_its_beginning(make, path):
    file = make()
    file.append(b"1\n")
    os.truncate(path, 0)
    file.append(b"2\n")
    assert path.read_bytes() == b"2\n"


@pytest.mark.parametrize("error", [5, 9, 116])  # EIO, EBADF, ESTALE
def test_after_an_error_the_file_is_opened_again(make, path, monkeypatch, calls, error):
    file = make()
    file.append(b"1\n")

    def fail(_write, *_args):
        raise OSError(error, os.strerror(error))

    once(monkeypatch, "write", fail)
    with pytest.raises(OSError, match=os.strerror(error)):
        file.append(b"2\n")
    opened = calls["open"]
    file.append(b"2\n")
    assert calls["open"] > opened
    assert path.read_bytes() == b"1\n2\n"


def test_a_descriptor_closed_by_somebody_else_is_not_closed_again(make, path, tmp_path):
    file = make()
    file.append(b"1\n")
    os.close(file._fd)
    with (tmp_path / "other").open("wb") as other:  # takes the number that is free now
        file.append(b"2\n")
        file.close()
        os.fstat(other.fileno())
    assert path.read_bytes() == b"1\n2\n"


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", ["free", "another file's"])
def test_a_line_whose_descriptor_is_closed_around_its_write_is_there_once(
    make, path, tmp_path, monkeypatch, moment, number
):
    file, write = make(), os.write
    file.append(b"1\n")
    others = []

    def rob(fd):
        os.close(fd)
        if number != "free":
            others.append(os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT))

    def robbed(fd, line):
        monkeypatch.undo()
        if moment == "before":
            rob(fd)
            return len(line)  # it went where the number leads
        written = write(fd, line)
        rob(fd)
        return written

    monkeypatch.setattr(os, "write", robbed)
    file.append(b"2\n")
    file.append(b"3\n")
    assert path.read_bytes() == b"1\n2\n3\n"
    for fd in others:
        os.close(fd)


def contents(path):
    return {p.name: p.read_bytes() for p in path.parent.iterdir() if not p.name.endswith(".lock")}


def test_a_file_is_rotated_before_it_grows_over_its_size(make, path):
    file = make(max_bytes=8, backups=2)
    for line in (b"aaaa\n", b"bb\n", b"cccc\n", b"dddd\n", b"eeee\n"):
        file.append(line)
    assert contents(path) == {"a.log": b"eeee\n", "a.log.1": b"dddd\n", "a.log.2": b"cccc\n"}


def test_a_line_longer_than_the_size_gets_a_file_of_its_own(make, path):
    file = make(max_bytes=4, backups=9)
    for line in (b"longer\n", b"longest\n", b"a\n", b"b\n"):
        file.append(line)
    assert contents(path) == {"a.log": b"a\nb\n", "a.log.1": b"longest\n", "a.log.2": b"longer\n"}


@pytest.mark.parametrize("options", [{"max_bytes": 4}, {"backups": 4}])
def test_without_a_size_or_without_backups_nothing_is_rotated(make, path, options):
    file = make(**options)
    for _ in range(5):
        file.append(b"line\n")
    assert contents(path) == {"a.log": b"line\n" * 5}


def test_a_rotation_that_was_killed_half_way_costs_no_kept_file(make, path, tmp_path):
    for name, content in (("a.log", b"new\n"), ("a.log.2", b"old\n"), ("a.log.3", b"oldest\n")):
        (tmp_path / name).write_bytes(content)
    make(max_bytes=4, backups=3).append(b"newest\n")
    assert contents(path) == {
        "a.log": b"newest\n",
        "a.log.1": b"new\n",
        "a.log.2": b"old\n",
        "a.log.3": b"oldest\n",
    }


def test_who_does_not_get_the_lock_at_once_writes_on(make, path):
    file = make(max_bytes=4, backups=1)
    lock = HostLock(path.with_name(".a.log.lock"))
    assert lock.acquire()
    file.append(b"aaaa\n")
    file.append(b"bbbb\n")
    assert path.read_bytes() == b"aaaa\nbbbb\n"
    lock.release()
    file.append(b"cccc\n")
    assert contents(path) == {"a.log": b"cccc\n", "a.log.1": b"aaaa\nbbbb\n"}


def test_who_gets_the_lock_after_another_rotation_does_not_rotate_again(make, path, monkeypatch):
    file, other = make(max_bytes=4, backups=5), make(max_bytes=4, backups=5)
    file.append(b"aaaa\n")
    acquire = HostLock.acquire

    def late(lock):
        monkeypatch.setattr(HostLock, "acquire", acquire)
        other.append(b"b\n")  # rotates
        return acquire(lock)

    monkeypatch.setattr(HostLock, "acquire", late)
    file.append(b"c\n")
    assert contents(path) == {"a.log": b"b\nc\n", "a.log.1": b"aaaa\n"}


OF_TWO_USERS = """
import os, sys
from visigate_logging.host.shared_file import SharedFile
path, group = sys.argv[1], 65534
for turn in range(4):  # the one makes the lock, the other must rotate too, and then the first again
    pid = os.fork()
    if not pid:
        os.umask(0o077)
        os.setgroups([])
        os.setgid(group)
        os.setuid(3 + turn % 2)
        file = SharedFile(path, max_bytes=40, backups=50, mode=0o660)
        for n in range(20):
            file.append(b"%d-%02d\\n" % (turn, n))
        os._exit(0 if file.rotation.error is None else 1)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        sys.exit(f"turn {turn} could not rotate")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
def test_users_whose_group_may_write_the_file_all_rotate_it():
    with tempfile.TemporaryDirectory() as directory:  # pytest's own are closed to others
        os.chown(directory, -1, 65534)
        os.chmod(directory, 0o770)
        path = Path(directory, "a.log")
        subprocess.run([sys.executable, "-c", OF_TWO_USERS, str(path)], check=True)
        found = b"".join(contents(path).values()).splitlines()
        assert sorted(found) == sorted(b"%d-%02d" % (turn, n) for turn in range(4) for n in range(20))
        assert all(p.stat().st_size <= 40 for p in path.parent.glob("a.log*"))
        assert stat.S_IMODE((path.parent / ".a.log.lock").stat().st_mode) == 0o660


def test_a_symlink_in_place_of_the_lock_is_not_followed_and_lines_are_written_on(make, path, tmp_path):
    victim = tmp_path / "victim"
    path.with_name(".a.log.lock").symlink_to(victim)
    file = make(max_bytes=4, backups=1)
    file.append(b"aaaa\n")
    file.append(b"bbbb\n")
    assert not victim.exists()
    assert path.read_bytes() == b"aaaa\nbbbb\n"
    assert isinstance(file.rotation.error, OSError)
    path.with_name(".a.log.lock").unlink()
    file.append(b"cccc\n")
    assert file.rotation.error is None
    assert path.read_bytes() == b"cccc\n"


def test_a_rotation_that_cannot_be_done_costs_no_line(make, path, tmp_path):
    (tmp_path / "a.log.1").mkdir()
    (tmp_path / "a.log.1" / "full").touch()
    file = make(max_bytes=4, backups=1)
    for _ in range(3):
        file.append(b"aaaa\n")
    assert path.read_bytes() == b"aaaa\n" * 3
    assert isinstance(file.rotation.error, OSError)


def test_a_symlinked_file_is_written_through_and_rotated_without_loss(make, path, tmp_path):
    target = tmp_path / "elsewhere"
    path.symlink_to(target)
    file = make(max_bytes=4, backups=3)
    for line in (b"aaaa\n", b"bbbb\n", b"cccc\n"):
        file.append(line)
    assert target.read_bytes() == b"aaaa\n"
    assert [path.with_name(n).read_bytes() for n in ("a.log.2", "a.log.1", "a.log")] == [
        b"aaaa\n",
        b"bbbb\n",
        b"cccc\n",
    ]


def test_a_device_can_be_written_to():
    file = SharedFile("/dev/null", max_bytes=4, backups=1)
    for _ in range(3):
        file.append(b"line\n")
    file.close()


def test_a_pipe_can_be_written_to_and_its_reader_gets_whole_lines(make, path):
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    file = make(max_bytes=10, backups=1)
    for n in range(100):
        file.append(b"%d\n" % n)
    file.close()
    assert os.read(reader, 1 << 20) == b"".join(b"%d\n" % n for n in range(100))
    os.close(reader)


def test_a_pipe_that_nobody_empties_does_not_stop_its_writer_and_a_cut_line_is_ended(make, path):
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    file = make()
    line = b"x" * 9_999 + b"\n"

    def fill():
        for _ in range(1000):
            file.append(line)

    with pytest.raises(OSError):
        fill()
    received = os.read(reader, 1 << 20)
    file.append(b"next\n")
    received += os.read(reader, 1 << 20)
    os.close(reader)
    *lines, last = received.splitlines()
    assert last == b"next"
    assert all(len(line) == 9_999 for line in lines[:-1])


def test_permissions_are_those_asked_for_past_the_umask(path):
    before = os.umask(0o077)
    try:
        file = SharedFile(path, mode=0o664)
        file.append(b"line\n")
        file.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o664


def test_permissions_of_a_file_that_is_there_are_left(make, path):
    path.touch()
    path.chmod(0o600)
    make(mode=0o664).append(b"line\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_executed_programs_do_not_inherit_the_file(make):
    file = make()
    file.append(b"line\n")
    code = f"import os, sys; os.fstat({file._fd})"
    done = subprocess.run([sys.executable, "-c", code], close_fds=False, stderr=subprocess.DEVNULL, check=False)
    assert done.returncode == 1


def test_files_left_behind_are_handed_over_to_be_synced_and_are_bounded(make, path):
    file = make(max_bytes=1, backups=50)
    before = len(os.listdir("/dev/fd"))
    for _ in range(50):
        file.append(b"line\n")
    assert len(os.listdir("/dev/fd")) < before + 15
    taken = file.unsynced()
    assert os.fstat(taken[-1]).st_ino == path.parent.stat().st_ino  # has new names
    assert os.fstat(taken[-2]).st_ino == path.stat().st_ino
    assert os.fstat(taken[-3]).st_ino == path.with_name("a.log.1").stat().st_ino
    for fd in taken:
        os.close(fd)
    file.close()
    assert len(os.listdir("/dev/fd")) == before
