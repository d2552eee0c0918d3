"""Serve the errors on pages, by a web server of their own."""

import argparse
import getpass
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from visigate_logging.cli.arguments import CONFIG, LOG, STATE_DIR, Args, argument
from visigate_logging.cli.command import DONE
from visigate_logging.cli.output import complain, say
from visigate_logging.cli.selection import open_store
from visigate_logging.exceptions import ConfigurationError, MissingExtraError
from visigate_logging.health.actions import actions_of
from visigate_logging.health.metrics import metrics_of
from visigate_logging.health.state_dir import health_of, messages_of, recoveries_of, timeline_of

if TYPE_CHECKING:
    from flask import Flask


HASH = "VISIGATE_PASSWORD_HASH"
METRICS_TOKEN = "VISIGATE_METRICS_TOKEN"  # noqa: S105 -- the name of the variable
SHORTEST = 8


def _port(text: str) -> int:
    port = int(text) if text.removeprefix("-").isdecimal() else -1
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; take one from 1 to 65535, or 0 for any that is free")
    return port


ARGUMENTS = (
    LOG,
    argument("--host HOST", "the address to listen on", default="127.0.0.1"),
    argument("--port PORT", "0: any that is free", type=_port, default=8008),
    argument(
        "--password-file PATH",
        f"holds the password's hash, as --set-password writes it (default: the hash in {HASH}); without one, only "
        "who has the address that is printed can see the pages, and from this computer alone",
        type=Path,
    ),
    argument(
        "--trusted-proxy ADDRESS",
        "a proxy in front, by its address: what it says of who asks and by which scheme is believed; may be given "
        "again for another",
        action="append",
        default=[],
    ),
    argument(
        "--metrics-token-file PATH",
        f"holds the token for /errors/metrics (default: {METRICS_TOKEN}); without one there are no metrics",
        type=Path,
    ),
    *CONFIG,
    argument("--set-password", "ask for a password, write its hash, and end"),
    STATE_DIR,
)


def run(args: Args) -> int:
    """Serve the pages until interrupted."""
    if args.set_password:
        return _set_password(args.password_file)
    try:
        import waitress  # noqa: F401 -- only whether it is there
    except ImportError as error:
        raise MissingExtraError("waitress", "web") from error
    from visigate_logging.web.server import create_server
    from visigate_logging.web.standalone import TOKEN, new_token

    token = new_token()
    app = _app(args, token)
    try:
        server = create_server(app, args.host, args.port)
    except OSError as error:
        raise ConfigurationError("--port", f"cannot listen on {args.host}:{args.port}: {error.strerror}") from error
    query = "" if _has_password(args) else f"?{TOKEN}={token}"
    say(f"the errors are on http://{_in_url(args.host)}:{server.effective_port}/errors{query}")
    sys.stdout.flush()
    try:
        server.run()
    finally:
        server.close()
    return DONE


def _app(args: Args, token: str) -> "Flask":
    from visigate_logging.web.sessions import Sessions
    from visigate_logging.web.standalone import create_app, is_loopback

    has_password = _has_password(args)
    if has_password:
        _try_hash(args.password_file)
    elif not is_loopback(args.host):
        raise ConfigurationError(
            "--host", f"{args.host} can be reached by others; set a password with --set-password --password-file PATH"
        )
    if not is_loopback(args.host) and not args.trusted_proxy:
        complain("the password crosses the network unencrypted; a proxy with TLS in front keeps it secret")
    from visigate_logging.fleet.gates import gates_of

    metrics_token = _metrics_token(args.metrics_token_file)
    store = open_store(args)
    state = args.state_dir or store.path.parent / "state"
    return create_app(
        store,
        (lambda: _password_hash(args.password_file)) if has_password else None,
        token=token,
        sessions=Sessions(state / "sessions.json" if has_password and state.is_dir() else None),
        trusted_proxies=args.trusted_proxy,
        health=health_of(state, store),
        recoveries=recoveries_of(state),
        metrics=metrics_of(store, state) if metrics_token else None,
        metrics_token=metrics_token,
        timeline=timeline_of(state),
        messages=messages_of(state),
        actions=actions_of(args.config, state),
        gates=gates_of(state),
    )


def _metrics_token(path: Path | None) -> str:
    if path is None:
        return os.environ.get(METRICS_TOKEN, "")
    try:
        return _secret_text(path, "--metrics-token-file").strip()
    except OSError as error:
        raise ConfigurationError("--metrics-token-file", f"{path}: {error.strerror}") from error


def _has_password(args: Args) -> bool:
    return bool(args.password_file or os.environ.get(HASH))


def _password_hash(path: Path | None) -> str:
    """Return the hash as it is now, so that a changed password holds from the next request on."""
    from visigate_logging.web.passwords import check_hash

    try:
        return check_hash((_secret_text(path) if path else os.environ.get(HASH, "")).strip())
    except OSError as error:
        raise ConfigurationError(
            "--password-file", f"{path}: {error.strerror}; make it with --set-password"
        ) from error
    except ValueError as error:
        raise ConfigurationError(str(path or HASH), f"{error}; make one with --set-password") from error


def _try_hash(path: Path | None) -> None:
    """Refuse now what could let nobody in later: parameters that this computer's OpenSSL does not take, for one."""
    from werkzeug.security import check_password_hash

    try:
        check_password_hash(_password_hash(path), "")
    except ValueError as error:
        raise ConfigurationError(str(path or HASH), f"{error}; make one with --set-password") from error


def _secret_text(path: Path, option: str = "--password-file") -> str:
    with path.open(encoding="utf-8") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o027:
            raise ConfigurationError(
                option, f"{path} can be read or changed by others (mode {mode:04o}); chmod 600 {path}"
            )
        return file.read(10_000)


def _set_password(path: Path | None) -> int:
    from visigate_logging.web.passwords import hashed_password

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
