"""serve: the errors on pages, by a web server of their own."""

import argparse
import getpass
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visigate_logging.cli.command import DONE, Command, add_log, open_store
from visigate_logging.cli.output import complain, say
from visigate_logging.cli.reading import local_time
from visigate_logging.exceptions import ConfigurationError, MissingExtraError, StateError

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["SERVE", "health_of", "recoveries_of"]

HASH = "VISIGATE_PASSWORD_HASH"
THREADS = 4
OVERDUE = 600.0
"""Seconds after which a mail that still waits has not been delivered."""
SHORTEST = 8


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_log(parser)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8008, help="default: 8008; 0: any that is free")
    parser.add_argument(
        "--password-file",
        type=Path,
        metavar="PATH",
        help=f"holds the password's hash, as --set-password writes it (default: the hash in {HASH}); without "
        "one, only this computer can see the pages",
    )
    parser.add_argument("--set-password", action="store_true", help="ask for a password, write its hash, and end")
    parser.add_argument(
        "--state-dir", type=Path, metavar="PATH", help="state_dir of the handlers (default: state, beside the log)"
    )


def serve(args: argparse.Namespace) -> int:
    """Serve the pages until interrupted."""
    if args.set_password:
        return _set_password(args.password_file)
    try:
        from waitress.server import create_server
    except ImportError as error:
        raise MissingExtraError("waitress", "web") from error
    app = _app(args)
    try:
        server = create_server(app, host=args.host, port=args.port, threads=THREADS, ident=None)
    except OSError as error:
        raise ConfigurationError("--port", f"cannot listen on {args.host}:{args.port}: {error.strerror}") from error
    say(f"the errors are on http://{_in_url(args.host)}:{server.effective_port}/errors")
    sys.stdout.flush()
    try:
        server.run()
    finally:
        server.close()
    return DONE


def _app(args: argparse.Namespace) -> "Flask":
    from visigate_logging.web.standalone import create_app, is_loopback

    hashed = _password_hash(args.password_file)
    if hashed is None and not is_loopback(args.host):
        raise ConfigurationError(
            "--host", f"{args.host} can be reached by others; set a password with --set-password --password-file PATH"
        )
    if not is_loopback(args.host):
        complain("the password crosses the network unencrypted; a proxy with TLS in front keeps it secret")
    store = open_store(args)
    state = args.state_dir or store.path.parent / "state"
    return create_app(store, hashed, health=health_of(state), recoveries=recoveries_of(state))


def _password_hash(path: Path | None) -> str | None:
    try:
        hashed = path.read_text("utf-8").strip() if path else os.environ.get(HASH, "")
    except OSError as error:
        raise ConfigurationError(
            "--password-file", f"{path}: {error.strerror}; make it with --set-password"
        ) from error
    if (path or hashed) and hashed.count("$") != 2:
        raise ConfigurationError(str(path or HASH), "holds no hash of a password; make one with --set-password")
    return hashed or None


def _set_password(path: Path | None) -> int:
    from visigate_logging.web.standalone import hashed_password

    password = getpass.getpass("Password: ")
    if len(password) < SHORTEST:
        raise ConfigurationError("--set-password", f"{len(password)} characters are too few; take {SHORTEST} or more")
    if password != getpass.getpass("Again: "):
        raise ConfigurationError("--set-password", "the two differ; begin again")
    hashed = hashed_password(password)
    if path is None:
        say(f"{HASH}='{hashed}'")
        return DONE
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(hashed + "\n")
    say(f"written to {path}")
    return DONE


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def health_of(directory: Path) -> Callable[[], list[tuple[str, str]]]:
    """What a state directory tells of records dropped lately and mail not delivered, for the pages' ``health``."""
    return lambda: [*_dropped(directory), *_undelivered(directory / "outbox")]


def _dropped(directory: Path) -> Iterator[tuple[str, str]]:
    from visigate_logging.host import State, host_drops

    state = State(directory)
    if not state.path.exists():
        return
    try:
        drops = host_drops(state)
    except StateError as error:
        yield "warning", f"what was dropped cannot be told: {error}"
        return
    finally:
        state.close()
    for handler, reason, n, since, last in drops:
        when = f"at {local_time(last)}" if n == 1 or since == last else f"{local_time(since)} to {local_time(last)}"
        yield "warning", f"the handler {handler} has dropped {_several(n, 'record')} ({when}): {reason}"


def _undelivered(outbox: Path) -> Iterator[tuple[str, str]]:
    now = time.time()
    waiting = [mail for mail in outbox.glob("*/*.eml") if _written(mail) < now - OVERDUE]
    if waiting:
        minutes = (now - min(map(_written, waiting))) / 60
        yield "warning", f"{_several(len(waiting), 'mail')} not delivered yet, the oldest for {minutes:.0f} minutes"
    if refused := len(list(outbox.glob("*/refused/*.eml"))):
        yield "warning", f"{_several(refused, 'mail')} refused by the mail server; see visigate-errors mail outbox"


def _several(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # delivered meanwhile
        return time.time()


def recoveries_of(directory: Path) -> Callable[[str | None], list[dict[str, Any]]]:
    """The recovery's audit trail by the id of the error, for the pages' ``recoveries``; read anew when it changes."""
    from visigate_logging.recovery.audit import Audit

    audit = Audit(directory)
    known: dict[str | None, list[dict[str, Any]]] = {}
    read_at = 0

    def recoveries(event_id: str | None) -> list[dict[str, Any]]:
        nonlocal known, read_at
        with suppress(OSError):
            if (changed := audit.path.stat().st_mtime_ns) != read_at:
                known, read_at = _by_event(audit.read()), changed
        return known.get(event_id, [])

    return recoveries


def _by_event(entries: Iterable[Any]) -> dict[str | None, list[dict[str, Any]]]:
    found = defaultdict[str | None, list[dict[str, Any]]](list)
    for entry in entries:
        if isinstance(entry, dict):
            found[str(entry.get("event_id"))].append(entry)
            found[None].append(entry)
    return dict(found)


SERVE = Command("serve", "the errors on pages, by a web server of their own", _arguments, serve)
