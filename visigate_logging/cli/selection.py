"""The log that a command is about, which errors it asks for, and what is said where there are none."""

import argparse
import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from visigate_logging.cli.locations import find_log
from visigate_logging.cli.output import Progress, complain
from visigate_logging.store.facets import FACETS, spelt
from visigate_logging.store.record_queries import OpenedLog, RecordQueries

if TYPE_CHECKING:
    from visigate_logging.detail.record import ErrorDetail
    from visigate_logging.store.store import ErrorStore

PAGE = 500
Kind = TypeVar("Kind", bound=OpenedLog)


def open_store(args: argparse.Namespace) -> "ErrorStore":
    """Open the log that the arguments name, for all questions about it; see `open_log`."""
    from visigate_logging.store.store import ErrorStore

    return _open(ErrorStore, args)


def open_log(args: argparse.Namespace) -> RecordQueries:
    """Open the log that the arguments name, for questions about single errors: little is imported for them.

    It tells on a terminal how far it is. That there is no log is said on standard error: it is none when nothing has
    gone wrong yet, but also when the path is wrong.
    """
    return _open(RecordQueries, args)


def _open(kind: type[Kind], args: argparse.Namespace) -> Kind:
    log = kind(args.log or find_log(), progress=Progress("indexing"))
    if not any(log.path.parent.glob(f"{glob.escape(log.path.name)}*")):
        complain(absent(log.path))
    return log


def absent(log: Path) -> str:
    """Say that there is no log, where it was looked for, and what to do."""
    looked = "" if log.is_absolute() else f" (in {os.getcwd()})"
    return f"{log}: no such file{looked}; name the log with --log, or begin with visigate-errors init"


def state_dir(args: argparse.Namespace) -> Path:
    """Return the state directory that is named, or is beside the log."""
    if args.state_dir is not None:
        return Path(args.state_dir)
    log = Path(args.log or find_log())
    return (log if log.is_dir() else log.parent) / "state"


def facets(log: OpenedLog, args: argparse.Namespace) -> dict[str, Any]:
    """Return which facets were asked for, as ``ErrorStore.groups`` takes them and as errors have them.

    ``warn`` and ``warning`` stand for ``WARNING``; what no error has is said, with what may be meant.
    """
    asked = {facet.name: getattr(args, facet.name) for facet in FACETS} | dict(args.facet)
    given = {name: value for name, value in asked.items() if value is not None}
    known = _whole(log).choices() if given else {}
    return {name: _occurring(name, value, known.get(name)) for name, value in given.items()}


def _whole(log: OpenedLog) -> "ErrorStore":
    from visigate_logging.store.store import ErrorStore

    return ErrorStore(log.path)


def _occurring(name: str, value: str, known: Sequence[str] | None) -> str:
    if known is None or (found := spelt(value, known)) is None:
        if known is not None:
            from visigate_logging.present.words import meant

            complain(f"no error has the {name} {value!r}{meant(value, known)}")
        return value
    return found


def filters(log: RecordQueries, args: argparse.Namespace) -> dict[str, Any]:
    """Return which errors were asked for, as ``ErrorStore.recent`` takes it."""
    group = _whole(log).group_key(args.group) if args.group else None
    return facets(log, args) | {"group": group} | {name: getattr(args, name) for name in ("since", "until", "text")}


def everything(log: RecordQueries, **asked: Any) -> "Iterator[ErrorDetail]":
    """Yield all errors that are asked for, the newest first."""
    page = log.recent(PAGE, **asked)
    yield from page
    while page.cursor:
        page = log.recent(PAGE, cursor=page.cursor, **asked)
        yield from page


def warn_of_unreadable(log: RecordQueries) -> None:
    """Say on standard error what could not be read."""
    if found := log.unreadable(1):
        complain(
            f"passed over {_whole(log).health()['unreadable']} unreadable places, the last in {found[0]['file']} "
            f"at byte {found[0]['offset']}: {found[0]['problem']}"
        )
