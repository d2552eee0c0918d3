"""Write docs/options.md from the parser: ``python -m tests.commands_page``."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from visigate_logging.cli import COMMANDS
from visigate_logging.cli.parser import parser_of

PAGE = Path(__file__).parent.parent / "docs/options.md"
HEAD = """# Commands and their options

Made from the parser by `python -m tests.commands_page`; a test compares.
Exit codes: 0 done, 1 nothing found or a check failed, 2 wrong usage, 78 a wrong configuration.
"""


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for command in COMMANDS:
        rows = "\n".join(_rows(parser_of(command)))
        parts.append(f"## `{command.name}`\n{command.help}\n" + (f"\n{rows}\n" if rows else ""))
    return "\n".join(parts)


def _rows(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if not isinstance(action, argparse._HelpAction):
            name = ", ".join(action.option_strings) or action.metavar or action.dest.upper()
            said = parser._get_formatter()._expand_help(action) if action.help else ""
            yield f"- `{name}`" + (f": {' '.join(said.split())}" if said else "")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
