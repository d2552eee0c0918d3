"""Act on this host from the pages: run a recovery, take a backup, send what waits; each in a process of its own."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from visigate_logging.config.load import read
from visigate_logging.exceptions import ConfigurationError, RecoveryError
from visigate_logging.host.clock import utc_text
from visigate_logging.host.json_lines import JsonLines

SECONDS = 3600.0
"""For which an action may take; its steps have limits of their own."""
MOST_BYTES = 1_000_000
LONGEST = 2000
"""Characters that are kept of what an action has said, the last ones."""


class Action(NamedTuple):
    """One thing that can be done.

    Args:
        name: how it is asked for, and called in the audit trail.
        title: what it is, for people.
        command: the words after ``visigate-errors`` that do it.
        trial: the option with which it only says what it would do; empty where there is none.
    """

    name: str
    title: str
    command: tuple[str, ...]
    trial: str = ""


class Actions:
    """Runs what a configuration allows with ``actions: true``, and keeps an audit trail of who asked for what.

    Args:
        config: the ``logging.yaml``; what it allows is looked up each time.
        directory: the state directory, which the trail ``actions.jsonl`` is in.
    """

    def __init__(self, config: Path, directory: Path) -> None:
        self._config = config
        self._trail = JsonLines(directory / "actions.jsonl", max_bytes=MOST_BYTES, syncs=True)
        self._lock = threading.Lock()
        self._running: set[str] = set()
        self._known: tuple[tuple[int, int], dict[str, Action]] = ((0, 0), {})

    def known(self) -> dict[str, Action]:
        """Return what can be done, by name; nothing unless the configuration says ``actions: true``.

        Raises:
            ConfigurationError: the file cannot be read.
            OSError: likewise.
        """
        status = self._config.stat()
        state = status.st_mtime_ns, status.st_size
        if self._known[0] != state:
            self._known = state, {one.name: one for one in _found(read(self._config).values, self._config)}
        return self._known[1]

    def start(self, name: str, who: str, *, trial: bool = False) -> None:
        """Begin an action, and return; how it ends is in the trail.

        Args:
            name: of one that is known.
            who: asked for it.
            trial: only say what would be done.

        Raises:
            RecoveryError: it cannot be asked for, or runs already.
            OSError: the trail cannot be written, without which nothing is done.
        """
        action = self.known().get(name)
        if action is None or (trial and not action.trial):
            raise RecoveryError(f"{name!r} cannot be asked for here; the configuration allows what the page lists")
        with self._lock:
            if name in self._running:
                raise RecoveryError(f"{name} runs already; wait for its end")
            self._running.add(name)
        asked = {"began": utc_text(timespec="milliseconds"), "who": who, "action": name, "trial": trial}
        try:
            self._trail.append(asked)
            threading.Thread(target=self._run, args=(action, asked), name="visigate-action", daemon=True).start()
        except BaseException:
            self._running.discard(name)
            raise

    def trail(self, limit: int) -> list[dict[str, Any]]:
        """Return who has asked for what, and how it ended, the newest first.

        ``status`` is ``done``, ``failed``, ``running``, or ``unknown`` where the pages' process ended before it did.
        """
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for line in self._trail.read():
            key = str(line.get("began")), str(line.get("action"))
            found[key] = {"status": "running" if key[1] in self._running else "unknown", "said": ""} | line
        return list(found.values())[: -limit - 1 : -1]

    def _run(self, action: Action, asked: Mapping[str, Any]) -> None:
        words = [sys.executable, "-m", "visigate_logging", *action.command]
        words += [action.trial] if asked["trial"] else []
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=SECONDS,
                start_new_session=True,
                check=False,
            )
            status, said = "failed" if done.returncode else "done", done.stdout
        except (OSError, subprocess.SubprocessError) as error:
            status, said = "failed", str(error).encode()
        try:
            told = said.decode("utf-8", "replace").strip()[-LONGEST:]
            self._trail.append({**asked, "ended": utc_text(timespec="milliseconds"), "status": status, "said": told})
        finally:
            self._running.discard(action.name)


def actions_of(config: Path, directory: Path) -> Actions | None:
    """Return what may be done on this host; None where the configuration does not say ``actions: true``."""
    try:
        is_allowed = _part(read(config).values, "visigate").get("actions") is True
    except ConfigurationError:  # which every other command tells
        return None
    return Actions(config, directory) if is_allowed else None


def _found(values: Mapping[str, Any], config: Path) -> Iterator[Action]:
    """Yield what a configuration lets be done; what is not written as it should be, its own check says."""
    if _part(values, "visigate").get("actions") is not True:
        return
    file = ("--config", str(config))
    handlers = _part(values, "handlers")
    for name in handlers:
        handler = _part(handlers, name)
        procedures = _part(handler, "procedures")
        for procedure in procedures:
            title = f"Run the recovery {procedure}, whatever its budget"
            yield Action(f"recover {procedure}", title, ("recover", "run", str(procedure), *file), "--dry-run")
        for database, backup in _databases(procedures):
            yield Action(f"backup {database}", f"Back up {database}", ("backup", database, "--to", backup))
        if command := next((word for key, word in OUTBOXES.items() if key in handler), ""):
            title = f"Send now what waits in the outbox of {name}"
            yield Action(f"send {name}", title, (command, "outbox", "retry", "--handler", str(name), *file))


OUTBOXES = {"mailhost": "mail", "urls": "notify", "routes": "notify"}
"""The command that looks after a handler's outbox, by an option that only such a handler has."""


def _databases(procedures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the databases that procedures restore, each once, with the newest of their backups."""
    steps = (step for name in procedures for step in _part(procedures, name).get("steps") or ())
    given = (_part(step, "restore_sqlite") for step in steps if isinstance(step, Mapping))
    found = {str(one["database"]): one["backups"] for one in given if one.get("database") and one.get("backups")}
    for database, backups in found.items():
        yield database, str(backups if isinstance(backups, str) else backups[0])


def _part(values: Any, name: str) -> Mapping[str, Any]:
    part = values.get(name) if isinstance(values, Mapping) else None
    return part if isinstance(part, Mapping) else {}
