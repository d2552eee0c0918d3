"""A gate for twenty seconds: three processes that meet real faults, and what was captured of them.

Run it with ``make demo``, or ``python examples/gate.py [DIRECTORY]``; without a directory it makes a temporary one.

Camera, recognition and database each load the shipped ``logging.yaml`` and log what they meet with
``logger.exception()``: a camera address that refuses, a truncated picture, half a line of JSON from the recogniser, a
database that is locked and then damaged, a thread that dies and a child that dies.
"""

import base64
import json
import logging
import multiprocessing
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import visigate_logging
from visigate_logging.cli import main as visigate_errors

CONFIG = Path(__file__).resolve().parent.parent / "logging.yaml"
DETAILS = Path("logs/errors/details.jsonl")
DATABASE = Path("permits.sqlite3")
STORM = 40
"""How often the camera is asked while it refuses."""

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
    """Run the gate, then show what was captured."""
    directory = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="visigate-"))
    directory.mkdir(parents=True, exist_ok=True)
    os.chdir(directory)
    make_permits()
    print("Three processes at a gate where everything breaks …", flush=True)
    spawn = multiprocessing.get_context("spawn")
    parts = [spawn.Process(target=part, name=part.__name__) for part in (camera, recognition, database)]
    for process in parts:
        process.start()
    for process in parts:
        process.join()
    show()
    return 0


def camera() -> None:
    """Ask a camera that refuses, again and again; then lose the thread that watches it."""
    visigate_logging.configure(CONFIG)
    log = logging.getLogger("visigate.camera")
    port = unused_port()
    for attempt in range(STORM):
        try:
            grab(f"rtsp://admin:geheim@127.0.0.1:{port}/stream1")
        except CameraError:
            log.exception("no picture from camera %s (attempt %d)", "entrance", attempt, extra={"camera": "entrance"})
        time.sleep(0.05)
    watch = threading.Thread(target=watch_frames, name="frame-watch")
    watch.start()
    watch.join()


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


def database() -> None:
    """Write to a database that somebody has locked, then to one that is damaged."""
    visigate_logging.configure(CONFIG)
    log = logging.getLogger("visigate.database")
    holder = sqlite3.connect(DATABASE, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    for _ in range(2):
        try:
            record_entry("B-AB 1234")
        except DatabaseError:
            log.exception("entry not recorded", extra={"plate": "B-AB 1234", "database": str(DATABASE)})
        if holder.in_transaction:
            holder.execute("ROLLBACK")
            holder.close()
            damage()


def record_entry(plate: str) -> None:
    """Write that a vehicle came in."""
    connection = sqlite3.connect(DATABASE, timeout=0.2)
    try:
        with connection:
            connection.execute("INSERT INTO entries VALUES (datetime('now'), ?)", (plate,))
    except sqlite3.DatabaseError as error:
        raise DatabaseError(f"cannot write to {DATABASE}") from error
    finally:
        connection.close()


def make_permits() -> None:
    """A small database of permits and entries."""
    with sqlite3.connect(DATABASE) as connection:
        connection.execute("CREATE TABLE entries (at TEXT, plate TEXT)")
        connection.executemany(
            "INSERT INTO entries VALUES (datetime('now'), ?)", [(f"M-X {n}",) for n in range(2000)]
        )
    connection.close()


def damage() -> None:
    """What a power cut may leave: pages of noise in the middle of the file."""
    with DATABASE.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(DATABASE.stat().st_size - 4096))


def unused_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def show() -> None:
    """The table of what was captured, and where to look further."""
    print("\nWhat was captured:\n", flush=True)
    visigate_errors(["groups", "--log", str(DETAILS)])
    here = Path.cwd()
    program = Path(sys.executable).with_name("visigate-errors")
    print(f"\nfor people    {here / DETAILS.with_name('error.log')}")
    print(f"for programs  {here / DETAILS}")
    print(f"one error     {program} show --log {here / DETAILS} ID")
    print(f"all as pages  {program} serve --log {here / DETAILS}")


if __name__ == "__main__":
    sys.exit(main())
