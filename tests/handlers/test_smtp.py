"""ThrottledSMTPHandler: administrators are told, and the application does not notice."""

import fcntl
import hashlib
import json
import logging
import logging.config
import multiprocessing
import os
import random
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import time
import warnings

import pytest

from tests.delivery.conftest import error
from tests.delivery.servers import RawServer, Server, say_nothing, told, wait_for
from tests.handlers.mail_child import configure, raise_in_group
from tests.host.users import NEIGHBOUR, give, needs_root
from visigate_logging.delivery.notifier import Notifier
from visigate_logging.detail.classification import Classifier
from visigate_logging.exceptions import ConfigurationError, StateError
from visigate_logging.formatters import DetailFormatter
from visigate_logging.handlers.smtp import ThrottledSMTPHandler
from visigate_logging.host import HostLock, State

CHILD = [sys.executable, "-m", "tests.handlers.mail_child"]


@pytest.fixture
def server():
    with Server() as server:
        yield server


@pytest.fixture
def options(server, tmp_path):
    """What each handler here is given; waits are short, and nothing comes again within a test."""
    return options_for(server, tmp_path)


def options_for(server, tmp_path, **more):
    return {
        "mailhost": server.address,
        "fromaddr": "gate@example.org",
        "toaddrs": ["admin@example.org"],
        "state_dir": str(tmp_path / "state"),
        "group_wait": 0.05,
        **more,
    }


@pytest.fixture
def make(options):
    """Handlers that are closed at the end."""
    made = []

    def make(**more):
        handler = ThrottledSMTPHandler(**(options | more))
        made.append(handler)
        return handler

    yield make
    for handler in made:
        handler.close()


def logger_with(handler, name="app"):
    logger = logging.getLogger(name)
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    return logger


def notifier_of(handler):
    return handler._notifier(handler.routes[0])


def messages(server):
    return [message for _, message in server.inbox.mails]


def adds_up(sheet):
    parts = sheet["delivered"] + sheet["folded"] + sum(sheet["dropped"].values()) + sheet["pending"]
    return sheet["accepted"] == parts and min(sheet["pending"], sheet["folded"], sheet["delivered"]) >= 0


def start(options, **asked):
    command = [*CHILD, json.dumps({"options": options} | asked)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)


def finish(process, timeout=100):
    """How many logging calls have returned."""
    out, _ = process.communicate(timeout=timeout)
    return len(out)


def try_now(tmp_path):
    """Do not wait for the next try of what could not be sent."""
    state = State(tmp_path / "state")
    with state.transaction() as connection:
        connection.execute("UPDATE mail_letters SET retry_at = 0")
    state.close()


def text_of(message):
    return message.get_body(("plain",)).get_content()


# What is mailed.


def test_a_critical_error_is_mailed_with_its_detail(make, server):
    logger = logger_with(make())
    try:
        raise_in_group(0)()
    except RuntimeError:
        logger.critical("cannot see", exc_info=True, extra={"camera": "front", "password": "hunter2"})
    wait_for(lambda: server.inbox.mails)
    [message] = messages(server)
    assert "CRITICAL RuntimeError: camera a away" in message["Subject"]
    assert "camera a away" in text_of(message)
    assert "camera: front" in text_of(message)
    assert "hunter2" not in message.as_string()


@pytest.mark.parametrize(
    ("severity", "level", "record_severity", "mailed"),
    [
        ("CRITICAL", logging.ERROR, None, False),
        ("CRITICAL", logging.CRITICAL, None, True),
        ("CRITICAL", logging.ERROR, "CRITICAL", True),
        ("CRITICAL", logging.CRITICAL, "WARNING", False),
        ("WARNING", logging.WARNING, None, True),
    ],
)
def test_the_threshold_is_the_severity_and_without_one_the_level(make, severity, level, record_severity, mailed):
    handler = make(severity=severity)
    logger = logger_with(handler)
    logger.log(level, "away", extra={"severity": record_severity} if record_severity else {})
    assert handler.counts()["accepted"] == int(mailed)


def test_the_severity_is_the_classifiers(make):
    handler = make()
    handler.addFilter(Classifier(rules=[{"exceptions": ["RuntimeError"], "severity": "CRITICAL"}]))
    logger = logger_with(handler)
    try:
        raise_in_group(0)()
    except RuntimeError:
        logger.exception("away")
    logger.error("something else")
    assert handler.counts()["accepted"] == 1


def test_repeats_are_counted_and_all_counts_add_up(make, server):
    handler = make(interval=0.3, max_interval=0.3, quiet=1.0)
    logger = logger_with(handler)
    for n in range(300):
        logger.critical("camera %d is away", n % 3)
        time.sleep(0.001)
    wait_for(lambda: sum(told(messages(server))) == 300)
    sheet = wait_for(lambda: (s := handler.counts())["pending"] == 0 and s)
    assert adds_up(sheet)
    assert sheet["accepted"] == 300
    assert len(server.inbox.mails) <= 12
    wait_for(lambda: "Quiet since" in text_of(messages(server)[-1]))


def test_an_exception_that_is_reported_again_is_counted_once(make):
    handler = make()
    for event in (
        {"event_id": "a"},
        {"event_id": "b", "repeats": "a"},
        {"event_id": "c", "repeats": "below severity"},
    ):
        notifier_of(handler).accept(error(**event))
    assert handler.counts()["accepted"] == 2


def interrupt(*_):
    raise KeyboardInterrupt


def test_a_report_that_is_interrupted_before_it_is_taken_in_does_not_silence_the_next(make, monkeypatch):
    notifier = notifier_of(make())
    with monkeypatch.context() as patch:
        patch.setattr("visigate_logging.delivery.intake.Intake.add", interrupt)
        with pytest.raises(KeyboardInterrupt):
            notifier.accept(error(event_id="b", repeats="a"))
    notifier.accept(error(event_id="c", repeats="a"))
    assert notifier.counts()["accepted"] == 1


def test_a_report_that_is_interrupted_after_it_was_taken_in_is_counted_once(make, monkeypatch):
    handler = make()
    logger = logger_with(handler)
    with monkeypatch.context() as patch:
        patch.setattr("visigate_logging.host.worker.Worker.wake", interrupt)
        with pytest.raises(KeyboardInterrupt):
            logger.critical("lost")
    assert handler.counts()["accepted"] == 1
    assert handler.counts()["dropped"] == {}


@pytest.mark.parametrize("name", ["visigate_logging", "visigate_logging.host", "visigate_logging.recovery.steps"])
def test_reports_of_the_package_itself_are_never_mailed(make, name):
    handler = make()
    logger_with(handler, name).critical("mails cannot be sent")
    assert handler.counts()["accepted"] == 0


def test_outcomes_of_recoveries_are_mailed_below_the_severity_but_not_what_was_refused(make, server):
    outcomes = logger_with(make(), "visigate_logging.recovery")
    outcomes.info("not damaged, nothing done")
    outcomes.warning("database restored")
    wait_for(lambda: server.inbox.mails)
    assert "database restored" in text_of(messages(server)[0])
    assert "nothing done" not in text_of(messages(server)[0])


def test_the_keys_that_its_formatter_masks_are_masked_in_mails(make, server):
    handler = make()
    handler.setFormatter(DetailFormatter(mask_keys=["plate"]))
    logger_with(handler).critical("gate opened for plate=AB123", extra={"plate": "AB123"})
    wait_for(lambda: messages(server))
    assert "plate=***" in text_of(messages(server)[0])
    assert "AB123" not in messages(server)[0].as_string()


def test_the_sender_may_have_a_name(make, server):
    logger_with(make(fromaddr="Tor Süd <gate@example.org>")).critical("away")
    wait_for(lambda: server.inbox.mails)
    assert messages(server)[0]["From"] == "Tor Süd <gate@example.org>"


# The caller.


def test_construction_touches_neither_network_nor_disk(tmp_path):
    with RawServer(say_nothing) as server:
        handler = ThrottledSMTPHandler(**options_for(server, tmp_path))
        handler.close()
        assert server.connections == 0
    assert list(tmp_path.iterdir()) == []


def test_a_configuration_that_is_built_and_closed_again_sends_nothing(tmp_path):
    with RawServer(say_nothing) as server:
        configure(options_for(server, tmp_path))
        logging.getLogger().handlers[-1].close()
        assert server.connections == 0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mailhost", "host:x"),
        ("toaddrs", []),
        ("fromaddr", "two words"),
        ("subject", "a\nb"),
        ("credentials", "secret"),
        ("secure", "ssl"),
        ("timeout", -1),
        ("severity", "SEVERE"),
        ("group_wait", "1s"),
        ("interval", 0),
        ("max_interval", 1),
        ("quiet", 0),
        ("max_per_hour", 0),
        ("state_dir", ""),
        ("url", ""),
    ],
)
def test_a_wrong_option_is_refused_at_construction_by_its_key(options, key, value):
    with pytest.raises(ConfigurationError) as caught:
        ThrottledSMTPHandler(**(options | {key: value}))
    assert caught.value.key.split(".")[0] == key


def test_emit_waits_neither_for_the_state_file_nor_for_the_server(tmp_path):
    with RawServer(say_nothing) as server:
        handler = ThrottledSMTPHandler(**options_for(server, tmp_path))
        logger = logger_with(handler)
        blocker = State(tmp_path / "state")
        with blocker.transaction():
            begun = time.monotonic()
            for n in range(200):
                logger.critical("camera %d", n % 20)
            took = time.monotonic() - begun
        assert took < 2
        assert handler.counts()["accepted"] == 200
        blocker.close()
        begun = time.monotonic()
        handler.close()
        assert time.monotonic() - begun < 5


def test_emit_never_raises(make, monkeypatch, capsys):
    handler = make()
    monkeypatch.setattr(handler, "_notifier", lambda _: 1 / 0)
    logger_with(handler).critical("away")
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_storm_of_groups_takes_bounded_memory_and_loses_no_count(tmp_path):
    import tracemalloc

    with RawServer(say_nothing) as server:
        handler = ThrottledSMTPHandler(**options_for(server, tmp_path, group_wait=3600))
        blocker = State(tmp_path / "state")
        logger = logger_with(handler)
        logger.propagate = False  # else what pytest keeps of each record is measured
        logger.critical("first")
        with blocker.transaction():  # nothing can be stored: all must be kept in memory
            tracemalloc.start()
            for n in range(1000):
                logger.critical("x" * 2000 + "%s", n, extra={"severity": "CRITICAL"})
            used, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        blocker.close()
        assert used < 20e6
        handler.flush()
        assert handler.counts()["accepted"] == 1001
        handler.close()


# Processes that end.


def test_at_exit_a_mail_is_sent_without_waiting_for_group_wait(options, server):
    finish(start(options | {"group_wait": 3600}, errors=5, patience=60))
    assert told(messages(server)) == [5]


def test_its_thread_runs_from_the_first_error_because_none_can_be_started_at_exit(make):
    handler = make()
    logger_with(handler).critical("away")
    assert handler._notifier(handler.routes[0])._worker._is_alive()


def test_who_interrupts_the_first_error_with_another_finds_one_thread_and_one_journal(make, monkeypatch):
    handler = make()
    logger, made = logger_with(handler), []

    class InterruptedNotifier(Notifier):
        def __init__(self, *args):
            super().__init__(*args)
            made.append(self)
            if len(made) == 1:
                logger.critical("from a signal handler")

    monkeypatch.setattr("visigate_logging.handlers.throttled.Notifier", InterruptedNotifier)
    logger.critical("away")
    assert [one._worker._is_alive() for one in made] == [False, True], "the one that came last is the one that stays"
    assert handler.counts()["accepted"] == 2


def test_at_exit_a_silent_server_costs_two_seconds_and_the_next_process_tells(tmp_path, server):
    with RawServer(say_nothing) as silent:
        begun = time.monotonic()
        process = start(options_for(silent, tmp_path), errors=5)
        assert finish(process) == 5
        assert process.returncode == 0
        assert time.monotonic() - begun < 20
    try_now(tmp_path)
    finish(start(options_for(server, tmp_path), errors=3))
    configure(options_for(server, tmp_path, interval=0.1, max_interval=0.1))
    wait_for(lambda: sum(told(messages(server))) >= 5)
    handler = logging.getLogger().handlers[-1]
    assert handler.counts()["accepted"] == 8
    assert adds_up(handler.counts())


def test_a_process_that_is_replaced_at_once_by_fork_exit_is_taken_over(options, server):
    """A child that ends with os._exit runs no cleanup: what it counted is taken over by another process."""
    configure(options)
    pid = os.fork()
    if pid == 0:
        try:
            logging.getLogger("app").critical("from the child")
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    notifier_of(logging.getLogger().handlers[-1]).wake()
    wait_for(lambda: sum(told(messages(server))) == 1, timeout=30)
    assert "from the child" in text_of(messages(server)[0])


def _log_in_child():
    logging.getLogger("app").critical("from the multiprocessing child")


def test_a_multiprocessing_child_tells_before_it_ends(options, server, monkeypatch):
    monkeypatch.setattr("visigate_logging.handlers.throttled._EXIT_TIMEOUT", 60.0)  # on a busy machine as well
    configure(options | {"group_wait": 3600})
    process = multiprocessing.get_context("fork").Process(target=_log_in_child)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    process.join(100)
    assert process.exitcode == 0
    wait_for(lambda: told(messages(server)) == [1])


def test_a_reload_loses_nothing(options, server):
    for _ in range(4):
        configure(options)
        logging.getLogger("app").critical("away")
    handler = logging.getLogger().handlers[-1]
    handler.flush()
    assert handler.counts()["accepted"] == 4
    handler.close()


@pytest.mark.parametrize(
    ("processes", "errors"), [(4, 500), pytest.param(4, 25_000, marks=pytest.mark.stress, id="full")]
)
def test_the_errors_of_four_processes_are_told_once_while_the_server_hangs_and_afterwards(
    tmp_path, server, processes, errors
):
    total = processes * errors
    with RawServer(say_nothing) as silent:
        hanging = options_for(silent, tmp_path, timeout=1.0)
        children = [start(hanging, errors=errors, groups=20) for _ in range(processes)]
        assert sum(finish(c, timeout=1000) for c in children) == total
    try_now(tmp_path)
    configure(options_for(server, tmp_path, interval=0.5, max_interval=0.5, quiet=3.0))
    handler = logging.getLogger().handlers[-1]
    wait_for(lambda: sum(told(messages(server))) == total, timeout=60)
    assert len(server.inbox.mails) <= 12
    sheet = wait_for(lambda: (s := handler.counts())["pending"] == 0 and s)
    assert sheet["accepted"] == total
    assert adds_up(sheet)


@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.stress, id="full")])
def test_kills_at_random_moments_while_sending_lose_no_count(options, server, kills, tmp_path):
    chance = random.Random(20260301)
    server.inbox.on_data = lambda _: time.sleep(0.05)
    quick = options | {"interval": 0.1, "max_interval": 0.1, "quiet": 3600, "max_per_hour": 100_000}
    returned = 0
    for _ in range(kills):
        process = start(quick, errors=1_000_000, groups=3, pause=0.002)
        os.read(process.stdout.fileno(), 1)
        time.sleep(chance.uniform(0.0, 1.2))
        process.send_signal(signal.SIGKILL)
        returned += 1 + finish(process)
    configure(quick)
    handler = logging.getLogger().handlers[-1]

    def all_told():
        try_now(tmp_path)  # what was handed over when it was killed would be waited for
        sheet = handler.counts()
        return sheet["accepted"] >= returned and sheet["pending"] == 0 and sheet

    sheet = wait_for(all_told, timeout=60)
    assert returned <= sheet["accepted"] <= returned + kills  # one may be counted whose call had not returned
    assert adds_up(sheet)
    assert sheet["dropped"] == {}
    by_id = {m["Message-ID"]: n for m, n in zip(messages(server), told(messages(server)), strict=True)}
    assert sum(by_id.values()) == sheet["accepted"]
    assert len(server.inbox.mails) - len(by_id) <= kills  # twice only by a kill


@pytest.mark.stress
def test_a_hanging_server_costs_callers_at_most_as_much_again_in_the_worst_hundredth(capsys):
    """100,000 errors of 20 groups from 4 processes: in a storm that two cores can bear, and as fast as can be."""
    from benchmarks.mail import run_side_by_side, run_storm

    with RawServer(say_nothing) as silent:
        storm = [run_storm(silent.port) for _ in range(3)]
        fast = [run_side_by_side(silent.port) for _ in range(3)]
    in_storm = [both.p99 / alone.p99 for alone, both in storm]
    on_a_core = [both.p99_on_a_core / alone.p99_on_a_core for alone, both in fast]
    with capsys.disabled():
        print("p99 with mail, as a multiple:", in_storm, "and at full speed, on a core:", on_a_core, sep="\n")
    assert max(in_storm) <= 2
    assert statistics.median(on_a_core) <= 2


def test_what_one_process_has_just_read_another_leaves_alone_unless_it_ends(make, monkeypatch):
    first, second = notifier_of(make()), notifier_of(make())
    first.accept(error())
    wait_for(lambda: first.counts()["pending"] == 1 and first._pipeline.idle() < 0.5)
    turns = []
    monkeypatch.setattr(second._pipeline, "turn", lambda *_, **__: turns.append(1) or 60.0)
    assert 0 < second._turns(hurry=False) < 1
    assert turns == []
    second._turns(hurry=True)
    assert turns == [1]


def test_what_a_killed_process_of_0_1_0_had_counted_is_told_and_that_of_a_living_one_left(
    make, tmp_path, monkeypatch
):
    monkeypatch.setattr("visigate_logging.delivery.pipeline.SHARED_MEMORY", tmp_path)
    owner = hashlib.sha256(f"{(tmp_path / 'state').resolve()} mail".encode()).hexdigest()[:16]
    page = b""
    for n, group in ((0, "other"), (3, "v1:a"), (2, "v1:b")):
        text = error(group).to_json()
        page += struct.pack("@32sQI", b"2026-03-01T12:00:00Z", n, len(text)) + text
    killed, living = (tmp_path / f"visigate-{owner}-{token}.tally" for token in ("0123abcd", "4567cdef"))
    for path in (killed, living):
        path.write_bytes(page + bytes(1000))
    with living.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        handler = make(group_wait=3600)
        handler.set_name("mail")
        wait_for(lambda: handler.counts()["pending"] == 5)
    assert not killed.exists()
    assert living.exists()


# What breaks beneath.


def test_a_state_file_that_gets_damaged_stops_no_mail(make, server, tmp_path, caplog):
    logger = logger_with(make())
    logger.critical("before")
    wait_for(lambda: server.inbox.mails)
    (tmp_path / "state" / "state.sqlite3").write_bytes(b"no database at all" * 1000)
    for n in range(3):
        logger.critical("after %s", "abc"[n])
        time.sleep(0.3)
    wait_for(lambda: any("after" in text_of(m) for m in messages(server)), timeout=30)


@pytest.fixture
def dead_card(tmp_path, monkeypatch):
    """A state directory that cannot be made, and a shared memory of the test's own."""
    monkeypatch.setattr("visigate_logging.delivery.pipeline.SHARED_MEMORY", tmp_path / "memory")
    (tmp_path / "state").write_text("in the way")
    return tmp_path / "memory"


def test_a_card_that_cannot_be_written_is_told_of_from_memory(make, server, dead_card, caplog):
    dead_card.mkdir()
    handler = make()
    logger = logger_with(handler)
    for _ in range(10):
        logger.critical("the card is away")
    wait_for(lambda: sum(told(messages(server))) == 10)
    assert "what is to be told is kept in memory" in text_of(messages(server)[0])
    assert len([r for r in caplog.records if "cannot be kept in state_dir" in r.getMessage()]) == 1
    sheet = wait_for(lambda: (s := handler.counts())["pending"] == 0 and s)
    assert sheet["accepted"] == 10
    assert adds_up(sheet)


def test_memory_that_somebody_else_may_write_is_not_used(make, server, dead_card):
    dead_card.mkdir()
    handler = make()
    foreign = notifier_of(handler)._spare.state.directory
    foreign.mkdir(mode=0o777)
    foreign.chmod(0o777)
    logger_with(handler).critical("away")
    wait_for(lambda: notifier_of(handler)._troubled)
    assert list(foreign.iterdir()) == []


def test_what_another_process_can_book_is_not_counted_by_one_that_cannot(make, server, tmp_path, monkeypatch):
    """One that has lost its descriptors, or was forked amid a transaction, is alone with that."""
    monkeypatch.setattr("visigate_logging.delivery.pipeline.SHARED_MEMORY", tmp_path / "memory")
    (tmp_path / "memory").mkdir()
    handler = make()
    notifier = notifier_of(handler)
    handler.close()
    pipeline, spare = notifier._pipeline, notifier._spare
    pipeline.journal.append(error())
    others = HostLock(pipeline.state.directory / "journal-mail.lock")
    spare.begin()
    assert others.acquire()
    spare.turn(pipeline, follows_other=True)
    assert spare.sheet(pipeline)["accepted"] == 0
    others.release()
    spare.turn(pipeline, follows_other=True)
    assert spare.sheet(pipeline)["accepted"] == 1
    spare.close()
    pipeline.close()


@needs_root
def test_where_a_neighbour_has_taken_the_place_in_memory_another_is_used(make, server, dead_card):
    dead_card.mkdir()
    handler = make()
    taken = notifier_of(handler)._spare.state.directory
    handler.close()
    shutil.rmtree(taken, ignore_errors=True)
    give(taken, NEIGHBOUR)
    handler = make()
    logger_with(handler).critical("the card is away")
    wait_for(lambda: sum(told(messages(server))) == 1)
    assert list(taken.iterdir()) == []
    assert [path.name for path in dead_card.iterdir() if path != taken] == [f"{taken.name}-1"]


def test_what_can_be_stored_nowhere_is_kept_and_told_when_it_can(make, server, tmp_path, dead_card, caplog):
    handler = make()
    logger = logger_with(handler)
    for _ in range(10):
        logger.critical("away")
    wait_for(lambda: "cannot be kept in state_dir" in caplog.text)
    assert handler.counts()["pending"] == 10
    (tmp_path / "state").unlink()
    logger.critical("away")
    wait_for(lambda: sum(told(messages(server))) == 11, timeout=30)


def test_what_was_told_from_memory_is_not_told_again_when_the_card_is_back(
    make, server, tmp_path, monkeypatch, caplog
):
    """The card takes the journal's last lines, and the books cannot be kept there any more."""
    monkeypatch.setattr("visigate_logging.delivery.pipeline.SHARED_MEMORY", tmp_path / "memory")
    (tmp_path / "memory").mkdir()
    handler = make()
    logger = logger_with(handler)
    notifier = notifier_of(handler)

    def full(read):
        raise StateError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(notifier._pipeline.incidents, "book", full)
        for _ in range(7):
            logger.critical("away")
        wait_for(lambda: sum(told(messages(server))) == 7)
    notifier._worked_at = 0.0
    notifier.wake()
    wait_for(notifier._pipeline.passed)
    logger.critical("the card is back")
    notifier._intake.avoid(0.0)
    wait_for(lambda: sum(told(messages(server))) == 8, timeout=30)
    sheet = wait_for(lambda: (s := handler.counts())["pending"] == 0 and s)
    assert sheet["accepted"] == 8
    assert adds_up(sheet)
