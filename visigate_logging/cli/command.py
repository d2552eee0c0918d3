"""The subcommands: one module each in ``commands``, which is imported when it runs."""

import os
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import argparse

DONE, FAILED, USAGE, CONFIGURATION = 0, 1, 2, 78
PLACE = os.path.join(os.path.dirname(__file__), "commands")


class Command(NamedTuple):
    """One subcommand: the module of its name.

    Its docstring begins with a line that says what it is for, ``ARGUMENTS`` are what it takes, and ``run(args)`` does
    it and returns the exit code, nothing for DONE. Where ``PAGED`` is true, a long answer is shown in a pager.

    Args:
        name: the word on the command line.
    """

    name: str

    @property
    def help(self) -> str:
        """What it is for; the module is read for it, and not imported."""
        with open(os.path.join(PLACE, f"{self._stem}.py"), encoding="utf-8") as file:
            return file.readline().strip('".\n')

    @property
    def module(self) -> ModuleType:
        """The module, imported."""
        return import_module(f"visigate_logging.cli.commands.{self._stem}")

    @property
    def is_paged(self) -> bool:
        """Whether what it says is shown in a pager where it is longer than the terminal."""
        return bool(getattr(self.module, "PAGED", False))

    @property
    def _stem(self) -> str:
        stem = self.name.replace("-", "_")
        return f"{stem}_" if stem == "import" else stem

    def declare(self, parser: "argparse.ArgumentParser") -> "argparse.ArgumentParser":
        """Declare what it takes, and return the parser."""
        from visigate_logging.cli.arguments import declare

        declare(parser, self.module.ARGUMENTS)
        return parser


COMMANDS = tuple(
    Command(file[:-3].rstrip("_").replace("_", "-"))
    for file in sorted(os.listdir(PLACE))
    if file.endswith(".py") and not file.startswith("_")
)
