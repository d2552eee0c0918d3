"""Make groups part of another, or take that back."""

from visigate_logging.cli.arguments import Args, Group, argument
from visigate_logging.cli.decisions import KEYS, NOTE, decide

ARGUMENTS = (
    Group(
        "",
        (
            argument("--into KEY", "the group that they become part of", default=""),
            argument("--undo", "make them groups of their own again"),
        ),
    ),
    NOTE,
    *KEYS,
)


def run(args: Args) -> int:
    """Merge each, or unmerge it."""
    return decide(args, "unmerge") if args.undo else decide(args, "merge", "into")
