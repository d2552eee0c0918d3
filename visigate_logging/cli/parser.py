"""The parser of a subcommand, which says in one line what is wrong, and where to read on."""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from visigate_logging.cli.command import USAGE, Command
from visigate_logging.cli.output import complain, terminal_columns


class Formatter(argparse.HelpFormatter):
    """Help as wide as the terminal, for which `shutil` need not be imported."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=terminal_columns() - 2)


class Parser(argparse.ArgumentParser):
    """A parser that says in one line what is wrong."""

    def error(self, message: str) -> NoReturn:
        """Say it, and end."""
        complain(f"{self.prog}: {message}; see {self.prog} --help")
        self.exit(USAGE)


def parser_of(command: Command) -> argparse.ArgumentParser:
    """Return the parser of a subcommand, whose module is imported for it."""
    parser = Parser(prog=f"visigate-errors {command.name}", description=command.help, formatter_class=Formatter)
    return command.declare(parser)


def refuse(parser: argparse.ArgumentParser, unknown: Sequence[str]) -> NoReturn:
    """End with what was given and is not known, and what may be meant."""
    from visigate_logging.present.words import meant

    options = [option for action in parser._actions for option in action.option_strings]
    odd = next((word for word in unknown if word.startswith("-")), unknown[0])
    parser.error(f"unknown: {' '.join(unknown)}" + meant(odd.partition("=")[0], options).rstrip("?"))
