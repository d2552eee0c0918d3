"""A wrong configuration is refused when it is loaded, and names the key."""

import dataclasses
import errno
import logging
import sqlite3
import subprocess
import sys
import weakref
from types import SimpleNamespace

import pytest

from visigate_logging.exceptions import ConfigurationError
from visigate_logging.recovery.matching import chain_of, choose, codes_of
from visigate_logging.recovery.procedures import parse_procedures
from visigate_logging.recovery.steps import STEPS
from visigate_logging.recovery.steps.base import Context

TCP = {"probe_tcp": {"host": "localhost", "port": 80}}


def parse(**changes):
    return parse_procedures({"p": {"exceptions": ["DatabaseError"], "steps": [TCP]} | changes})


WRONG = {
    "unknown step": ({"steps": [{"restore_mysql": {}}]}, "procedures.p.steps.0.restore_mysql"),
    "unknown option": ({"max_atempts": 3}, "procedures.p.max_atempts"),
    "unknown parameter": ({"steps": [{"probe_tcp": {"hosst": "a"}}]}, "procedures.p.steps.0.probe_tcp.hosst"),
    "missing parameter": ({"steps": [{"probe_tcp": {"host": "a"}}]}, "procedures.p.steps.0.probe_tcp.port"),
    "negative time": ({"cooldown": -1}, "procedures.p.cooldown"),
    "negative timeout": (
        {"steps": [{"probe_tcp": {"host": "a", "port": 1, "timeout": -1}}]},
        "procedures.p.steps.0.probe_tcp.timeout",
    ),
    "infinite time": ({"period": float("inf")}, "procedures.p.period"),
    "time as text": ({"period": "10 min"}, "procedures.p.period"),
    "no attempts": ({"max_attempts": 0}, "procedures.p.max_attempts"),
    "half an attempt": ({"max_attempts": 1.5}, "procedures.p.max_attempts"),
    "backoff that shrinks": ({"backoff": {"factor": 0.5}}, "procedures.p.backoff.factor"),
    "unknown backoff": ({"backoff": {"inital": 5}}, "procedures.p.backoff.inital"),
    "shell string": ({"steps": [{"command": {"argv": "rm -rf /tmp/x"}}]}, "procedures.p.steps.0.command.argv"),
    "number in argv": ({"steps": [{"command": {"argv": ["kill", 9]}}]}, "procedures.p.steps.0.command.argv.1"),
    "empty argv": ({"steps": [{"command": {"argv": []}}]}, "procedures.p.steps.0.command"),
    "unknown placeholder": (
        {"steps": [{"command": {"argv": ["echo", "{message}"]}}]},
        "procedures.p.steps.0.command.argv.1",
    ),
    "placeholder of no group": (
        {"message": "(?P<camera>x)", "steps": [{"command": {"argv": ["echo", "{camera}", "{cam}"]}}]},
        "procedures.p.steps.0.command.argv.2",
    ),
    "placeholder in verify": (
        {"verify": {"probe": {"probe_tcp": {"host": "{host}", "port": 1}}}},
        "procedures.p.verify.probe.probe_tcp.host",
    ),
    "status": ({"status": 999}, "procedures.p.status"),
    "neither exceptions nor message": ({"exceptions": []}, "procedures.p"),
    "unreachable callable": ({"steps": [{"reopen": {"callable": "no.such:thing"}}]}, "procedures.p.steps.0.reopen"),
    "callable that is none": ({"steps": [{"reopen": {"callable": "sys:path"}}]}, "procedures.p.steps.0.reopen"),
    "port": ({"steps": [{"probe_tcp": {"host": "a", "port": 70000}}]}, "procedures.p.steps.0.probe_tcp.port"),
    "reboot without leave": ({"steps": ["reboot"]}, "procedures.p.steps.0.reboot"),
    "no steps": ({"steps": []}, "procedures.p"),
    "one exception as text": ({"exceptions": "DatabaseError"}, "procedures.p.exceptions"),
    "not an exception": ({"exceptions": ["sqlite3.Connection"]}, "procedures.p.exceptions.0"),
    "misspelt exception": ({"exceptions": ["OSError", "sqlite3.DatabseError"]}, "procedures.p.exceptions.1"),
    "code": ({"code": ["SQLITE_KORRUPT"]}, "procedures.p.code.0"),
    "pattern": ({"message": "("}, "procedures.p.message"),
    "verify without probe": ({"verify": {"attempts": 1}}, "procedures.p.verify.probe"),
    "verify never": ({"verify": {"probe": TCP, "attempts": 0}}, "procedures.p.verify.attempts"),
    "nothing that looks before": ({"before": {}, "steps": [{"command": {"argv": ["true"]}}]}, "procedures.p.before"),
    "notify looks at nothing": ({"before": {}, "steps": [{"notify": {"message": "a"}}]}, "procedures.p.before"),
    "never likely enough": ({"before": {"probability": 1.5}}, "procedures.p.before.probability"),
    "unknown in verify": ({"verify": {"probe": TCP, "attempt": 1}}, "procedures.p.verify.attempt"),
    "no backups": (
        {"steps": [{"restore_sqlite": {"database": "a", "backups": []}}]},
        "procedures.p.steps.0.restore_sqlite",
    ),
    "usb name": ({"steps": [{"usb_reset": {"device": "camera"}}]}, "procedures.p.steps.0.usb_reset"),
    "two steps in one": ({"steps": [TCP | {"notify": {"message": "x"}}]}, "procedures.p.steps.0"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_is_refused_with_the_path_of_its_key(mistake):
    changes, key = WRONG[mistake]
    with pytest.raises(ConfigurationError) as caught:
        parse(**changes)
    assert caught.value.key == key
    assert caught.value.problem


def test_every_step_explains_each_of_its_parameters():
    for name, kind in STEPS.items():
        for parameter in (f.name for f in dataclasses.fields(kind)):
            documented = f"{parameter}:" in (kind.__doc__ or "") or parameter == "timeout"
            assert documented, f"{name} does not explain {parameter}"


def test_an_exception_of_the_application_need_not_exist_yet():
    assert parse(exceptions=["visigate_app_that_is_not_there.DatabaseError", "CameraError"])


def test_a_reexported_class_is_known_by_the_name_it_gives_itself():
    (procedure,) = parse(exceptions=["os.error"])
    assert procedure.exceptions == ("builtins.OSError",)


class DatabaseError(Exception):
    """The application's own."""


class CameraError(Exception):
    """The application's own."""


class NoFrameError(CameraError):
    """A kind of it."""


def record(logger: str = "gate.camera") -> logging.LogRecord:
    return logging.makeLogRecord({"name": logger, "levelno": logging.ERROR})


def chosen(error: BaseException, *, logger: str = "gate.camera", **procedures) -> str | None:
    parsed = parse_procedures({name: {"steps": [TCP]} | given for name, given in procedures.items()})
    entry = record(logger)
    entry.exc_info = (type(error), error, None)
    chain = chain_of(error)
    found = choose(parsed, chain, entry, codes_of(chain))
    return None if found is None else found.name


def test_subclasses_count_and_the_nearest_class_wins():
    procedures = {"any": {"exceptions": ["Exception"]}, "camera": {"exceptions": ["CameraError"]}}
    assert chosen(NoFrameError(), **procedures) == "camera"
    assert chosen(DatabaseError(), **procedures) == "any"


def test_a_base_class_that_is_not_named_is_not_matched():
    assert chosen(CameraError(), only={"exceptions": ["NoFrameError"]}) is None


@pytest.mark.parametrize("link", ["cause", "context", "orig", "member"])
def test_the_chain_is_looked_at(link):
    inner = sqlite3.DatabaseError("malformed")
    outer: BaseException = RuntimeError("query failed")
    if link == "cause":
        outer.__cause__ = inner
    elif link == "context":
        outer.__context__ = inner
    elif link == "orig":
        outer.orig = inner
    else:
        outer = ExceptionGroup("several", [ValueError(), inner])
    procedures = {"any": {"exceptions": ["Exception"]}, "db": {"exceptions": ["sqlite3.DatabaseError"]}}
    assert chosen(outer, **procedures) == "db"


def test_a_context_that_was_suppressed_is_not_looked_at():
    outer = RuntimeError()
    outer.__context__ = sqlite3.DatabaseError()
    outer.__suppress_context__ = True
    assert chosen(outer, db={"exceptions": ["sqlite3.DatabaseError"]}) is None


def test_a_chain_that_bites_its_tail_ends():
    first, second = RuntimeError(), ValueError()
    first.__cause__, second.__cause__ = second, first
    assert len(chain_of(first)) == 2


def test_error_codes_decide_and_extended_codes_belong_to_their_primary():
    given = {"db": {"exceptions": ["DatabaseError"], "code": ["SQLITE_CORRUPT", "SQLITE_NOTADB"]}}
    for code, expected in [(11, "db"), (779, "db"), (26, "db"), (5, None), (1, None)]:
        error, cause = DatabaseError(), sqlite3.DatabaseError()
        cause.sqlite_errorcode = code
        error.__cause__ = cause
        assert chosen(error, **given) == expected, code


def test_errno_is_a_code_too():
    given = {"net": {"exceptions": ["OSError"], "code": ["ECONNREFUSED"]}}
    assert chosen(OSError(errno.ECONNREFUSED, "refused"), **given) == "net"
    assert chosen(OSError(errno.EPIPE, "broken"), **given) is None


def test_logger_and_message_are_conditions():
    assert chosen(CameraError("no frame"), p={"exceptions": ["CameraError"], "logger": "gate"}) == "p"
    assert chosen(CameraError("no frame"), p={"exceptions": ["CameraError"], "logger": "ga"}) is None
    assert chosen(CameraError("no frame"), p={"exceptions": ["CameraError"], "message": "no fr.me"}) == "p"
    assert chosen(CameraError("no frame"), p={"exceptions": ["CameraError"], "message": "refused"}) is None


def test_when_the_conditions_of_the_nearest_do_not_hold_the_next_is_taken():
    given = {
        "special": {"exceptions": ["NoFrameError"], "message": "frozen"},
        "general": {"exceptions": ["CameraError"]},
    }
    assert chosen(NoFrameError("no frame"), **given) == "general"


def test_hostile_exceptions_are_matched_without_harm():
    class HostileError(CameraError):
        @property
        def orig(self):
            raise RuntimeError

        @property
        def errno(self):
            raise RuntimeError

        def __str__(self):
            raise RuntimeError

    assert chosen(HostileError(), p={"exceptions": ["CameraError"]}) == "p"


def test_no_exception_is_kept_alive():
    error = CameraError()
    gone = weakref.ref(error)
    chain = chain_of(error)
    del error
    assert gone() is None
    assert chain[0].names[0] >= {"CameraError"}


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        ("north", "north"),
        ("a b;c", "a_b_c"),
        ("--force", "force"),
        ("../../etc", "_.._etc"),
        ("", "_"),
        ("x" * 99, "x" * 80),
    ],
)
def test_what_an_error_brings_into_a_command_is_made_harmless(value, becomes):
    (procedure,) = parse(steps=[{"command": {"argv": ["reset", "{key}"]}}])
    assert procedure.steps[0].filled(Context(key=value)).parameters == {"argv": ["reset", becomes]}


class StatusError(Exception):
    """Carries a status as requests' exceptions do: in its response."""

    def __init__(self, status):
        super().__init__("the camera does not want us")
        self.response = SimpleNamespace(status_code=status)


@pytest.mark.parametrize(
    ("error", "message", "calls"),
    [
        (StatusError(401), "m", True),
        (StatusError(503), "m", False),
        (ValueError("x"), "camera said HTTP 401", True),
        (ValueError("x"), "camera said HTTP 200", False),
    ],
)
def test_a_procedure_may_want_a_status(error, message, calls):
    procedures = parse(exceptions=["StatusError", "ValueError"], status=[401, 403])
    record = logging.LogRecord("gate", 40, "f", 1, message, None, (type(error), error, None))
    chain = chain_of(error)
    assert (choose(procedures, chain, record, codes_of(chain)) is not None) is calls


def test_who_reads_the_books_of_recoveries_imports_no_step():
    program = "import sys; from visigate_logging.recovery import audit, budgets; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert [name for name in modules if name.startswith("visigate_logging.recovery.steps.")] == [
        "visigate_logging.recovery.steps.base"
    ]
