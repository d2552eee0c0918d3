"""What is decided about groups of errors: what the commands for it have in common."""

import argparse
import getpass
import os
from datetime import datetime, timedelta
from typing import Any

from visigate_logging.cli.arguments import JSON, LOG, Args, argument
from visigate_logging.cli.mistakes import with_next
from visigate_logging.cli.output import answer, complain
from visigate_logging.cli.selection import open_store
from visigate_logging.detail.plain import plain
from visigate_logging.exceptions import DecisionError, UnknownEventError
from visigate_logging.present.states import decision_in_words
from visigate_logging.present.times import UNITS


def coming(text: str) -> datetime:
    """Return a time to come: so many seconds, minutes, hours, days or weeks from now (``2h``), or ISO 8601, local."""
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


NOTE = argument("--note TEXT", "why", default="")
KEYS = (
    argument("keys KEY", "of groups, or their beginnings, as groups prints them", nargs="+"),
    argument("--by NAME", "who decides it", default=_user()),
    LOG,
    JSON,
)


def decide(args: Args, action: str, *names: str) -> int:
    """Keep a decision about each group that is named.

    Args:
        args: of the command.
        action: what is decided.
        names: of the arguments that are part of the decision.
    """
    store = open_store(args)
    terms = {name: getattr(args, name) for name in ("note", *names)}
    found: list[dict[str, Any]] = []
    told: list[str] = []
    for key in args.keys:
        try:
            whole = store.group_key(key)
            if terms.get("into"):
                terms["into"] = store.group_key(terms["into"])
            state = store.decide(action, whole, who=args.by, **terms)
        except (DecisionError, UnknownEventError) as error:
            complain(f"{key}: {with_next(error, str(error))}")
            continue
        decision = store.history(whole)[-1]
        found.append(decision.to_dict() | {"state": state.name})
        told.append(plain(f"{key}: {decision_in_words(decision)}", one_line=True))
    return answer(args, found, told, failed=len(found) < len(args.keys))
