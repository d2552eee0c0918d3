"""Take back that groups are resolved or muted."""

import argparse

from visigate_logging.cli.decisions import KEYS, NOTE, decide

ARGUMENTS = (NOTE, *KEYS)


def run(args: argparse.Namespace) -> int:
    """Reopen each."""
    return decide(args, "reopen")
