"""visigate-errors: the errors of a gate, on the command line.

Each subcommand is one function with its arguments declared beside it; COMMANDS is the table of them.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from visigate_logging._version import __version__
from visigate_logging.cli.command import COMMANDS, CONFIGURATION, FAILED, USAGE, Command
from visigate_logging.cli.output import complain, use_any_encoding
from visigate_logging.cli.pager import paged
from visigate_logging.exceptions import ConfigurationError, VisigateLoggingError

INTERRUPTED = 130
ALONE = ("-h", "--help", "--version")


class Parser(argparse.ArgumentParser):
    """A parser that says in one line what is wrong, and where to read on."""

    def error(self, message: str) -> NoReturn:
        """Say it, and end."""
        self.exit(USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Returns:
        0 done; 1 nothing found, or a check failed; 2 wrong usage; 78 a wrong configuration.
    """
    use_any_encoding()
    words = sys.argv[1:] if argv is None else list(argv)
    args = _parsed(words)
    from visigate_logging.cli.acting import live_as_owner
    from visigate_logging.cli.where import find_config, mask_as_configured
    from visigate_logging.cli.world import application, beside

    is_found = getattr(args, "finds_config", False) and args.config is None
    if is_found:
        args.config = find_config()
    mask_as_configured(getattr(args, "config", None), getattr(args, "log", None))
    acting = ""
    try:
        with beside(args.config if is_found else None, args) as here:
            acting = live_as_owner(args)
            with paged(args.paged), application(args, here):
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


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    """Return what was asked for, a summary when nothing is; only the subcommand that is named is imported."""
    if not words or (words[0].startswith("-") and words[0] not in ALONE):
        words = ["summary", *words]
    name = words[0]
    if name not in ALONE and name not in (known := [command.name for command in COMMANDS]):
        import difflib

        near = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(known)}"
        complain(f"visigate-errors: there is no subcommand {name!r}; {hint}")
        raise SystemExit(USAGE)
    if name in ALONE:
        build_parser(whole=False).parse_args([name])  # which answers, and exits
    command = next(command for command in COMMANDS if command.name == name)
    parser = _filled(Parser(prog=f"visigate-errors {name}", description=command.help), command)
    args, rest = parser.parse_known_args(words[1:])
    if rest:
        _refuse(parser, rest)
    return args


def _filled(parser: argparse.ArgumentParser, command: Command) -> argparse.ArgumentParser:
    command.arguments(parser)
    parser.set_defaults(run=command.run, paged=command.paged)
    return parser


def _refuse(parser: argparse.ArgumentParser, unknown: Sequence[str]) -> NoReturn:
    from visigate_logging.present.words import meant

    options = [option for action in parser._actions for option in action.option_strings]
    odd = next((word for word in unknown if word.startswith("-")), unknown[0])
    parser.error(f"unknown: {' '.join(unknown)}" + meant(odd.partition("=")[0], options).rstrip("?"))


def build_parser(*, whole: bool = True) -> argparse.ArgumentParser:
    """Return the parser of all subcommands.

    Args:
        whole: with the arguments of each, for which its module is imported; else with their names alone.
    """
    parser = Parser(prog="visigate-errors", description="Find out what went wrong at the gate.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", required=True)
    for command in COMMANDS:
        own = subparsers.add_parser(command.name, help=command.help, description=command.help)
        if whole:
            _filled(own, command)
    return parser
