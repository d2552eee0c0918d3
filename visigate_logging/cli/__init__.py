"""visigate-errors: the errors of a gate, on the command line.

Each subcommand is one function with its arguments declared beside it; COMMANDS is the table of them.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from visigate_logging._version import __version__
from visigate_logging.cli import (
    backup,
    configuring,
    converting,
    counting,
    doctor,
    init,
    mail,
    moving,
    reading,
    recover,
    rehearse,
    serve,
    status,
    upkeep,
)
from visigate_logging.cli.acting import live_as_owner
from visigate_logging.cli.command import CONFIGURATION, FAILED, USAGE, Command
from visigate_logging.cli.output import complain, use_any_encoding
from visigate_logging.cli.where import mask_as_configured
from visigate_logging.cli.world import application
from visigate_logging.exceptions import ConfigurationError, VisigateLoggingError

__all__ = ["COMMANDS", "build_parser", "main"]

COMMANDS: tuple[Command, ...] = (
    reading.RECENT,
    reading.SHOW,
    reading.FOLLOW,
    counting.STATS,
    counting.GROUPS,
    counting.TRENDS,
    moving.IMPORT,
    moving.EXPORT,
    moving.PRUNE,
    upkeep.INDEX,
    init.INIT,
    converting.CONVERT,
    mail.MAIL,
    configuring.CHECK,
    configuring.APPLY,
    status.STATUS,
    doctor.DOCTOR,
    rehearse.REHEARSE,
    serve.SERVE,
    recover.RECOVER,
    backup.BACKUP,
)
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Returns:
        0 done; 1 nothing found, or a check failed; 2 wrong usage; 78 a wrong configuration.
    """
    use_any_encoding()
    args = build_parser().parse_args(argv)
    mask_as_configured(getattr(args, "config", None), getattr(args, "log", None))
    acting = ""
    try:
        acting = live_as_owner(args)
        with application(args):
            code: int = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as head, has seen enough; do not stumble again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ConfigurationError as error:
        complain(f"visigate-errors: {error}")
        return CONFIGURATION
    except VisigateLoggingError as error:
        complain(f"visigate-errors: {error}")
        return FAILED
    except OSError as error:  # a path that was given, or the disk
        complain(f"visigate-errors: {f'{error.filename}: ' if error.filename else ''}{error.strerror or error}")
        if acting and isinstance(error, PermissionError):
            complain(acting)
        return FAILED
    return code


def build_parser() -> argparse.ArgumentParser:
    """The parser of all subcommands."""
    parser = argparse.ArgumentParser(prog="visigate-errors", description="Find out what went wrong at the gate.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.set_defaults(run=lambda _args: _usage(parser))
    subparsers = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND")
    for command in (*COMMANDS, upkeep.completion_command(COMMANDS)):
        command.add_to(subparsers)
    return parser


def _usage(parser: argparse.ArgumentParser) -> int:
    parser.print_help(sys.stderr)
    return USAGE
