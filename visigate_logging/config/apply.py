"""configure: a checked file becomes the running configuration between two records, or nothing changes at all."""

import contextlib
import functools
import logging
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from visigate_logging import hooks
from visigate_logging.config.build import Built
from visigate_logging.config.check import examine
from visigate_logging.config.confirm import before_abandoned, put_back
from visigate_logging.config.lint import look_behind_queues
from visigate_logging.config.load import read
from visigate_logging.config.presence import Messages, state_directories
from visigate_logging.config.replace import replace, set_levels
from visigate_logging.config.reports import report, safely
from visigate_logging.config.settings import Settings, environment
from visigate_logging.config.source import Source, refuse
from visigate_logging.config.watch import Watch
from visigate_logging.detail.masking import unless_refused
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.host.clock import utc_text
from visigate_logging.host.forks import in_forked_child
from visigate_logging.lifecycle.life import Life, begin

_OURS = logging.getLogger("visigate_logging")
_applying = threading.RLock()
_running: "Applied | None" = None


@dataclass
class Applied:
    """A configuration that was put into effect.

    Args:
        source: the file as it was read.
        settings: its ``visigate:`` section.
        built: its handlers, filters and formatters.
        since: when, for people.
    """

    source: Source
    settings: Settings
    built: Built
    since: str
    life: Life | None = field(default=None, repr=False)
    messages: Messages | None = field(default=None, repr=False)
    watch: Watch | None = field(default=None, repr=False)
    going_back: threading.Timer | None = field(default=None, repr=False)

    def confirm(self) -> bool:
        """Keep it; False when it is too late."""
        with _applying:
            timer, self.going_back = self.going_back, None
            if timer is not None:
                timer.cancel()
            return _running is self


def running() -> Applied | None:
    """Return the configuration that `configure` put into effect last in this process."""
    return _running


def configure(path: str | os.PathLike[str] = "logging.yaml", *, confirm: float | None = None) -> Applied:
    """Configure logging from a YAML file, or change what runs without losing a record.

    The file is what :func:`logging.config.dictConfig` takes, with a ``visigate:`` section beside it. Texts may
    come from elsewhere: ``${NAME}`` and ``${NAME:-default}`` from the environment, ``file:PATH`` from a file.
    All that is new is built beside the old; then the loggers change between two records, and the old handlers are
    flushed and closed.

    Args:
        path: the file.
        confirm: seconds after which the configuration that ran before comes back, unless ``confirm()`` of what is
            returned has been called; None keeps the new one at once.

    Raises:
        ConfigurationError: the file cannot be; what ran before goes on exactly as it was.
    """
    with _applying:
        before = _running
        if confirm is not None and before is None:
            raise ConfigurationError("", f"{path}: nothing runs yet that could come back; leave confirm out")
        applied = apply(read(path, before_abandoned(Path(path))))
        if confirm is not None and before is not None:
            _go_back_unless_confirmed(applied, before, confirm)
        return applied


def apply(source: Source, *, instead_of: bytes | None = None) -> Applied:
    """Put what was read into effect.

    Args:
        source: what was read.
        instead_of: what the file has and is not to run; None where it has what was read.

    Raises:
        ConfigurationError: it cannot be; what ran before goes on, and the reason has been logged.
    """
    with _applying:
        try:
            with unless_refused():
                return _apply(source, source.content if instead_of is None else instead_of)
        except ConfigurationError as error:
            if _running is not None:
                text = "configuration %s is refused, what ran before goes on: %s"
                report(logging.ERROR, text, source.path, error)
                _tell(_running, refused={"hash": source.hash, "reason": str(error), "time": utc_text()})
            raise
        finally:
            try:
                put_back(source.path)
            except OSError as error:
                text = "%s was not confirmed; what was there before runs, but cannot be put back: %s"
                report(logging.WARNING, text, source.path, error)


def _apply(source: Source, in_file: bytes) -> Applied:
    global _running  # noqa: PLW0603 -- a process has one logging
    source.is_to_run = True
    objects = examine(source)
    look_behind_queues(source, objects)
    if source.errors:
        raise refuse(source, source.errors)
    values = dict(source.values)
    settings = Settings(**(values.pop("visigate", None) or {}))
    before = _running
    with environment(settings):
        if values.get("incremental"):
            set_levels(values)
            built = before.built if before else Built({"version": 1})
        else:
            built = replace(source, values, before.built if before else None)
    _running = applied = Applied(source, settings, built, utc_text())
    # It is in effect: from here on nothing may raise.
    safely("telling other processes", lambda: _be_present(applied, before, state_directories(objects)))
    safely("logging what nobody catches", lambda: _hook(applied, before))
    safely("watching the file", lambda: _watch(applied, before, in_file))
    report(logging.INFO, "configuration %s %s is in effect", source.path, source.hash)
    for problem in source.warnings:
        report(logging.WARNING, "configuration %s", source.told(problem))
    return applied


def _hook(applied: Applied, before: Applied | None) -> None:
    if applied.settings.hooks:
        hooks.install_hooks(functools.partial(configure, os.path.abspath(applied.source.path)))
    elif before is not None and before.settings.hooks:
        hooks.uninstall_hooks()


def _watch(applied: Applied, before: Applied | None, in_file: bytes) -> None:
    watch = before.watch if before is not None else None
    path = Path(os.path.abspath(applied.source.path))
    if watch is not None and not (applied.settings.watch and watch.path == path):
        watch.stop()
        watch = None
    if watch is None and applied.settings.watch:
        watch = Watch(path, _apply_change)
    if watch is not None:
        watch.pass_over(in_file)
    applied.watch = watch


def _apply_change(path: Path, content: bytes) -> None:
    with _applying, contextlib.suppress(ConfigurationError):  # has been logged
        on_trial = _running is not None and _running.going_back is not None
        if _running is None or not (on_trial and _running.source.content == content):  # who tries it says if it stays
            apply(read(path, content))


def _be_present(applied: Applied, before: Applied | None, directories: Sequence[Path]) -> None:
    """Let the other processes of the host see what this one runs; without a state directory nobody can."""
    directory = directories[0] if directories else None
    messages = before.messages if before is not None else None
    if messages is not None and messages.directory != directory:
        _OURS.removeHandler(messages)
        messages.close()
        messages = None
    if messages is None and directory is not None:
        messages = Messages(directory)
    if messages is not None and messages not in _OURS.handlers:
        _OURS.addHandler(messages)
    applied.messages, applied.life = messages, begin(directory)
    path = os.path.abspath(applied.source.path)
    set_here = applied.settings
    facts = {
        "service": set_here.service,
        "release": set_here.release,
        "watch": set_here.watch,
        "since": applied.since,
    }
    _tell(applied, path=path, hash=applied.source.hash, refused=None, **facts)
    if applied.life is not None:
        applied.life.watch(set_here.watchdog)


def _tell(applied: Applied, **facts: Any) -> None:
    if applied.life is not None:
        applied.life.tell(**facts)


def _go_back_unless_confirmed(applied: Applied, before: Applied, seconds: float) -> None:
    def go_back() -> None:
        with _applying:
            if _running is applied and applied.going_back is not None:
                report(
                    logging.WARNING, "configuration %s was not confirmed within %g s", applied.source.hash, seconds
                )
                apply(before.source, instead_of=applied.source.content)  # which the file still has

    applied.going_back = threading.Timer(seconds, go_back)
    applied.going_back.daemon = True
    applied.going_back.start()


def _after_fork_in_child() -> None:
    global _applying  # noqa: PLW0603 -- another thread may hold it, which the child has not
    _applying = threading.RLock()


in_forked_child(_after_fork_in_child)
