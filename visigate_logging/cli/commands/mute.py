"""Count the errors of groups, but do not tell of them."""

from visigate_logging.cli.arguments import Args, argument, positive
from visigate_logging.cli.decisions import KEYS, NOTE, coming, decide

ARGUMENTS = (
    argument("--until WHEN", "for 2h, 3d, or until 2026-05-04, …T12:30", type=coming),
    argument("--more N", "until N more have come", type=positive),
    argument("--worse", "until it is more severe, or more than twice as frequent in a day"),
    NOTE,
    *KEYS,
)


def run(args: Args) -> int:
    """Mute each, until one of the ends that are given."""
    args.more = args.more or 0
    return decide(args, "mute", "until", "more", "worse")
