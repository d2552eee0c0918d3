"""Changes of the file take effect while the process runs."""

import logging
import os
import signal
import threading
import time

import pytest

from visigate_logging.config import apply, watch
from visigate_logging.config.apply import configure
from visigate_logging.config.presence import last_messages
from visigate_logging.lifecycle.processes import present

TEXT = """
version: 1
disable_existing_loggers: false
visigate: {{watch: true}}
formatters: {{plain: {{format: "{mark} %(message)s"}}}}
handlers:
  log: {{class: visigate_logging.SharedRotatingFileHandler, filename: plain.log, formatter: plain}}
root: {{level: INFO, handlers: [log]}}
"""
LOOK_EVERY = watch.LOOK_EVERY
SEVERAL_LOOKS = 0.5


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(watch, "LOOK_EVERY", 0.1)


def until(true, seconds=20):
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def format_in_use():
    handlers = logging.getLogger().handlers  # none in the moment of a change
    return handlers[0].formatter._fmt.split()[0] if handlers else ""


def test_a_change_takes_effect_within_two_seconds(write, monkeypatch):
    monkeypatch.setattr(watch, "LOOK_EVERY", LOOK_EVERY)
    configure(write(TEXT.format(mark="ONE")))
    begun = time.monotonic()
    write(TEXT.format(mark="TWO"))
    until(lambda: format_in_use() == "TWO")
    assert time.monotonic() - begun < 2 + 3  # three more for a machine that is busy


def test_content_counts_and_not_the_time_stamp(write):
    path = write(TEXT.format(mark="ONE"))
    before = path.stat()
    configure(path)
    write(TEXT.format(mark="TWO"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    until(lambda: b"TWO" in apply.running().source.content)
    applied = apply.running()
    path.touch()
    time.sleep(SEVERAL_LOOKS)
    assert apply.running() is applied


def test_an_editor_that_renames_is_fine(write):
    configure(write(TEXT.format(mark="ONE")))
    write(TEXT.format(mark="TWO"), "logging.yaml.swp").replace("logging.yaml")
    until(lambda: format_in_use() == "TWO")


def test_a_file_that_is_empty_or_gone_for_a_moment_waits(write):
    path = write(TEXT.format(mark="ONE"))
    configure(path)
    write("")
    time.sleep(SEVERAL_LOOKS)
    path.unlink()
    time.sleep(SEVERAL_LOOKS)
    assert format_in_use() == "ONE"
    assert "refused" not in (path.parent / "plain.log").read_text()
    write(TEXT.format(mark="TWO"))
    until(lambda: format_in_use() == "TWO")


def test_after_a_refused_change_it_goes_on_watching(write, tmp_path):
    configure(write(TEXT.format(mark="ONE")))
    write(TEXT.format(mark="TWO") + "rot: 1\n")
    until(lambda: "refused" in (tmp_path / "plain.log").read_text())
    assert format_in_use() == "ONE"
    until(lambda: present(tmp_path / "state")[0]["refused"])
    assert "rot: is not known" in present(tmp_path / "state")[0]["refused"]["reason"]
    time.sleep(SEVERAL_LOOKS)
    assert (tmp_path / "plain.log").read_text().count("is refused") == 1
    write(TEXT.format(mark="TWO"))
    until(lambda: format_in_use() == "TWO")


def test_sighup_applies_at_once_what_is_there(write):
    configure(write(TEXT.format(mark="ONE")))
    before = apply.running()
    os.kill(os.getpid(), signal.SIGHUP)
    until(lambda: apply.running() is not before)


def test_who_has_handled_sighup_before_is_still_called(write):
    called = threading.Event()
    signal.signal(signal.SIGHUP, lambda *_: called.set())
    configure(write(TEXT.format(mark="ONE")))
    os.kill(os.getpid(), signal.SIGHUP)
    assert called.wait(5)


def test_watching_ends_when_the_file_says_so(write):
    configure(write(TEXT.format(mark="ONE")))
    write(TEXT.format(mark="TWO").replace("watch: true", "watch: false"))
    until(lambda: format_in_use() == "TWO")
    until(lambda: not [t for t in threading.enumerate() if t.name == "visigate-config"])


def test_what_went_back_is_not_applied_again(write):
    configure(write(TEXT.format(mark="ONE")))
    with apply._applying:
        path = write(TEXT.format(mark="TWO"))
        seen = threading.Thread(target=apply._apply_change, args=(path, path.read_bytes()))
        seen.start()  # the watch has seen it too, and waits
        trial = configure(path, confirm=0.5)
    seen.join(20)
    trial.going_back.join(20)
    assert format_in_use() == "ONE"
    time.sleep(SEVERAL_LOOKS)
    assert format_in_use() == "ONE"
    write(TEXT.format(mark="THREE"))
    until(lambda: format_in_use() == "THREE")


def test_at_no_moment_of_going_back_is_what_the_file_has_news(write, monkeypatch):
    known, real = [], watch.Watch.pass_over
    monkeypatch.setattr(watch.Watch, "pass_over", lambda self, content: known.append(content) or real(self, content))
    configure(write(TEXT.format(mark="ONE")))
    trial = configure(write(TEXT.format(mark="TWO")), confirm=0.2)
    trial.going_back.join(20)
    assert format_in_use() == "ONE"
    assert [b"TWO" in content for content in known] == [False, True, True]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_watches_too_and_is_seen(write, tmp_path):
    configure(write(TEXT.format(mark="ONE")))
    pid = os.fork()
    if pid == 0:
        try:
            until(lambda: format_in_use() == "TWO")
            os._exit(0)
        finally:
            os._exit(1)
    until(lambda: {facts["pid"] for facts in present(tmp_path / "state")} == {os.getpid(), pid})
    write(TEXT.format(mark="TWO"))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert {facts["pid"] for facts in present(tmp_path / "state")} == {os.getpid()}


def test_the_packages_own_messages_are_kept_for_others(write, tmp_path):
    configure(write(TEXT.format(mark="ONE")))
    logging.getLogger("visigate_logging.anything").warning("said %s", "once")
    assert last_messages(tmp_path / "state")[-1]["message"] == "said once"
    assert last_messages(tmp_path / "state")[0]["pid"] == os.getpid()


def test_what_is_half_written_waits_until_two_looks_have_seen_the_same(tmp_path):
    path, applied = tmp_path / "logging.yaml", []
    path.write_bytes(b"version: 1")
    watching = watch.Watch(path, lambda _, content: applied.append(content))
    watching.stop()  # the looks are ours
    for content in (b"version: 1", b"version: 1\nroot: {le", b"version: 1\nroot: {level: INFO}"):
        path.write_bytes(content)
        watching._look_at_content(at_once=False)
        assert applied == []
    watching._look_at_content(at_once=False)
    watching._change.join(10)
    assert applied == [b"version: 1\nroot: {level: INFO}"]
