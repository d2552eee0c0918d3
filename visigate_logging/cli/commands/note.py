"""Keep a note about groups."""

from visigate_logging.cli.arguments import Args, argument
from visigate_logging.cli.decisions import KEYS, decide

ARGUMENTS = (argument("--text TEXT", "what is to be kept", required=True, dest="note"), *KEYS)


def run(args: Args) -> int:
    """Note it about each."""
    return decide(args, "note")
