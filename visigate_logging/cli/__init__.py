"""visigate-errors: the errors of a gate, on the command line.

Each subcommand is a module in ``commands``; here is what all have in common.
"""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from visigate_logging._version import __version__
from visigate_logging.cli.command import COMMANDS, CONFIGURATION, DONE, FAILED, USAGE, Command
from visigate_logging.cli.output import complain, paragraph, say, use_any_encoding
from visigate_logging.exceptions import ConfigurationError, VisigateLoggingError

if TYPE_CHECKING:
    import argparse

INTERRUPTED = 130
NAMES = [command.name for command in COMMANDS]


def script() -> int:
    """Be the program: what is imported is not looked through for garbage, again and again, before it has begun."""
    import gc

    gc.set_threshold(50_000)
    return main()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Returns:
        0 done; 1 nothing found, or a check failed; 2 wrong usage; 78 a wrong configuration.
    """
    use_any_encoding()
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] in (["-h"], ["--help"], ["--version"]):
        _introduce(words[0])
        return DONE
    acting = ""
    try:
        command, args = parsed(words)
        from visigate_logging.cli.import_path import application, configured
        from visigate_logging.cli.owner import live_as_owner
        from visigate_logging.cli.pager import paged

        with configured(args) as here:
            acting = live_as_owner(args)
            with paged(command.is_paged), application(args, here):
                code: int = command.module.run(args) or DONE
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as head, has seen enough; do not stumble again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except (VisigateLoggingError, OSError) as error:
        from visigate_logging.cli.mistakes import told

        for line in told(error, acting):
            complain(line)
        return CONFIGURATION if isinstance(error, ConfigurationError) else FAILED
    return code


def _introduce(word: str) -> None:
    """Say what there is: nothing but the first lines of the subcommands' modules is read for it."""
    if word == "--version":
        say(f"visigate-errors {__version__}")
        return
    say("usage: visigate-errors [SUBCOMMAND] [OPTION …]\n\nFind out what went wrong at the gate.\n\nsubcommands:")
    widest = max(map(len, NAMES))
    for command in COMMANDS:
        say(paragraph(f"  {command.name:<{widest}}  ", command.help))
    say(paragraph("\nTo begin with: ", BEGIN))


BEGIN = "init, recent, show, groups, doctor; visigate-errors SUBCOMMAND --help names the options of one"


def parsed(words: Sequence[str]) -> "tuple[Command, argparse.Namespace]":
    """Return the subcommand and what it was given; only the module of the one that is named is imported."""
    from visigate_logging.cli.parser import parser_of, refuse

    name, rest = _named(words)
    command = COMMANDS[NAMES.index(name)]
    parser = parser_of(command)
    args, unknown = parser.parse_known_args(rest)
    if unknown:
        refuse(parser, unknown)
    return command, args


def _named(words: Sequence[str]) -> tuple[str, list[str]]:
    """Return which subcommand is meant, which may stand behind its options, and the other words."""
    if words and words[0] in NAMES:
        return words[0], [*words[1:]]
    if words and not words[0].startswith("-"):
        _refuse(words[0])
    if words:
        from visigate_logging.cli.parser import parser_of

        _, unknown = parser_of(COMMANDS[NAMES.index("summary")]).parse_known_args(words)
        if name := next((word for word in unknown if word in NAMES), None):
            rest = [*words]
            rest.remove(name)
            return name, rest
    return "summary", [*words]


def _refuse(name: str) -> None:
    from visigate_logging.present.words import meant

    complain(f"visigate-errors: there is no subcommand {name!r}{meant(name, NAMES)}")
    raise SystemExit(USAGE)
