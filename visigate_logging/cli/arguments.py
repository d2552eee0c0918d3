"""What subcommands take, as data; the arguments that many share; and how what was given is read."""

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from visigate_logging.store.facets import FACETS, GROUP

Args = argparse.Namespace
"""What a subcommand was given."""
MOST_DAYS = 36_500


class Argument(NamedTuple):
    """One argument, as ``add_argument`` takes it."""

    name: str
    keywords: Mapping[str, Any]


class Group(NamedTuple):
    """Arguments that belong together.

    Args:
        title: above them in the help; empty for those of which one must be given, and no second.
        arguments: them.
    """

    title: str
    arguments: "Arguments"


Arguments = Iterable[Argument | Group]


def argument(spec: str, said: str, **keywords: Any) -> Argument:
    """Return one argument.

    Args:
        spec: as in a synopsis: ``--limit N`` takes a value, ``--json`` none, ``id ID`` is told by its place.
        said: what it is for; its default, where it has one, is added.
        keywords: as ``add_argument`` takes them.
    """
    name, _, metavar = spec.partition(" ")
    if metavar:
        keywords["metavar"] = metavar
    elif name.startswith("-"):
        keywords.setdefault("action", "store_true")
    if isinstance(default := keywords.get("default"), str | int | float) and default != "":
        said += f" (default: {default})"
    return Argument(name, {"help": said, **keywords})


def declare(parser: argparse._ActionsContainer, arguments: Arguments) -> None:
    """Declare arguments on a parser, or on a group of one."""
    for one in arguments:
        if isinstance(one, Argument):
            parser.add_argument(one.name, **one.keywords)
        elif one.title:
            declare(parser.add_argument_group(one.title), one.arguments)
        else:
            declare(parser.add_mutually_exclusive_group(required=True), one.arguments)


def moment(text: str) -> Any:
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
    if not (text.isascii() and text.isdigit() and int(text)):
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


def within(least: float, most: float, unit: str = "") -> Any:
    """Return what reads a number between two others, in a unit."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            what = f"a number of {unit}" if unit else "a number"
            raise argparse.ArgumentTypeError(f"{text!r} is not {what} from {least:g} to {most:g}")
        return value

    return read


def facet(text: str) -> tuple[str, str]:
    """Return name and value of a facet; one that is called as something else is asked for by that."""
    from visigate_logging.store.store import ErrorStore

    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is no facet; give its name and value, such as camera=entrance")
    taken = {GROUP, *names_of(ErrorStore.recent), *names_of(ErrorStore.groups), *names_of(ErrorStore.follow)}
    if name in taken:
        option = f"; for that there is --{name}" if name in (GROUP, "limit", "since", "until", "text") else ""
        raise argparse.ArgumentTypeError(f"{name!r} cannot be the name of a facet here{option}")
    return name, value


def names_of(function: Any) -> tuple[str, ...]:
    """Return the names of what a function takes."""
    code = function.__code__
    return tuple(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


LOG = argument(
    "--log PATH",
    "the details file or its directory (default: VISIGATE_LOG, else what the logging.yaml names that is found here, "
    "above, or in /etc/visigate, else logs/errors/details.jsonl)",
    type=Path,
)
JSON = argument("--json", "print JSON, for programs")
WIDE = argument("--wide", "show all columns whole, however wide the terminal is")
STATE_DIR = argument("--state-dir PATH", "state_dir of the handlers (default: state, beside the log)", type=Path)
PATHS = (
    argument(
        "--path DIRECTORY",
        "where the application's own classes are; those of the configuration and of work are looked into anyway",
        action="append",
        type=Path,
        default=[],
    ),
    argument("--no-path", "look for classes in what is installed alone"),
)
CONFIG = (
    argument(
        "--config FILE",
        "default: VISIGATE_CONFIG, else logging.yaml here or above, else /etc/visigate/logging.yaml",
        type=Path,
    ),
    *PATHS,
)
FACET = (
    *(argument(f"--{f.name} {f.name.upper()}", f"only this {f.name}, such as {f.example}") for f in FACETS),
    argument(
        "--facet NAME=VALUE",
        "only this value of a facet of the application's own, such as camera=entrance",
        action="append",
        type=facet,
        default=[],
    ),
)
SINCE = "from then on: 2h, 3d, yesterday, 08:00, 2026-05-04T12:30"
FILTERS = Group(
    "which errors",
    (
        argument("--group GROUP", "only this group, by its key or the beginning of it"),
        *FACET,
        argument("--since WHEN", SINCE, type=moment),
        argument("--until WHEN", "before then", type=moment),
        argument("--text TEXT", "only with this in messages, traceback or additional information"),
    ),
)


def limit(default: int, said: str = "at most so many") -> Argument:
    """Return ``--limit``."""
    return argument("--limit N", said, type=positive, default=default)


def last_days(default: int) -> Argument:
    """Return ``--days``."""
    return argument("--days N", "of the last days, with today", type=days, default=default)
