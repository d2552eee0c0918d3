"""Keep a note about groups."""

import argparse

from visigate_logging.cli.arguments import argument
from visigate_logging.cli.decisions import KEYS, decide

ARGUMENTS = (argument("--text TEXT", "what is to be kept", required=True, dest="note"), *KEYS)


def run(args: argparse.Namespace) -> int:
    """Note it about each."""
    return decide(args, "note")
