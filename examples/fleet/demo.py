"""A hub, twelve gates with faults, the collector and its pages, on this host: ``make demo-fleet``.

Everything is real and in a temporary directory: a NATS server with one user a gate, three processes with four gates
each that log to files and forward, ``visigate-errors collect``, and ``visigate-errors serve``.
"""

import argparse
import contextlib
import logging
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import yaml

SITES = {
    "berlin": ("north", "south", "garage", "yard"),
    "hamburg": ("pier", "dock", "ferry", "tower"),
    "munich": ("gate1", "gate2", "gate3", "gate4"),
}
FAULTS = (
    (TimeoutError, "rtsp://camera: no picture within 10 s", "VisiGate.camera"),
    (ConnectionRefusedError, "[Errno 111] Connection refused: plate service", "VisiGate.recognition"),
    (OSError, "[Errno 28] No space left on device: 'plates.jpg'", "VisiGate.storage"),
    (RuntimeError, "barrier did not reach its end position", "VisiGate.barrier"),
)
COMMAND = [sys.executable, "-m", "visigate_logging"]


def server_configuration(directory: Path, port: int, passwords: dict[str, str]) -> str:
    """Return one like ``nats-server.conf``, with a user for each gate."""
    users = [f"{{ user: collector, password: {passwords['collector']!r} }}"]
    for site, gates in SITES.items():
        for gate in gates:
            allowed = f'publish: "visigate.{site}.{gate}.>", subscribe: "_INBOX.{site}.{gate}.>"'
            users.append(f'{{ user: {gate}, password: "{passwords[gate]}", permissions: {{ {allowed} }} }}')
    return (
        f'listen: "127.0.0.1:{port}"\nserver_name: hub\n'
        f'jetstream {{ store_dir: "{directory}/jetstream", sync_interval: 1s }}\n'
        f"authorization {{ users: [\n{chr(10).join(users)}\n] }}\n"
    )


def run_site(site: str, directory: Path, port: int, passwords: dict[str, str]) -> None:
    """Be the gates of a site: log faults, and forward the log."""
    from visigate_logging import ForwardHandler, JsonFileHandler

    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    loggers = []
    for number, gate in enumerate(SITES[site]):
        os.environ["VISIGATE_RELEASE"] = f"1.4.{number % 3}"
        log = directory / site / gate / "details.jsonl"
        logger = logging.Logger(f"{site}.{gate}")  # noqa: LOG001 -- one process is several gates
        logger.addHandler(JsonFileHandler(log))
        hub = {"servers": f"nats://{gate}:{passwords[gate]}@127.0.0.1:{port}", "site": site, "gate": gate}
        forward = ForwardHandler({"nats": hub}, log, state_dir=log.parent / "state", backfill="all")
        logger.addHandler(forward)
        forward.set_name("hub")
        loggers.append(logger)
    chance = random.Random(site)  # noqa: S311 -- no secret
    while not ended.wait(0.4):
        logger = chance.choice(loggers)
        kind, text, name = chance.choice(FAULTS[: 2 if site == "berlin" else 4])
        logger.name = name
        try:
            raise kind(text)
        except kind:
            logger.exception("that did not work")
    for logger in loggers:
        for handler in logger.handlers:
            handler.close()


def collector_configuration(directory: Path) -> Path:
    """Write the collector's ``logging.yaml``; who runs one for good adds mail and notifications."""
    details = {"class": "visigate_logging.JsonFileHandler", "filename": str(directory / "collected/details.jsonl")}
    config = {"version": 1, "handlers": {"details": details}, "root": {"handlers": ["details"]}}
    path = directory / "logging.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def free_port() -> int:
    """Return one that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    return number


def wait_for(what: str, is_there: "object", seconds: float = 30.0) -> None:
    """Wait until something is there, or give up."""
    deadline = time.monotonic() + seconds
    while not is_there():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not come about within {seconds:g} s")
        time.sleep(0.1)


def main() -> int:
    """Run all of it until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, help="end by itself; default: when interrupted")
    parser.add_argument("--port", type=int, default=8010, help="of the pages; 0: any that is free (default: 8010)")
    parser.add_argument("--site", help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--hub", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    names = ["collector", *(gate for gates in SITES.values() for gate in gates)]
    if args.site:
        run_site(args.site, args.directory, args.hub, dict(zip(names, os.environ["PASSWORDS"].split(), strict=True)))
        return 0
    with tempfile.TemporaryDirectory(prefix="visigate-fleet-") as name, contextlib.ExitStack() as ending:
        directory, port = Path(name), free_port()
        passwords = {name: secrets.token_hex(8) for name in names}
        (directory / "hub.conf").write_text(server_configuration(directory, port, passwords))
        environment = os.environ | {
            "VISIGATE_HUB": f"nats://collector:{passwords['collector']}@127.0.0.1:{port}",
            "PASSWORDS": " ".join(passwords[name] for name in names),
        }

        def start(*command: "str | Path", output: "int | None" = subprocess.DEVNULL) -> "subprocess.Popen[str]":
            process = subprocess.Popen(list(command), env=environment, stdout=output, stderr=output, text=True)
            ending.callback(process.wait)
            ending.callback(process.terminate)
            return process

        begun = time.monotonic()
        start(
            Path(sys.executable).with_name("nats-server"), "-c", directory / "hub.conf", "-l", directory / "hub.log"
        )
        wait_for("the hub", lambda: "Server is ready" in text_of(directory / "hub.log"))
        config = collector_configuration(directory)
        start(*COMMAND, "collect", "--config", config, output=None)
        for site in SITES:
            start(sys.executable, __file__, "--site", site, "--directory", directory, "--hub", str(port))
        log = directory / "collected" / "details.jsonl"
        wait_for("the first errors", lambda: text_of(log).count("\n") >= 12)
        pages = start(*COMMAND, "serve", "--log", log, "--port", str(args.port), output=subprocess.PIPE)
        address = pages.stdout.readline().rpartition(" ")[2].strip() if pages.stdout else ""
        wait_for("the first states", lambda: states_of(directory) >= 12)
        print(
            f"after {time.monotonic() - begun:.0f} s: {len(names) - 1} gates,",
            f"one log, {text_of(log).count(chr(10))} errors",
        )
        print(f"the gates   {address.replace('/errors', '/errors/gates', 1)}")
        print(f"the errors  visigate-errors recent --log {log} --facet site=berlin", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            time.sleep(args.seconds or 10**6)
    return 0


def text_of(path: Path) -> str:
    """Return what a file has; nothing when it is not there yet."""
    with contextlib.suppress(OSError):
        return path.read_text()
    return ""


def states_of(directory: Path) -> int:
    """Return how many gates have told how they are."""
    from visigate_logging.fleet.gates import gates_of

    gates = gates_of(directory / "collected" / "state")
    return sum("version" in gate.state for gate in gates()) if gates else 0


if __name__ == "__main__":
    sys.exit(main())
