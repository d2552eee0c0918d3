"""resolve, mute, reopen, note, merge, split: what is decided about groups of errors."""

import argparse
import getpass
import os
from datetime import datetime, timedelta
from typing import Any

from visigate_logging.cli.arguments import add_json, add_log, open_store, positive
from visigate_logging.cli.command import DONE, FAILED
from visigate_logging.cli.output import complain, say, say_json
from visigate_logging.detail.plain import plain
from visigate_logging.exceptions import DecisionError, UnknownEventError
from visigate_logging.present.states import decision_in_words

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def coming(text: str) -> datetime:
    """Return a time to come: in so many minutes, hours, days or weeks (``90m``, ``2h``), or ISO 8601, local."""
    try:
        if text[-1:] in UNITS and text[:-1].isdigit():
            return datetime.now().astimezone() + timedelta(**{UNITS[text[-1]]: int(text[:-1])})
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no time; give 2h, 3d or 2026-05-04T12:30") from None


def _user() -> str:
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        return f"uid {os.getuid()}"


def _add_common(parser: argparse.ArgumentParser, *, note: bool = True) -> None:
    parser.add_argument(
        "keys", metavar="KEY", nargs="+", help="of groups, or their beginnings, as groups prints them"
    )
    if note:
        parser.add_argument("--note", default="", metavar="TEXT", help="why")
    parser.add_argument("--by", metavar="NAME", default=_user(), help="who decides it (default: %(default)s)")
    add_log(parser)
    add_json(parser)


def _resolve_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--release", default="", metavar="RELEASE", help="mended in this one: errors of earlier ones do not reopen it"
    )
    _add_common(parser)


def _mute_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--until", type=coming, metavar="WHEN", help="for 2h, 3d, or until 2026-05-04, …T12:30")
    parser.add_argument("--more", type=positive, default=0, metavar="N", help="until N more have come")
    parser.add_argument(
        "--worse", action="store_true", help="until it is more severe, or more than twice as frequent in a day"
    )
    _add_common(parser)


def _note_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--text", required=True, dest="note", metavar="TEXT", help="what is to be kept")
    _add_common(parser, note=False)


def _merge_arguments(parser: argparse.ArgumentParser) -> None:
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--into", default="", metavar="KEY", help="the group that they become part of")
    target.add_argument("--undo", action="store_true", help="make them groups of their own again")
    _add_common(parser)


def _split_arguments(parser: argparse.ArgumentParser) -> None:
    part = parser.add_mutually_exclusive_group(required=True)
    part.add_argument(
        "--where",
        default="",
        metavar="NAME=VALUE",
        help="what the part has in common: a facet (camera=entrance), message=TEXT, frame=TEXT",
    )
    part.add_argument("--undo", action="store_true", help="make the parts that KEY names one with their groups again")
    _add_common(parser)


def _decide(args: argparse.Namespace, action: str, names: tuple[str, ...]) -> int:
    store = open_store(args)
    terms = {name: getattr(args, name) for name in names}
    found: list[dict[str, Any]] = []
    failed = False
    for key in args.keys:
        try:
            whole = store.group_key(key)
            if terms.get("into"):
                terms["into"] = store.group_key(terms["into"])
            state = store.decide(action, whole, who=args.by, **terms)
            decision = store.history(whole)[-1]
        except (DecisionError, UnknownEventError) as error:
            complain(f"{key}: {error}")
            failed = True
            continue
        found.append(decision.to_dict() | {"state": state.name})
        if not args.json:
            say(plain(f"{key}: {decision_in_words(decision)}", one_line=True))
    if args.json:
        say_json(found)
    return FAILED if failed else DONE


def resolve(args: argparse.Namespace) -> int:
    """Mark groups as mended; the next error of one is a regression."""
    return _decide(args, "resolve", ("note", "release"))


def mute(args: argparse.Namespace) -> int:
    """Count the errors of groups, but do not tell of them."""
    return _decide(args, "mute", ("note", "until", "more", "worse"))


_reopen_arguments = _add_common


def reopen(args: argparse.Namespace) -> int:
    """Take back that groups are resolved or muted."""
    return _decide(args, "reopen", ("note",))


def note(args: argparse.Namespace) -> int:
    """Keep a note about groups."""
    return _decide(args, "note", ("note",))


def merge(args: argparse.Namespace) -> int:
    """Make groups part of another, or take that back."""
    return _decide(args, "unmerge" if args.undo else "merge", ("note",) if args.undo else ("note", "into"))


def split(args: argparse.Namespace) -> int:
    """Make a part of groups, later errors too, groups of their own, or take that back."""
    return _decide(args, "unsplit" if args.undo else "split", ("note",) if args.undo else ("note", "where"))
