"""A configuration that others can change is refused; installations as they are everywhere pass."""

import grp  # noqa: F401 -- imported late, when the other user could not read it any more
import logging
import os
import pwd  # noqa: F401 -- likewise
import stat
import tempfile
from pathlib import Path

import pytest

from tests.waiting import wait_until
from visigate_logging.config.apply import configure
from visigate_logging.config.check import check
from visigate_logging.config.load import read
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.host import trust
from visigate_logging.host.trust import exposure, trusted_users

GATE, NEIGHBOUR = 54321, 54322
TRUSTED = frozenset({0, GATE})
TEXT = "version: 1\nhandlers: {h: {class: logging.NullHandler}}\nroot: {handlers: [h]}\n"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be other users")


@pytest.fixture
def place():
    """A directory below /tmp, which all may write and which has the sticky bit, as the gate's user has it."""
    with tempfile.TemporaryDirectory(prefix="visigate-", dir="/tmp") as name:
        assert Path("/tmp").stat().st_mode & stat.S_ISVTX
        own(Path(name), GATE, 0o755)
        yield Path(name)


def own(path, user, mode):
    os.chown(path, user, user, follow_symlinks=False)
    if not path.is_symlink():
        path.chmod(mode)
    return path


def file(path, user=GATE, mode=0o644, text=TEXT):
    path.write_text(text)
    return own(path, user, mode)


def as_user(user, act):
    """Do something as another user, in a child; what it raises, as text, else nothing."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
            act()
        except BaseException as error:  # nothing may get back into pytest
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as told:
        return told.read()


def test_a_file_of_the_gate_or_of_root_below_a_sticky_directory_is_safe(place):
    assert exposure(file(place / "logging.yaml"), TRUSTED) is None
    assert exposure(file(place / "root.yaml", user=0), TRUSTED) is None


def test_a_file_of_another_user_is_not(place):
    found = exposure(file(place / "logging.yaml", user=NEIGHBOUR), TRUSTED)
    assert (found.path, found.who) == (place / "logging.yaml", f"user {NEIGHBOUR}, whose it is")


@pytest.mark.parametrize("mode", [0o666, 0o646, 0o602])
def test_a_file_that_all_may_write_is_not(place, mode):
    found = exposure(file(place / "logging.yaml", mode=mode), TRUSTED)
    assert (found.who, found.cure) == ("every user", f"chmod o-w {place}/logging.yaml")


def test_a_directory_above_it_is_looked_at_as_well(place):
    (place / "a").mkdir()
    (place / "a" / "b").mkdir()
    path = file(place / "a" / "b" / "logging.yaml")
    own(place / "a" / "b", GATE, 0o755)
    own(place / "a", NEIGHBOUR, 0o755)
    assert exposure(path, TRUSTED).path == place / "a"
    own(place / "a", GATE, 0o777)
    assert exposure(path, TRUSTED).who == "every user"
    own(place / "a", GATE, 0o1777)
    assert exposure(path, TRUSTED) is None


def test_the_link_to_it_and_the_way_of_the_link_are_looked_at(place):
    (place / "real").mkdir()
    path = file(place / "real" / "logging.yaml")
    link = place / "link.yaml"
    link.symlink_to("real/logging.yaml")
    own(link, GATE, 0)
    own(place / "real", GATE, 0o755)
    assert exposure(link, TRUSTED) is None
    own(link, NEIGHBOUR, 0)
    assert exposure(link, TRUSTED).path == link
    own(link, GATE, 0)
    own(place / "real", GATE, 0o777)
    assert exposure(link, TRUSTED).path == place / "real"
    assert path.exists()


def test_a_circle_of_links_ends(place):
    (place / "a").symlink_to("b")
    (place / "b").symlink_to("a")
    for name in ("a", "b"):
        own(place / name, GATE, 0)
    assert exposure(place / "a", TRUSTED) is None


def test_what_does_not_exist_is_as_safe_as_where_it_would_be_made(place):
    assert exposure(place / "none" / "state", TRUSTED) is None
    own(place, GATE, 0o777)
    assert exposure(place / "none" / "state", TRUSTED).path == place


def test_a_group_of_ones_own_may_write_and_others_of_a_group_are_named(place, monkeypatch):
    path = file(place / "logging.yaml", mode=0o664)
    assert exposure(path, TRUSTED) is None
    monkeypatch.setattr(trust, "_members", lambda group, trusted: ["alice"])
    found = exposure(path, TRUSTED)
    assert found.is_group
    assert found.who == "alice of its group"


def test_who_has_become_root_by_sudo_is_trusted(monkeypatch):
    monkeypatch.setenv("SUDO_UID", "1000")
    assert trusted_users() == {0, 1000}
    monkeypatch.setenv("SUDO_UID", "x")
    assert trusted_users() == {0}
    assert trusted_users("root") == {0}


@pytest.mark.parametrize(
    ("owner", "mode", "passes"),
    [(GATE, 0o644, True), (0, 0o644, True), (GATE, 0o664, True), (NEIGHBOUR, 0o644, False), (GATE, 0o646, False)],
)
def test_configure_refuses_for_the_gates_user_what_a_neighbour_can_change(place, owner, mode, passes):
    path = file(place / "logging.yaml", owner, mode)
    as_user(0, lambda: configure(path))  # whatever is imported late is out of reach for the other user
    raised = as_user(GATE, lambda: configure(path))
    assert bool(raised) is not passes, raised
    assert passes or "this file can be changed by" in raised


def test_root_refuses_to_run_what_another_user_can_change_and_may_look_at_it(place):
    path = file(place / "logging.yaml")
    assert [p for p in check(read(path)) if p.severity == "error"] == []
    with pytest.raises(ConfigurationError, match=f"this file can be changed by user {GATE}, whose it is"):
        configure(path)


@pytest.mark.parametrize("option", ["filename: LOGS/details.jsonl", "filename: details.jsonl, state_dir: LOGS"])
def test_directories_of_logs_and_of_state_are_looked_at(place, option):
    logs = place / "logs"
    logs.mkdir()
    own(logs, GATE, 0o777)
    handler = f"{{class: visigate_logging.JsonFileHandler, {option.replace('LOGS', str(logs))}}}"
    path = file(place / "logging.yaml", text=f"version: 1\nhandlers:\n  h: {handler}\nroot: {{handlers: [h]}}\n")
    [error] = [p for p in check(read(path)) if p.severity == "error"]
    assert f"what is in this directory can be changed by every user, through it: chmod o-w {logs}" in error.text
    own(logs, GATE, 0o755)
    assert [p for p in check(read(path)) if p.severity == "error"] == []


def test_programs_of_steps_are_looked_at(place):
    script = file(place / "mend.sh", mode=0o757, text="#!/bin/sh\n")
    text = (
        "version: 1\nhandlers:\n  h:\n    class: visigate_logging.RecoveryHandler\n"
        f"    state_dir: {place}/state\n    procedures:\n      camera:\n        exceptions: [CameraError]\n"
        f"        steps:\n          - command: {{argv: [{script}, x]}}\nroot: {{handlers: [h]}}\n"
    )
    path = file(place / "logging.yaml", text=text)
    [error] = [p for p in check(read(path)) if p.severity == "error"]
    assert error.key == "handlers.h.procedures.camera.steps.0.command.argv.0"
    assert "this program can be changed by every user" in error.text
    own(script, GATE, 0o755)
    assert [p for p in check(read(path)) if p.severity == "error"] == []


def test_a_neighbours_edit_of_a_watched_file_is_refused_with_words(tmp_path, place, monkeypatch):
    own(place, 0, 0o755)
    path = file(place / "logging.yaml", 0, text=f"{TEXT}visigate: {{watch: true}}\n")
    records = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    logging.getLogger("visigate_logging.config").addHandler(handler)
    try:
        configure(path)
        path.chmod(0o666)
        assert as_user(NEIGHBOUR, lambda: path.write_text(f"{TEXT}x-edited: true\n")) == ""
        wait_until(lambda: any("is refused" in text for text in records))
    finally:
        logging.getLogger("visigate_logging.config").removeHandler(handler)
    assert "this file can be changed by every user" in next(text for text in records if "is refused" in text)
