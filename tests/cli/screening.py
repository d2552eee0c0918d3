"""What commands show, on terminals of two widths, in a pipe, and where only Latin-1 can be written.

``python -m tests.cli.screening DIRECTORY`` writes a gate's files there and prints the screens as JSON;
``python -m tests.cli.screening`` alone renews the stored ones: read them before you commit them.
"""

import datetime
import io
import json
import os
import pty
import re
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from visigate_logging.detail.frames import ExceptionData, Frame

NOW = 1_904_306_400.0  # 2030-05-06 14:00 UTC
STORED = Path(__file__).parent / "screens"
PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
COMMANDS = (
    "",
    "recent",
    "show",
    "stats",
    "groups",
    "groups d79f",
    "trends",
    "resolve 77aa --note mended --by op",
    "mute d79f --worse --by op",
    "note 0a1b --text seen --by op",
    "groups --state all",
    "reopen 77aa d79f --by op",
    "timeline",
    "power",
    "status",
    "doctor --offline",
    "check",
    "recover",
    "recover history",
    "rehearse --against logging.yaml",
    "index check",
    "prune --older-than 30",
)
MISTAKES = (
    "--help",
    "recent --help",
    "mial",
    "recent --sevrity x",
    "recent --severity debug",
    "recent --since soon",
    "show zz",
    "groups zzzz",
    "resolve nope --by op",
    "mail outbox",
    "notify outbox",
    "forward --once",
    "apply logging.yaml --confirm soon",
    "check no-such.yaml",
    "erase --key plate",
    "backup gate.db",
    "serve --port 99999",
    "convert-config config.json",
    "init",
    "completion tcsh",
)
"""What goes wrong, and what is said of it; the documents have no place for it."""
FORMS = {"80 columns": (80, "utf-8"), "120 columns": (120, "utf-8"), "Latin-1": (80, "latin-1"), "pipe": (0, "utf-8")}
VARIES = (
    (r"logging\.yaml:\d+:\d+", "logging.yaml:NNN:N"),
    (r"logging\.yaml [0-9a-f]{12}", "logging.yaml HASH"),
    (r"(details\.index-\d+|-\d+\.sqlite3)", "details.index-N"),
    (r"(?m)^( +bytes +|bytes\t)\d+", r"\1N"),
)


BARRIER = ExceptionData(
    "BarrierError",
    "gate.errors",
    "the barrier did not report its position within 5 s",
    notes=("the relay clicked",),
    frames=(
        Frame(
            "/usr/lib/python3/dist-packages/serial/serialposix.py", 565, "read", "serial", "raise Timeout()", False
        ),
        Frame(
            "/opt/gate/gate/barrier.py",
            42,
            "lift",
            "gate.barrier",
            "position = self.relay.ask(Command.LIFT, timeout=settings.barrier.timeout, tries=settings.barrier.tries)",
            in_app=True,
            values={"settings": "Settings(barrier=Barrier(timeout=5, tries=3, device='/dev/ttyUSB0', rate=115200))"},
        ),
    ),
)


def stop_the_clock() -> None:
    """Let it be NOW, on a card of 64 GB, for all that is imported from now on."""

    class Stopped(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls.fromtimestamp(NOW, tz)

    time.time = lambda: NOW
    shutil.disk_usage = lambda _path: SimpleNamespace(total=64 << 30, used=32 << 30, free=32 << 30)
    datetime.datetime = Stopped


def make_a_gate(directory: Path) -> None:
    """Write what a gate has after some days: a configuration, and a log with three kinds of errors."""
    from tests.records import detail, write
    from visigate_logging import cli

    os.chdir(directory)
    sys.stdout = io.StringIO()
    cli.main(["init", "--output", "logging.yaml"])
    Path("logs/errors").mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    records = []
    for n in range(36):
        when = now - datetime.timedelta(hours=3 + 7 * n)
        records.append(
            detail(n, when, fingerprint="v3:d79f0123456789ab", additional_info={"camera": "north", "n": n})
        )
    for n in range(36, 60):
        when = now - datetime.timedelta(days=2, minutes=n)
        records.append(
            detail(
                n,
                when,
                fingerprint="v3:0a1b2c3d4e5f6071",
                error_type="OperationalError",
                error_message="database is locked while the plate “門-4711” was written for the third time",
                module="gate.database.writer",
                function="write_passage",
                category="database",
                process="writer",
            )
        )
    records.append(
        detail(
            99,
            now - datetime.timedelta(minutes=4),
            fingerprint="v3:77aa0123456789ab",
            error_type="BarrierError",
            error_message="the barrier did not report its position within 5 s",
            severity="CRITICAL",
            module="gate.barrier",
            function="lift",
            category="barrier",
            additional_info={"relay": 4, "tries": [1, 2, 3], "asked": "/dev/serial/by-id/usb-" + 60 * "0"},
            message="barrier stuck\nasked three times",
            file="/opt/gate/gate/barrier.py",
            exceptions=(
                BARRIER,
                replace(BARRIER, type="TimeoutError", message="no answer", relation="cause", parent=0),
            ),
        )
    )
    write(Path("logs/errors/details.jsonl"), *sorted(records, key=lambda record: record.timestamp))


def screen(words: list[str], columns: int, encoding: str) -> str:
    """Return what a command writes, and its exit code, in a process of its own."""
    if columns:
        pid, reader = pty.fork()
    else:
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            os.dup2(writer, 1)
            os.dup2(writer, 2)
        else:
            os.close(writer)
    if not pid:
        _act(words, columns, encoding)
    written = b""
    while chunk := _read(reader):
        written += chunk
    os.close(reader)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    text = written.decode(encoding).replace("\r\n", "\n")
    for pattern, instead in VARIES:
        text = re.sub(pattern, instead, text)
    return f"{text}[exit code {code}]\n"


def _act(words: list[str], columns: int, encoding: str) -> None:
    from visigate_logging import cli

    os.environ["COLUMNS"] = str(columns)
    sys.stdout, sys.stderr = (os.fdopen(os.dup(fd), "w", encoding=encoding) for fd in (1, 2))
    code = 255
    try:
        code = cli.main(words)
    except SystemExit as stop:
        code = stop.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _read(reader: int) -> bytes:
    try:
        return os.read(reader, 1 << 16)
    except OSError:  # a terminal of which nobody is left
        return b""


def screens(directory: Path) -> dict[str, str]:
    """Return all screens of a gate, by command."""
    for name in ("VISIGATE_LOG", "VISIGATE_CONFIG"):
        os.environ.pop(name, None)
    os.environ |= {"TZ": "UTC", "NO_COLOR": "1", "PAGER": "cat", "VISIGATE_SERVICE": "gate"}
    time.tzset()
    stop_the_clock()
    from visigate_logging import cli

    make_a_gate(directory)
    for name in cli.COMMANDS:
        name.module  # noqa: B018 -- imported once, before the processes part
    return {
        command: "\n".join(
            f"--- {form} ---\n{screen(command.split(), *how)}"
            for form, how in FORMS.items()
            if command in COMMANDS or form in ("80 columns", "pipe")
        ).replace(str(directory), "/gate")
        for command in (*COMMANDS, *MISTAKES)
    }


def file_of(command: str) -> Path:
    """Return where the screens of a command are stored."""
    return STORED / f"{re.sub(r'[^a-z0-9]+', '-', command).strip('-') or 'summary'}.txt"


def page_of(shown: dict[str, str]) -> str:
    """Return the page of the documents that has what each command shows at 80 columns."""
    parts = [
        "# What the commands show\n\n"
        "On a terminal of 80 columns, at a gate where a camera is away at times, a database was locked, and the\n"
        "barrier has just failed. Made by running each: `python -m tests.cli.screening`.\n"
    ]
    for command in COMMANDS:
        text = shown[command]
        narrow = text.partition("--- 80 columns ---\n")[2].partition("\n--- ")[0]
        line = f"visigate-errors {command}".strip()
        parts.append(f"## `{line}`\n\n```text\n$ {line}\n{narrow.rstrip()}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        shown = screens(Path(sys.argv[1]))
        sys.__stdout__.write(json.dumps(shown))
    else:
        with tempfile.TemporaryDirectory(prefix="gate-", dir="/tmp") as made:
            renewed = screens(Path(made))
        for name, text in renewed.items():
            file_of(name).write_text(text, "utf-8")
        PAGE.write_text(page_of(renewed), "utf-8")
