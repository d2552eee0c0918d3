"""What passes `check` works, `configure` refuses what `check` calls an error, and nothing fails after the change."""

import logging
import subprocess
import sys
import threading

import pytest

from visigate_logging.config import apply
from visigate_logging.config.apply import configure
from visigate_logging.config.check import check
from visigate_logging.config.load import read
from visigate_logging.exceptions import ConfigurationError


class Rude(logging.Handler):
    """Raises for each record, as no handler should."""

    def emit(self, record):
        raise ValueError("rude")


class Writing(logging.FileHandler):
    """Writes in its constructor, as some do."""

    def __init__(self, filename: str, mode: str = "a", encoding: str | None = None, delay: bool = False) -> None:
        super().__init__(filename, mode, encoding, delay)
        self.stream.write("begin\n")
        self.stream.flush()


class Raising(logging.Formatter):
    """Cannot format anything."""

    def format(self, record):
        raise TypeError("unformatted")


def caller(**options):
    """Tell when it is called."""
    raise AssertionError(f"called with {options}")


RUDE = f"version: 1\nhandlers: {{rude: {{class: {__name__}.Rude}}}}\nroot: {{level: DEBUG, handlers: [rude]}}\n"


def test_a_handler_that_raises_for_our_own_report_does_not_make_configure_raise(write, capsys):
    applied = configure(write(RUDE))
    assert apply.running() is applied
    assert isinstance(logging.getLogger().handlers[0], Rude)
    assert "is in effect\n(could not be logged: ValueError: rude)" in capsys.readouterr().err


def test_a_refusal_is_raised_although_a_handler_raises_for_its_report(write):
    configure(write(RUDE))
    with pytest.raises(ConfigurationError, match="version: 1 is wanted"):
        configure(write("version: 2\n", "other.yaml"))


def test_what_follows_the_change_is_said_when_it_fails_and_does_not_raise(write, monkeypatch, capsys):
    def full(*_args):
        raise RuntimeError("can't start new thread")

    path = write(
        "version: 1\nvisigate: {watch: true}\nhandlers: {h: {class: logging.StreamHandler}}\nroot: {handlers: [h]}\n"
    )
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", full)
        patch.setattr(apply, "Watch", full)
        applied = configure(path)
    assert apply.running() is applied
    assert "in effect, but watching the file failed" in capsys.readouterr().err


def test_a_file_handler_that_writes_in_its_constructor_gets_what_is_written_in_the_file(write, tmp_path):
    text = f"version: 1\nhandlers: {{h: {{class: {__name__}.Writing, filename: own.log}}}}\nroot: {{handlers: [h]}}\n"
    path = write(text)
    assert check(read(path)) == []
    assert not (tmp_path / "own.log").exists()
    configure(path)
    assert (tmp_path / "own.log").read_text() == "begin\n"


def test_a_formatter_that_fails_for_a_record_is_refused_at_its_name(write):
    handler = "handlers: {h: {class: logging.StreamHandler, formatter: f}}"
    text = f"version: 1\nformatters: {{f: {{class: {__name__}.Raising}}}}\n{handler}\n"
    with pytest.raises(ConfigurationError, match="fails for a record: TypeError: unformatted") as raised:
        configure(write(text))
    assert raised.value.key == "formatters.f"


def test_a_format_may_name_what_the_application_or_a_filter_gives(write):
    formats = {
        "%": "%(camera)s %(load)5.1f %(request)-8s %(message)s",
        "{": "{camera:>8} {load:.2f} {message}",
        "$": "$camera ${message}",
    }
    for style, text in formats.items():
        path = write(
            f"version: 1\nformatters: {{f: {{style: '{style}', format: '{text}'}}}}\n"
            "handlers: {h: {class: logging.StreamHandler, formatter: f}}\nroot: {handlers: [h]}\n"
        )
        assert check(read(path)) == []
        configure(path)


DETAILS = "class: visigate_logging.JsonFileHandler, filename: x.jsonl"
RULES = "(): visigate_logging.Classifier, rules"
WRONG = {
    "state directory": f"handlers:\n  h: {{{DETAILS}, state_dir: /dev/null}}",
    "exception": f"filters:\n  f: {{{RULES}: [{{exceptions: [sqlite3.Eror], category: x}}]}}",
    "misspelt section": "handlrs: {}",
    "flush level": "handlers:\n  h: {class: logging.handlers.MemoryHandler, capacity: many}",
    "encoding": "handlers:\n  h: {class: logging.FileHandler, filename: x.log, encoding: utf-9}",
    "mode": "handlers:\n  h: {class: logging.FileHandler, filename: x.log, mode: append}",
    "format": "formatters:\n  f: {format: '%(message)'}",
    "rule": "filters:\n  f: {(): visigate_logging.Classifier, rules: [{category: x}]}",
    "permissions": "handlers:\n  h: {class: visigate_logging.JsonFileHandler, filename: x.jsonl, file_mode: '999'}",
    "directory": "handlers:\n  h: {class: logging.FileHandler, filename: none/x.log}",
    "circle": "handlers:\n  h: {class: logging.handlers.MemoryHandler, capacity: 1, target: h}",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_what_check_calls_an_error_configure_refuses_with_the_same_key(write, tmp_path, text):
    path = write(f"version: 1\n{text}\n")
    [error] = [p for p in check(read(path)) if p.severity == "error"]
    with pytest.raises(ConfigurationError) as raised:
        configure(path)
    assert raised.value.key == error.key
    assert [p.name for p in tmp_path.iterdir()] == ["logging.yaml"]


@pytest.mark.parametrize(
    "text",
    [
        "handlers: {h: {class: logging.NullHandler}}\nformatters: {f: {(): NAME.caller, argv: [rm]}}",
        "handlers: {h: {(): NAME.caller, a: 1}}",
        "handlers: {h: {class: NAME.Rude}}\nfilters: {f: {(): NAME.caller}}",
    ],
)
def test_check_calls_nothing_that_the_file_names_unless_it_is_asked_to(write, text):
    path = write(f"version: 1\n{text.replace('NAME', __name__)}\n")
    assert [p for p in check(read(path)) if p.severity == "error"] == []
    if "Rude" not in text and "formatters" not in text:
        assert "called with" in check(read(path), construct=True)[0].text
    else:
        assert any("called with" in p.text for p in check(read(path), construct=True))


WATCHED = """
import sys, threading
from visigate_logging.config.check import check
from visigate_logging.config.load import read
before = set(threading.enumerate())
sys.addaudithook(lambda event, args: print(event, args) if event.startswith(("socket.", "subprocess.")) else None)
check(read(sys.argv[1]))
assert set(threading.enumerate()) == before
print("checked")
"""


def test_check_opens_connects_and_starts_nothing(write, tmp_path):
    path = write(
        "version: 1\nhandlers:\n  s: {class: logging.handlers.SysLogHandler, address: [127.0.0.1, 514]}\n"
        "  t: {class: logging.handlers.SocketHandler, host: localhost, port: 9020}\n"
        "  d: {class: visigate_logging.JsonFileHandler, filename: d.jsonl}\n"
        "root: {handlers: [s, t, d]}\n"
    )
    # An audit hook stays as long as its process, and is called in all that runs there.
    done = subprocess.run([sys.executable, "-c", WATCHED, path], capture_output=True, text=True, check=True)
    assert done.stdout == "checked\n"
    assert [p.name for p in tmp_path.iterdir()] == ["logging.yaml"]


@pytest.mark.parametrize("credentials", ["[a, a]", "{username: a, password: a, pasword: b}"])
def test_a_secret_of_one_letter_does_not_tear_our_own_sentences(write, credentials):
    text = (
        "version: 1\nroot: {handlers: [mail]}\nhandlers:\n  mail:\n"
        "    class: visigate_logging.ThrottledSMTPHandler\n    mailhost: localhost\n"
        f"    fromaddr: gate@example.org\n    toaddrs: [admin@example.org]\n    credentials: {credentials}\n"
    )
    path = write(text)
    path.chmod(0o644)
    told = [problem.text for problem in check(read(path))]
    assert told
    assert not any("*" in text for text in told), told
