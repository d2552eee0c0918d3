"""configure: a YAML file becomes the running configuration, or nothing changes."""

import gc
import logging
import os
import re
import subprocess
import sys
import threading

import orjson
import pytest

from tests.handlers.disks import mounted
from tests.waiting import wait_until
from visigate_logging.config import apply
from visigate_logging.config.apply import configure
from visigate_logging.exceptions import ConfigurationError

GOOD = """
version: 1
disable_existing_loggers: false
visigate: {service: gate-north, release: "1.4"}
handlers:
  details:
    class: visigate_logging.JsonFileHandler
    filename: details.jsonl
root: {handlers: [details]}
"""
TEXT = """
version: 1
disable_existing_loggers: false
formatters: {plain: {format: "NEW %(message)s"}}
handlers:
  log: {class: logging.FileHandler, filename: plain.log, formatter: plain}
root: {handlers: [log]}
"""


class Third(logging.Handler):
    """A handler of somebody else's, which can be told to fail."""

    def __init__(self, fails=False, opens=None):
        super().__init__()
        self.file = open(opens, "a") if opens else None  # noqa: SIM115 -- close does it
        if fails:
            self.close()
            raise RuntimeError("the third party has failed")

    def emit(self, record):
        pass

    def close(self):
        if self.file:
            self.file.close()
        super().close()


def test_a_file_becomes_the_running_configuration(write, tmp_path):
    configure(write(GOOD))
    logging.getLogger("gate").error("camera does not answer")
    line = (tmp_path / "details.jsonl").read_text()
    assert '"service":"gate-north"' in line
    assert '"release":"1.4"' in line


def test_from_which_level_handled_exceptions_are_taken_up_holds_from_the_next_record_on(write, tmp_path):
    for level in ("false", "ERROR"):  # at last as it is by default, for what runs after this
        configure(write(GOOD.replace("service:", f"handled_exceptions: {level}, service:")))
        try:
            raise KeyError("north")
        except KeyError as error:
            logging.error(f"no such camera: {error}")
    lines = (tmp_path / "details.jsonl").read_bytes().splitlines()
    assert [orjson.loads(line)["error_type"] for line in lines] == ["ERROR", "KeyError"]


def test_children_inherit_service_and_release(write):
    configure(write(GOOD))
    assert (os.environ["VISIGATE_SERVICE"], os.environ["VISIGATE_RELEASE"]) == ("gate-north", "1.4")


THIRD = f"{{class: {__name__}.Third, opens: third.log}}"
FAILURES = {
    "yaml": ("version: 1\nroot: [", "", "not YAML"),
    "environment": ("version: 1\nroot: {level: '${GATE_NONE}'}", "root.level", "environment has no GATE_NONE"),
    "section": ("version: 1\nvisigate: {servise: x}", "visigate.servise", "service"),
    "type": ("version: 1\nvisigate: {hooks: 1}", "visigate.hooks", "1 is not true or false"),
    "class": ("version: 1\nhandlers: {x: {class: no.Such}}", "handlers.x.class", "cannot be imported"),
    "reference": ("version: 1\nroot: {handlers: [x]}", "root.handlers.0", "no 'x' under handlers"),
    "formatter": (
        "version: 1\nformatters: {f: {(): visigate_logging.DetailFormatter, max_field_bytes: 1}}",
        "formatters.f.max_field_bytes",
        "1 is not a whole number of bytes from 1024",
    ),
    "filter": (
        "version: 1\nfilters: {f: {(): visigate_logging.Classifier, rules: [{}]}}",
        "filters.f.rules.0",
        "needs a condition",
    ),
    "handler": (
        f"version: 1\nhandlers:\n  a: {THIRD}\n  b: {{class: {__name__}.Third, fails: true}}\n",
        "handlers.b",
        "third party has failed",
    ),
    "attribute": (
        f"version: 1\nhandlers:\n  a: {THIRD}\n  b: {{class: visigate_logging.JsonFileHandler, "
        "filename: b.jsonl, '.': {__class__: 1}}\n",
        "handlers.b",
        "__class__",
    ),
    "circle": (
        "version: 1\nhandlers:\n  a: {class: logging.handlers.MemoryHandler, capacity: 1, target: b}\n"
        "  b: {class: logging.handlers.MemoryHandler, capacity: 1, target: a}\n",
        "handlers.",
        "hand records to each other",
    ),
    "file": (
        f"version: 1\nhandlers:\n  a: {THIRD}\n  b: {{class: logging.FileHandler, filename: /none/such.log}}\n",
        "handlers",
        "the directory /none does not exist",
    ),
}


@pytest.mark.parametrize(("text", "key", "words"), FAILURES.values(), ids=FAILURES)
def test_what_cannot_be_leaves_the_running_configuration_as_it_was(write, tmp_path, text, key, words):
    configure(write(GOOD))
    root = logging.getLogger()
    root.handlers[0].set_name("details")
    before = (root.handlers[:], root.level, dict(logging._handlers), apply.running())
    descriptors = open_files()
    with pytest.raises(ConfigurationError, match=re.escape(words)) as raised:
        configure(write(text, "other.yaml"))
    assert raised.value.key.startswith(key)
    del raised
    gc.collect()
    assert (root.handlers, root.level, dict(logging._handlers), apply.running()) == before
    # Another thread may be noting what has changed on the host.
    wait_until(lambda: open_files() <= descriptors | {str(tmp_path / "details.jsonl")})
    assert os.environ["VISIGATE_SERVICE"] == "gate-north"
    root.error("still told")
    written = (tmp_path / "details.jsonl").read_text()
    assert "still told" in written
    assert "is refused, what ran before goes on" in written


def open_files():
    """The files that this process has open, by name."""
    names = set()
    for fd in os.listdir("/dev/fd"):
        try:
            names.add(os.readlink(f"/proc/self/fd/{fd}"))
        except OSError:
            continue
    return {name for name in names if name.startswith("/") and os.path.isfile(name)}


def test_all_errors_of_a_file_are_told_at_once_with_their_lines(write):
    with pytest.raises(ConfigurationError) as raised:
        configure(write("version: 1\nhandlrs: {}\nroot:\n  levle: INFO\n"))
    assert raised.value.key == "handlrs"
    assert "logging.yaml:2:1" in str(raised.value)
    assert "logging.yaml:4:3: root.levle: is not known" in str(raised.value)


@pytest.mark.parametrize(
    "credentials", ["[gate, 4711815]", "{username: gate, password: 4711815}", "{username: gate, pasword: 4711815}"]
)
def test_a_refusal_repeats_no_secret(write, tmp_path, credentials):
    configure(write(GOOD))
    mail = "{class: visigate_logging.ThrottledSMTPHandler, mailhost: x, fromaddr: a@b.c, toaddrs: [a@b.c],"
    with pytest.raises(ConfigurationError) as raised:
        configure(write(f"version: 1\nhandlers:\n  mail: {mail} credentials: {credentials}}}\n"))
    assert raised.value.key.startswith("handlers.mail.credentials")
    assert "4711815" not in str(raised.value)
    assert "4711815" not in (tmp_path / "details.jsonl").read_text()


def test_a_good_change_replaces_handlers_and_closes_the_old_ones(write, tmp_path):
    configure(write(GOOD))
    [old] = logging.getLogger().handlers
    configure(write(TEXT))
    logging.getLogger("gate").error("after")
    assert (tmp_path / "plain.log").read_text() == "NEW after\n"
    assert "after" not in (tmp_path / "details.jsonl").read_text()
    assert old._closed
    assert dict(logging._handlers).keys() >= {"log"}
    assert logging._handlers["log"] in logging.getLogger().handlers


def test_a_log_in_mode_w_keeps_its_content_when_the_change_fails(write, tmp_path):
    text = TEXT.replace("plain.log,", "plain.log, mode: w,")
    configure(write(text))
    logging.getLogger("gate").error("before")
    fails = f"handlers:\n  a: {{class: {__name__}.Third, fails: true}}"
    z_fails = f"handlers:\n  z: {{class: {__name__}.Third, fails: true}}"
    for wrong in (
        text + "formaters: {}\n",
        text.replace("handlers:", fails, 1),
        text.replace("handlers:", z_fails, 1),
    ):
        with pytest.raises(ConfigurationError):
            configure(write(wrong))
    logging.getLogger("gate").error("after")
    lines = (tmp_path / "plain.log").read_text().splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("NEW before", "NEW after", 5)
    configure(write(text))
    logging.getLogger("gate").error("anew")
    assert (tmp_path / "plain.log").read_text() == "NEW anew\n"


def test_what_a_memory_handler_holds_reaches_its_old_target(write, tmp_path):
    memory = (
        "  memory: {class: logging.handlers.MemoryHandler, capacity: 100, target: log}\nroot: {handlers: [memory]}\n"
    )
    configure(write(TEXT.replace("root: {handlers: [log]}\n", memory)))
    logging.getLogger("gate").warning("held back")
    assert (tmp_path / "plain.log").read_text() == ""
    configure(write(GOOD))
    assert (tmp_path / "plain.log").read_text() == "NEW held back\n"


@pytest.mark.parametrize("filename", ["card/details.jsonl", "other.jsonl"])
def test_what_could_not_be_written_yet_is_handed_on_and_written_first(write, tmp_path, filename):
    with mounted(tmp_path / "card", "64k") as disk:
        disk.remount("ro")
        hand_on(write, tmp_path, filename, lambda: disk.remount("rw"))


def hand_on(write, tmp_path, filename, mend):
    text = GOOD.replace("details.jsonl", "card/details.jsonl\n    state_dir: state")
    configure(write(text))
    [old] = logging.getLogger().handlers
    logging.getLogger("gate").error("before")
    assert old.counts()["pending"]
    configure(write(text.replace("card/details.jsonl", filename)))
    [new] = logging.getLogger().handlers
    logging.getLogger("gate").error("after")
    mend()
    wait_until(lambda: new.counts()["pending"] == 0)
    lines = [orjson.loads(line)["message"] for line in (tmp_path / filename).read_bytes().splitlines()]
    assert [line for line in lines if line in ("before", "after")] == ["before", "after"]
    assert [sheet["dropped"] for sheet in (old.counts(), new.counts())] == [{}, {}]
    assert (old.counts()["accepted"], new.counts()["delivered"]) == (0, len(lines))


def test_a_recovery_that_runs_holds_up_nobody_who_changes_the_configuration(write, tmp_path):
    recovery = """
version: 1
disable_existing_loggers: false
handlers:
  recovery:
    class: visigate_logging.RecoveryHandler
    state_dir: state
    procedures:
      camera:
        exceptions: [ConnectionError]
        steps: [{command: {argv: [sh, -c, "touch began; until [ -e go ]; do sleep 0.05; done; touch ended"]}}]
root: {handlers: [recovery]}
"""
    configure(write(recovery))
    try:
        raise ConnectionRefusedError
    except OSError:
        logging.getLogger("gate").exception("no camera")
    wait_until((tmp_path / "began").exists)
    configure(write(recovery + "# changed\n"))
    (tmp_path / "go").touch()
    new = logging.getLogger().handlers[0]
    wait_until(lambda: not [t for t in threading.enumerate() if t.name == "visigate-retire"])
    assert (tmp_path / "ended").exists()
    assert logging._handlers["recovery"] is new


def test_what_a_configuration_has_put_on_a_logger_goes_with_it(write):
    configure(write(TEXT + "loggers: {gate: {level: DEBUG, propagate: false, handlers: [log], filters: []}}\n"))
    gate = logging.getLogger("gate")
    assert (gate.level, gate.propagate, len(gate.handlers)) == (logging.DEBUG, False, 1)
    configure(write(TEXT))
    assert (gate.level, gate.propagate, gate.handlers, gate.disabled) == (logging.NOTSET, True, [], False)


def test_filters_of_loggers_do_not_pile_up(write):
    text = GOOD + "filters: {c: {(): visigate_logging.Classifier}}\nloggers: {gate: {filters: [c]}}\n"
    for _ in range(3):
        configure(write(text))
    assert len(logging.getLogger("gate").filters) == 1


@pytest.mark.parametrize("disable", [True, False])
def test_loggers_are_disabled_as_dict_config_does(write, disable):
    names = ["named", "named.child", "other", "visigate_logging.part"]
    text = f"{TEXT}loggers: {{named: {{level: INFO}}}}\n".replace(
        "loggers: false", f"loggers: {str(disable).lower()}"
    )
    for name in names:
        logging.getLogger(f"t.{name}" if name != names[-1] else name).disabled = False
    configure(write(text.replace("{named:", "{t.named:")))
    assert [logging.getLogger(f"t.{name}").disabled for name in names[:3]] == [False, False, disable]
    assert not logging.getLogger("visigate_logging.part").disabled


def test_handlers_of_loggers_that_no_configuration_names_stay_open(write, tmp_path):
    mine = logging.FileHandler(tmp_path / "mine.log")
    logging.getLogger("mine").addHandler(mine)
    configure(write(TEXT))
    assert mine.stream is not None
    logging.getLogger("mine").error("x")
    assert (tmp_path / "mine.log").read_text() == "x\n"


def test_incremental_changes_levels_alone(write):
    configure(write(TEXT))
    [log] = logging.getLogger().handlers
    change = "version: 1\nincremental: true\nhandlers: {log: {level: CRITICAL}}\nroot: {level: DEBUG}\n"
    configure(write(change + "loggers: {gate: {level: INFO, propagate: false}}\n"))
    assert logging.getLogger().handlers == [log]
    assert (log.level, logging.getLogger().level) == (logging.CRITICAL, logging.DEBUG)
    with pytest.raises(ConfigurationError, match="no such handler runs"):
        configure(write("version: 1\nincremental: true\nroot: {level: ERROR}\nhandlers: {nolog: {level: INFO}}\n"))
    assert logging.getLogger().level == logging.DEBUG


def test_a_handler_of_several_loggers_is_one_handler(write):
    configure(write(TEXT + "loggers: {a: {handlers: [log]}, b: {handlers: [log, log]}}\n"))
    [one] = {h for name in ("a", "b", "root") for h in logging.getLogger(name).handlers}
    assert logging.getLogger("b").handlers == [one]


PARITY = {
    "levels": "root: {level: DEBUG, handlers: [a]}\nloggers: {p.x: {level: 15}, p.x.y: {level: 0, propagate: false}}",
    "attributes": "root: {handlers: [a, b]}\nloggers: {p.x: {handlers: [b, a], filters: [f]}}",
    "disabled": "disable_existing_loggers: true\nroot: {handlers: [b]}\nloggers: {p.x: {}}",
    "no root": "loggers: {p.x: {handlers: [a]}}",
    "nothing": "disable_existing_loggers: false",
}
PARTS = """version: 1
filters: {f: {name: p}, g: {(): logging.Filter, name: q}}
formatters: {s: {format: "{message}", style: "{"}, t: {class: logging.Formatter, datefmt: "%H"}}
handlers:
  a: {class: logging.handlers.MemoryHandler, capacity: 3, target: b, level: ERROR, filters: [f, g]}
  b: {class: logging.FileHandler, filename: b.log, delay: true, formatter: s, ".": {terminator: "!"}}
"""
SNAPSHOT = """
import logging, logging.config, logging.handlers, sys, yaml
for name in ("p.x", "p.x.y.z", "p.w"):
    logging.getLogger(name).addHandler(logging.NullHandler())
if sys.argv[1] == "dictConfig":
    logging.config.dictConfig(yaml.safe_load(open("logging.yaml")))
else:
    from visigate_logging.config.apply import configure
    configure("logging.yaml")
def seen(handler):
    parts = [handler.name, type(handler).__name__, handler.level, [f.name for f in handler.filters]]
    parts += [getattr(handler, n, None) for n in ("terminator", "delay", "capacity", "baseFilename")]
    target = getattr(handler, "target", None)
    return [*parts, handler.formatter and (handler.formatter._fmt, handler.formatter.datefmt), target and target.name]
for logger in (logging.getLogger(n) for n in (None, "p", "p.x", "p.x.y", "p.x.y.z", "p.w")):
    state = [logger.level, logger.propagate, logger.disabled, [f.name for f in logger.filters]]
    # configure() has one that does nothing on the root logger, for the sake of Flask and werkzeug.
    print(logger.name, state, [seen(h) for h in logger.handlers if h.name or logger.parent])
print(sorted(logging._handlers))
"""


@pytest.mark.parametrize("rest", PARITY.values(), ids=PARITY)
def test_in_a_new_process_the_outcome_is_that_of_dict_config(write, rest):
    write(PARTS + rest)
    outcomes = []
    for how in ("dictConfig", "configure"):
        done = subprocess.run([sys.executable, "-c", SNAPSHOT, how], capture_output=True, text=True, check=True)
        outcomes.append(done.stdout.splitlines())
    assert outcomes[0] == outcomes[1]
    assert len(outcomes[0]) == 7


def test_service_goes_back_to_what_was_inherited(write, monkeypatch):
    from visigate_logging.config import settings

    monkeypatch.setattr(settings, "_inherited", {})
    monkeypatch.setenv("VISIGATE_SERVICE", "from systemd")
    configure(write(GOOD))
    configure(write(TEXT))
    assert os.environ["VISIGATE_SERVICE"] == "from systemd"


def test_an_unconfirmed_change_goes_back(write):
    configure(write(GOOD))
    [before] = [type(h) for h in logging.getLogger().handlers]
    trial = configure(write(TEXT), confirm=0.05)
    timer = trial.going_back
    timer.join(10)
    assert [type(h) for h in logging.getLogger().handlers] == [before]
    assert not trial.confirm()


def test_a_confirmed_change_stays(write):
    configure(write(GOOD))
    trial = configure(write(TEXT), confirm=30)
    timer = trial.going_back
    assert trial.confirm()
    timer.join(10)
    assert apply.running() is trial


def test_without_anything_to_go_back_to_a_trial_is_refused(write):
    with pytest.raises(ConfigurationError, match="nothing runs yet"):
        configure(write(GOOD), confirm=30)


def test_threads_and_descriptors_do_not_grow_with_changes(write):
    for n in range(3):
        configure(write(f"{GOOD}  # {n}\n"))
        logging.getLogger("gate").error("x")
    gc.collect()
    files = len(os.listdir("/dev/fd"))
    for n in range(30):
        configure(write(f"{GOOD}  # again {n}\n"))
        logging.getLogger("gate").error("x")
    gc.collect()
    assert len(os.listdir("/dev/fd")) <= files + 5

    def has_each_once():  # what is replaced is closed in the background
        names = [thread.name for thread in threading.enumerate() if thread.name.startswith("visigate")]
        return len(names) == len(set(names))

    wait_until(has_each_once)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="dictConfig wires queues from Python 3.12 on")
def test_a_recovery_behind_a_queue_is_warned_of_when_the_configuration_takes_effect(write, caplog):
    path = write("""
version: 1
disable_existing_loggers: false
handlers:
  queue:
    class: logging.handlers.QueueHandler
    handlers: [recover]
  recover:
    class: visigate_logging.RecoveryHandler
    state_dir: state
    procedures: {camera: {exceptions: [ConnectionError], steps: [{notify: {message: x}}]}}
loggers: {gate.camera: {handlers: [queue]}}
""")
    logging.getLogger("visigate_logging").addHandler(caplog.handler)
    configure(path)
    [warning] = [r for r in caplog.records if r.levelname == "WARNING"]
    assert re.search(
        r"logging.yaml:7:\d+: handlers.queue.handlers.0: behind a queue recover knows", warning.getMessage()
    )
    logging.getLogger("gate.camera").handlers.clear()
