"""A gate for a quarter of a minute: processes that meet real faults, what was captured of them, told, and mended.

Run it with ``make demo``, or ``python examples/gate.py [DIRECTORY]``; without one it is ``demo`` in the clone,
made anew each time.

Camera, recognition and two processes that write to one database load the shipped ``logging.yaml``, with the paths
and the mail server of this example, and log what they meet with ``logger.exception()``: a camera that refuses, a
truncated picture, half an answer from the recogniser, a database that is locked and then damaged while both write to
it, a thread that dies and a child that dies. A mail server on this machine takes the mails; without aiosmtpd there
are none.
"""

import base64
import contextlib
import json
import logging
import multiprocessing
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from mail import Administrator, mail_server

import visigate_logging
from visigate_logging.cli import main as visigate_errors

SHIPPED = Path(__file__).resolve().parent.parent / "logging.yaml"
DEMO = SHIPPED.with_name("demo")
BEGAN = Path.cwd()
"""Where the commands at the end are typed."""
CONFIG = Path("logging.yaml")
DETAILS = Path("logs/errors/details.jsonl")
DATABASE = Path("permits.sqlite3")
BACKUP = Path("backups") / DATABASE
PRINTED = Path("printed.log")
CAMERA_PORT = "GATE_CAMERA_PORT"
LONGEST = 12.0
"""Seconds that a process waits for its fault to be mended."""

# A grey picture of 8 x 8 pixels.
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgyPC4z"
    "NDL/wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAACf/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AVN//2Q=="
)


class CameraError(Exception):
    """The camera gives no picture."""


class RecognitionError(Exception):
    """A picture could not be read."""


class DatabaseError(Exception):
    """The permits could not be asked or written."""


def main() -> int:
    """Run the gate, then show what was captured, told and mended."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else DEMO
    if directory == DEMO:
        shutil.rmtree(DEMO, ignore_errors=True)  # of the last time
    directory.mkdir(parents=True, exist_ok=True)
    os.chdir(directory)
    os.environ[CAMERA_PORT] = str(unused_port())
    administrator = Administrator()
    prepare(mail_port=mail_server(administrator))
    print("Four processes at a gate where everything breaks …", flush=True)
    spawn = multiprocessing.get_context("spawn")
    parts = [spawn.Process(target=part, name=part.__name__) for part in (camera, recognition, entry, exit_)]
    with PRINTED.open("wb") as printed, sent_to(printed.fileno()):
        for process in parts:
            process.start()
    time.sleep(4)
    damage()
    for process in parts:
        process.join()
    show(administrator)
    return 0


@contextlib.contextmanager
def sent_to(descriptor: int) -> Iterator[None]:
    """Let what is started in the body print its tracebacks elsewhere: here they would hide what is shown."""
    before = os.dup(2)
    os.dup2(descriptor, 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def prepare(mail_port: int | None) -> None:
    """A database with a backup, and the shipped configuration with what is particular to this gate."""
    make_permits()
    visigate_errors(["backup", str(DATABASE)])
    values = yaml.safe_load(SHIPPED.read_text("utf-8"))
    handlers = values["handlers"]
    handlers["console"]["level"] = "CRITICAL"
    procedures = handlers["recovery"]["procedures"]
    procedures["database"]["steps"] = [{"restore_sqlite": {"database": str(DATABASE), "backups": [str(BACKUP)]}}]
    procedures["database"]["verify"]["probe"]["probe_sqlite"]["database"] = str(DATABASE)
    alive = {"probe_tcp": {"host": "127.0.0.1", "port": int(os.environ[CAMERA_PORT])}}
    procedures["camera"] = {
        "exceptions": ["CameraError"],
        "key": ["camera"],
        "steps": [{"reopen": {"callable": "gate:reopen"}}],
    }
    procedures["camera"]["verify"] = {"probe": alive, "attempts": 10, "interval": 0.5}
    if mail_port is not None:
        handlers["mail"] = {
            "class": "visigate_logging.ThrottledSMTPHandler",
            "filters": ["classify"],
            "mailhost": ["127.0.0.1", mail_port],
            "fromaddr": "VisiGate <gate@example.org>",
            "toaddrs": ["admin@example.org"],
            "severity": "ERROR",
            "interval": 4,  # seconds, where an installation has minutes
            "quiet": 60,
        }
        values["root"]["handlers"].append("mail")
    CONFIG.write_text(yaml.safe_dump(values, sort_keys=False), "utf-8")


def camera() -> None:
    """Ask a camera that refuses until it has been brought back; then lose the thread that watches it."""
    visigate_logging.configure(CONFIG)
    log = logging.getLogger("visigate.camera")
    began = time.monotonic()
    for attempt in range(10_000):
        try:
            grab(f"rtsp://admin:geheim@127.0.0.1:{os.environ[CAMERA_PORT]}/stream1")
            break
        except CameraError:
            log.exception("no picture from camera %s (attempt %d)", "entrance", attempt, extra={"camera": "entrance"})
        if time.monotonic() - began > LONGEST:
            break
        time.sleep(0.02)
    watch = threading.Thread(target=watch_frames, name="frame-watch")
    watch.start()
    watch.join()


def reopen(_context: dict[str, Any]) -> None:
    """What mends the camera: switch it on again. It takes a while until it answers."""

    def boot() -> None:
        time.sleep(2)
        with socket.create_server(("127.0.0.1", int(os.environ[CAMERA_PORT]))) as server:
            while True:
                connection, _ = server.accept()
                connection.sendall(JPEG)
                connection.close()

    threading.Thread(target=boot, name="camera", daemon=True).start()


def grab(url: str) -> bytes:
    """One picture from a camera."""
    host, port = url.rpartition("@")[2].split("/")[0].split(":")
    try:
        with socket.create_connection((host, int(port)), timeout=2) as stream:
            return stream.recv(65536)
    except OSError as error:
        raise CameraError(f"cannot open {url}") from error


def watch_frames() -> None:
    """A thread with a mistake in it."""
    frames: dict[str, float] = {}
    age = time.time() - frames["entrance"]
    print(age)


def recognition() -> None:
    """Read a truncated picture and half an answer, and lose a child."""
    visigate_logging.configure(CONFIG)
    log = logging.getLogger("visigate.recognition")
    picture = Path("frame.jpg")
    picture.write_bytes(JPEG[: len(JPEG) * 2 // 3])
    try:
        check_jpeg(picture)
    except RecognitionError:
        log.exception("frame thrown away", extra={"frame": str(picture), "bytes": picture.stat().st_size})
    try:
        read_plate()
    except ValueError:
        log.exception("recogniser gave no answer", extra={"api_token": "s3cr3t-t0ken"})
    child = multiprocessing.get_context("spawn").Process(target=train, name="trainer")
    child.start()
    child.join()


def check_jpeg(path: Path) -> None:
    """Walk through the segments of a JPEG file up to its end marker."""
    data = path.read_bytes()
    position = 2
    while position + 4 <= len(data):
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == 0xDA:  # the picture itself, up to the end marker
            break
        position += 2 + length
    if not data.endswith(b"\xff\xd9"):
        raise RecognitionError(f"{path} is truncated: no end marker in {len(data)} bytes")


def read_plate() -> str:
    """Ask the recogniser, which dies in the middle of its answer."""
    program = """print('{"plate": "B-AB 1234", "confidence": 0.9', end="")"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return str(json.loads(answer.stdout)["plate"])


def train() -> None:
    """A child with a mistake in it."""
    rates = [float(text) for text in ("0.1", "0.01", "fast")]
    print(rates)


def entry() -> None:
    """Record who comes in; first while somebody else has locked the database."""
    visigate_logging.configure(CONFIG)
    holder = sqlite3.connect(DATABASE, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    connection = sqlite3.connect(DATABASE, timeout=0.2)
    try:
        record(connection, "B-AB 1234")
    except DatabaseError:
        log = logging.getLogger("visigate.entry")
        log.exception("entry not recorded", extra={"plate": "B-AB 1234", "database": str(DATABASE)})
    holder.close()
    keep_recording(connection, "entry")


def exit_() -> None:
    """Record who goes out."""
    visigate_logging.configure(CONFIG)
    keep_recording(sqlite3.connect(DATABASE), "exit")


def keep_recording(connection: sqlite3.Connection, what: str) -> None:
    """Write until the database has been damaged, and has been whole again for a while."""
    log = logging.getLogger(f"visigate.{what}")
    until, failed, good = time.monotonic() + LONGEST, False, 0
    while time.monotonic() < until and not (failed and good > 100):
        try:
            record(connection, f"HH-{what[0].upper()} {good}")
            good += 1
        except DatabaseError:
            log.exception("%s not recorded", what, extra={"database": str(DATABASE)})
            failed, good = True, 0
        time.sleep(0.02)
    connection.close()


def record(connection: sqlite3.Connection, plate: str) -> None:
    """Write one passage, and look through all of them."""
    try:
        with connection:
            connection.execute("INSERT INTO passages VALUES (datetime('now'), ?)", (plate,))
        connection.execute("SELECT max(length(plate)) FROM passages").fetchone()
    except sqlite3.DatabaseError as error:
        raise DatabaseError(f"cannot use {DATABASE}") from error


def make_permits() -> None:
    """A small database of passages."""
    connection = sqlite3.connect(DATABASE)
    connection.execute("PRAGMA journal_mode=WAL")
    with connection:
        connection.execute("CREATE TABLE passages (at TEXT, plate TEXT)")
        rows = [(f"M-X {n}",) for n in range(2000)]
        connection.executemany("INSERT INTO passages VALUES (datetime('now'), ?)", rows)
    connection.close()


def damage() -> None:
    """What a power cut may leave: noise in the middle of the file."""
    with DATABASE.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(40960))


def unused_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def show(administrator: Administrator) -> None:
    """The table of what was captured, what was told and mended, and where to look further."""
    print("\nWhat was captured:\n", flush=True)
    visigate_errors(["groups", "--log", str(DETAILS)])
    print("\nWhat was mended:\n", flush=True)
    visigate_errors(["recover", "list", "--config", str(CONFIG)])
    connection = sqlite3.connect(DATABASE)
    print(f"\n{DATABASE}: integrity {connection.execute('PRAGMA integrity_check').fetchone()[0]}")
    connection.close()
    tell(administrator)
    here = Path(os.path.relpath(Path.cwd(), BEGAN))
    program = os.path.relpath(Path(sys.executable).with_name("visigate-errors"), BEGAN)
    print(f"\nfor people    {here / DETAILS.with_name('error.log')}")
    print(f"for programs  {here / DETAILS}")
    print(f"printed       {here / PRINTED}")
    print(f"one error     {program} show --log {here / DETAILS} ID")
    print(f"as pages      {program} serve --log {here / DETAILS}", flush=True)


def tell(administrator: Administrator) -> None:
    """How many errors became how many mails."""
    visigate_logging.configure(CONFIG)
    mail: Any = next((h for h in logging.getLogger().handlers if h.name == "mail"), None)
    if mail is None:
        print("\nNo mails: aiosmtpd is not installed.")
        return
    wait_until(lambda: not mail.counts()["pending"], 8)
    print(
        f"\nWhat administrators were told: {mail.counts()['accepted']} errors in {len(administrator.mails)} mails\n"
    )
    for message in administrator.mails:
        print(f"  {message['Subject']}")


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait for a condition, but not for ever."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
