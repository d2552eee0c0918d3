"""Make a part of groups a group of its own, or take that back."""

from visigate_logging.cli.arguments import Args, Group, argument
from visigate_logging.cli.decisions import KEYS, NOTE, decide

COMMON = "what the part has in common: a facet (camera=entrance), message=TEXT, frame=TEXT"
ARGUMENTS = (
    Group(
        "",
        (
            argument("--where NAME=VALUE", COMMON, default=""),
            argument("--undo", "make the parts that KEY names one with their groups again"),
        ),
    ),
    NOTE,
    *KEYS,
)


def run(args: Args) -> int:
    """Split a part off each, later errors too, or make it whole again."""
    return decide(args, "unsplit") if args.undo else decide(args, "split", "where")
