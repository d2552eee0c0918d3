"""Declare the arguments that many subcommands share, and read what was given."""

import argparse
import glob
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visigate_logging.cli.output import Progress, complain
from visigate_logging.cli.where import find_log
from visigate_logging.present.words import meant
from visigate_logging.store.facets import FACETS

if TYPE_CHECKING:
    from visigate_logging.store.store import ErrorStore


MOST_DAYS = 36_500


def add_log(parser: argparse.ArgumentParser) -> None:
    """``--log``: where the details are."""
    parser.add_argument(
        "--log",
        type=Path,
        metavar="PATH",
        help="the details file or its directory (default: VISIGATE_LOG, else what the logging.yaml names "
        "that is found here, above, or in /etc/visigate, else logs/errors/details.jsonl)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """``--json``: for programs."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def add_filters(parser: argparse.ArgumentParser) -> None:
    """``--type``, ``--since`` and the others that say which errors are meant."""
    group = parser.add_argument_group("which errors")
    group.add_argument("--group", metavar="GROUP", help="only this group, by its key or the beginning of it")
    add_facets(group)
    group.add_argument(
        "--since", type=moment, metavar="WHEN", help="from then on: 2h, 3d, yesterday, 08:00, 2026-05-04T12:30"
    )
    group.add_argument("--until", type=moment, metavar="WHEN", help="before then")
    group.add_argument("--text", help="only with this in messages, traceback or additional information")


def add_facets(parser: Any) -> None:
    """``--type`` and the other facets, on a parser or a group of one."""
    for facet in FACETS:
        parser.add_argument(
            f"--{facet.name}", metavar=facet.name.upper(), help=f"only this {facet.name}, such as {facet.example}"
        )
    parser.add_argument(
        "--facet",
        action="append",
        type=_facet,
        default=[],
        metavar="NAME=VALUE",
        help="only this value of a facet of the application's own, such as camera=entrance",
    )


def _facet(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is no facet; give its name and value, such as camera=entrance")
    return name, value


def add_wide(parser: argparse.ArgumentParser) -> None:
    """``--wide``: tables as wide as they are."""
    parser.add_argument("--wide", action="store_true", help="show all columns whole, however wide the terminal is")


def facets(store: "ErrorStore", args: argparse.Namespace) -> dict[str, Any]:
    """Return what :func:`add_facets` declared, as ``ErrorStore.groups`` takes it and as errors have it.

    ``warn`` and ``warning`` stand for ``WARNING``; what no error has is said, with what may be meant.
    """
    asked = dict(args.facet) | {facet.name: getattr(args, facet.name) for facet in FACETS}
    given = {name: value for name, value in asked.items() if value is not None}
    known = store.choices() if given else {}
    return {name: _occurring(name, value, known.get(name)) for name, value in given.items()}


def _occurring(name: str, value: str, known: Sequence[str] | None) -> str:
    from visigate_logging.store.facets import spelt

    if known is None or (found := spelt(value, known)) is None:
        if known is not None:
            complain(f"no error has the {name} {value!r}{meant(value, known)}")
        return value
    return found


def filters(store: "ErrorStore", args: argparse.Namespace) -> dict[str, Any]:
    """Return what :func:`add_filters` declared, as ``ErrorStore.recent`` takes it."""
    group = store.group_key(args.group) if args.group else None
    return facets(store, args) | {"group": group} | {name: getattr(args, name) for name in ("since", "until", "text")}


def moment(text: str) -> datetime:
    """Return a time that was given; see :func:`visigate_logging.present.times.moment`."""
    from visigate_logging.present import times

    try:
        return times.moment(text)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no time; give {times.EXAMPLES}") from None


def user(text: str) -> str:
    """Return the name of a user whom this host knows."""
    import pwd

    try:
        pwd.getpwnam(text)
    except KeyError:
        raise argparse.ArgumentTypeError(f"there is no user {text} on this host") from None
    return text


def positive(text: str) -> int:
    """Return a whole number above zero."""
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def number(text: str) -> int:
    """Return a whole number, of which 0 is one."""
    return 0 if text == "0" else positive(text)


def days(text: str) -> int:
    """Return a number of days that calendars can go back by."""
    found = positive(text)
    if found > MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text} days are too many; at most {MOST_DAYS} can be asked for")
    return found


def open_store(args: argparse.Namespace) -> "ErrorStore":
    """Open the store that the arguments name; it tells on a terminal how far it is.

    That there is no log is said on standard error: it is none when nothing has gone wrong yet, but also when the
    path is wrong.
    """
    from visigate_logging.store.store import ErrorStore

    store = ErrorStore(args.log or find_log(), progress=Progress("indexing"))
    if store.path.parent.is_dir() and not any(store.path.parent.glob(f"{glob.escape(store.path.name)}*")):
        complain(f"{store.path}: no such file; if errors have been logged, name their log with --log")
    return store
