"""Mark groups as mended; what comes back is a regression."""

from visigate_logging.cli.arguments import Args, argument
from visigate_logging.cli.decisions import KEYS, NOTE, decide

ARGUMENTS = (
    argument("--release RELEASE", "mended in this one: errors of earlier ones do not reopen it", default=""),
    NOTE,
    *KEYS,
)


def run(args: Args) -> int:
    """Resolve each; the next error of one is a regression."""
    return decide(args, "resolve", "release")
