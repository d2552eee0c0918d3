"""Files are written whole or not at all, and nowhere else than meant."""

import contextlib
import fcntl
import multiprocessing
import os
import stat
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest

from tests.host.users import GATE, NEIGHBOUR, as_user, give, needs_root, open_directory
from visigate_logging.host import HostLock
from visigate_logging.host.directories import make_directory, opened_directory
from visigate_logging.host.files import open_safely, write_atomically
from visigate_logging.host.json_lines import JsonLines
from visigate_logging.host.shared_file import SharedFile
from visigate_logging.recovery.sqlite.files import folder_lock


@pytest.fixture
def tmp_path():
    """A directory that other users may enter too."""
    with open_directory() as place:
        yield place


@pytest.fixture
def calls(monkeypatch):
    """The system calls that matter to a power cut, in their order."""
    made = []
    for name in ("fsync", "fdatasync", "rename", "write"):
        real = getattr(os, name)

        def recorded(*args, _name=name, _real=real, **kwargs):
            made.append("fsync directory" if _name == "fsync" and _is_directory(args[0]) else _name)
            return _real(*args, **kwargs)

        monkeypatch.setattr(os, name, recorded)
    return made


def _is_directory(fd):
    return stat.S_ISDIR(os.fstat(fd).st_mode)


def test_content_is_on_the_medium_before_its_name_and_the_name_before_it_returns(tmp_path, calls):
    write_atomically(tmp_path / "file", b"content")
    assert calls == ["fdatasync", "rename", "fsync directory"]


def test_what_cannot_be_written_leaves_what_was_there_and_nothing_beside_it(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"before")

    def full(_fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdatasync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(tmp_path / "file", b"after")
    assert (tmp_path / "file").read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("umask", [0, 0o077])
def test_permissions_are_as_they_were_asked_for_whatever_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "written", b"", mode=0o640)
        os.close(open_safely(tmp_path / "opened", os.O_WRONLY | os.O_CREAT, 0o640))
        make_directory(tmp_path / "made" / "below")
        lock = HostLock(tmp_path / "lock")
        assert lock.acquire()
        lock.release()
    finally:
        os.umask(before)
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("written", "opened", "lock", "made")}
    assert modes == {"written": 0o640, "opened": 0o640, "lock": 0o600, "made": 0o755 & ~umask}


def test_a_lock_that_an_earlier_version_left_open_to_others_is_closed_to_them(tmp_path):
    (tmp_path / "lock").touch(0o644)
    lock = HostLock(tmp_path / "lock")
    assert lock.acquire()
    lock.release()
    assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600


def test_a_link_is_replaced_and_not_written_through(tmp_path):
    (tmp_path / "target").write_bytes(b"untouched")
    (tmp_path / "link").symlink_to("target")
    write_atomically(tmp_path / "link", b"content")
    assert (tmp_path / "target").read_bytes() == b"untouched"
    assert (tmp_path / "link").read_bytes() == b"content"


WRITES = {
    "open": lambda path: os.close(open_safely(path, os.O_WRONLY | os.O_CREAT)),
    "lines": lambda path: JsonLines(path, max_bytes=1000).append({"a": 1}),
    "log": lambda path: SharedFile(path).append(b"line\n"),
    "lock": lambda path: HostLock(path).acquire(),
}


@needs_root
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("planted", ["link", "dangling link", "hard link", "a neighbour's file"])
def test_root_writes_to_nothing_that_was_planted_in_a_directory_of_the_gates(tmp_path, write, planted):
    theirs, roots = give(tmp_path / "gate"), tmp_path / "roots"
    roots.write_bytes(b"root's own")
    path = theirs / "file"
    if planted == "link":
        assert as_user(GATE, lambda: path.symlink_to(roots))
    elif planted == "dangling link":
        assert as_user(GATE, lambda: path.symlink_to(tmp_path / "new"))
    elif planted == "hard link":
        os.link(roots, path)  # where fs.protected_hardlinks is 0 its user could
    else:
        path.touch()
        os.chown(path, NEIGHBOUR, NEIGHBOUR)
    with pytest.raises(PermissionError, match="not trusted"):
        write(path)
    assert roots.read_bytes() == b"root's own"
    assert sorted(os.listdir(tmp_path)) == ["gate", "roots"]


@needs_root
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_root_follows_no_link_of_the_gates_on_the_way(tmp_path, write):
    theirs, roots = give(tmp_path / "gate"), tmp_path / "roots"
    roots.mkdir()
    assert as_user(GATE, lambda: (theirs / "state").symlink_to(roots))
    with pytest.raises(PermissionError, match="not root's"):
        write(theirs / "state" / "file")
    with pytest.raises(PermissionError, match="not root's"):
        write_atomically(theirs / "state" / "file", b"")
    assert os.listdir(roots) == []


@needs_root
def test_root_follows_links_of_its_own(tmp_path):
    target = give(tmp_path / "card" / "gate")
    (tmp_path / "absolute").symlink_to(tmp_path / "card")
    (tmp_path / "relative").symlink_to("card/../absolute")
    write_atomically(tmp_path / "relative" / "gate" / "file", b"content")
    assert (target / "file").read_bytes() == b"content"


def test_links_that_lead_in_circles_are_refused(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError), opened_directory(tmp_path / "a"):
        raise AssertionError


@needs_root
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_what_root_makes_belongs_to_the_owner_of_the_place(tmp_path, write):
    theirs = give(tmp_path / "gate")
    write(theirs / "file")
    write_atomically(theirs / "written", b"")
    make_directory(theirs / "made" / "below")
    for name in ("file", "written", "made", "made/below"):
        found = (theirs / name).stat()
        assert (found.st_uid, found.st_gid) == (GATE, GATE), name


@needs_root
def test_a_log_that_root_rotates_goes_on_to_belong_to_whom_it_belonged(tmp_path):
    log = give(tmp_path / "logs", uid=0) / "log"
    log.write_bytes(b"x" * 100 + b"\n")
    os.chown(log, GATE, NEIGHBOUR)
    file = SharedFile(log, max_bytes=100, backups=1)
    file.append(b"a line that is too much\n")
    file.close()
    assert log.read_bytes() == b"a line that is too much\n"
    assert (log.stat().st_uid, log.stat().st_gid) == (GATE, NEIGHBOUR)


@needs_root
@pytest.mark.parametrize("mode", [0o777, 0o1777], ids=["everybody's", "as /tmp is"])
def test_a_neighbour_can_neither_hold_nor_plant_a_lock(tmp_path, mode):
    everybodys = give(tmp_path / "everybodys")
    everybodys.chmod(mode)
    assert as_user(GATE, lambda: HostLock(everybodys / "lock").acquire())
    assert not as_user(NEIGHBOUR, lambda: os.open(everybodys / "lock", os.O_RDONLY))
    assert as_user(NEIGHBOUR, lambda: (everybodys / "planted").touch(0o666))
    assert not as_user(GATE, lambda: HostLock(everybodys / "planted").acquire())
    assert as_user(NEIGHBOUR, lambda: (everybodys / "link").symlink_to(everybodys / "elsewhere"))
    assert not as_user(GATE, lambda: HostLock(everybodys / "link").acquire())


@needs_root
def test_root_rotates_no_files_of_a_place_that_the_gate_puts_in_the_way_in_that_moment(tmp_path, monkeypatch):
    theirs, roots = give(tmp_path / "gate"), tmp_path / "roots"
    logs = give(theirs / "logs")
    roots.mkdir()
    (roots / "a.log").write_bytes(b"root's own, and long enough to be rotated\n")
    file = SharedFile(logs / "a.log", max_bytes=20, backups=3)
    file.append(b"the first of two lines\n")
    acquire = file.rotation._lock.acquire

    def swap():
        def put_in_the_way():
            logs.rename(theirs / "elsewhere")
            logs.symlink_to(roots)

        assert as_user(GATE, put_in_the_way)
        return True

    monkeypatch.setattr(file.rotation._lock, "acquire", swap)
    file.append(b"the second\n")
    assert "not root's" in str(file.rotation.error)
    assert os.listdir(roots) == ["a.log"]
    monkeypatch.setattr(file.rotation._lock, "acquire", acquire)
    file.close()


@needs_root
def test_a_neighbour_cannot_hold_up_a_restore_or_a_backup(tmp_path):
    databases = give(tmp_path / "gate")

    def lock_all():
        for path in (databases, *databases.iterdir()):
            with contextlib.suppress(PermissionError):
                fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
        locked.set()
        over.wait(30)

    def work():
        with folder_lock(databases):
            pass

    assert as_user(GATE, work)
    locked, over = multiprocessing.get_context("fork").Event(), multiprocessing.get_context("fork").Event()
    neighbour = threading.Thread(target=as_user, args=(NEIGHBOUR, lock_all))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child does nothing but lock
        neighbour.start()
        assert locked.wait(30)
        assert as_user(GATE, work)
    over.set()
    neighbour.join()


PROTECTED = Path("/proc/sys/fs/protected_symlinks")
OF_NEIGHBOURS = ["tests/host/test_files.py", "tests/cli/test_root.py", "tests/config/test_trust.py"]


@needs_root
@pytest.mark.stress
@pytest.mark.timeout(1000)
@pytest.mark.parametrize("setting", ["0", "1"])
def test_whether_the_kernel_protects_links_or_not_all_of_this_holds(setting):
    """With 1 it follows no link in ``/tmp`` and the like that is neither the follower's nor the directory owner's."""
    before = PROTECTED.read_text()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    try:
        PROTECTED.write_text(setting)
        command = [sys.executable, "-m", "pytest", "-q", "-m", "not stress", "-p", "no:xdist", *OF_NEIGHBOURS]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except OSError:
        pytest.skip("this kernel's settings cannot be changed from here")
    finally:
        with contextlib.suppress(OSError):
            PROTECTED.write_text(before)
    assert done.returncode == 0, done.stdout[-3000:]
