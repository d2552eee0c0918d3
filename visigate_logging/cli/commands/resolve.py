"""Mark groups as mended; what comes back is a regression."""

import argparse

from visigate_logging.cli.arguments import argument
from visigate_logging.cli.decisions import KEYS, NOTE, decide

ARGUMENTS = (
    argument("--release RELEASE", "mended in this one: errors of earlier ones do not reopen it", default=""),
    NOTE,
    *KEYS,
)


def run(args: argparse.Namespace) -> int:
    """Resolve each; the next error of one is a regression."""
    return decide(args, "resolve", "release")
