"""Name all that is wrong with a configuration, with its line."""

from pathlib import Path

from visigate_logging.cli.arguments import JSON, PATHS, Args, argument, user
from visigate_logging.cli.checks import is_fine, told
from visigate_logging.cli.command import CONFIGURATION, DONE
from visigate_logging.cli.locations import find_config
from visigate_logging.cli.output import answer, say_json
from visigate_logging.config.check import check
from visigate_logging.config.load import read

ARGUMENTS = (
    argument("files FILE", "default: as for --config of others", nargs="*", type=Path),
    argument("--strict", "take warnings for errors"),
    argument("--user USER", "the user that the application runs as (default: who asks)", type=user),
    argument("--construct", "call what the file names, to learn what that refuses"),
    argument("--schema", "print the JSON Schema for editors, and check nothing"),
    *PATHS,
    JSON,
)


def run(args: Args) -> int:
    """Check each file."""
    if args.schema:
        from visigate_logging.config.schema import schema

        say_json(schema())
        return DONE
    sources = map(read, args.files or [find_config()])
    found = [(source, check(source, args.user, construct=args.construct)) for source in sources]
    data = [
        {
            "file": str(source.path),
            "line": problem.place.line,
            "column": problem.place.column,
            "key": problem.key,
            "severity": problem.severity,
            "problem": problem.text,
        }
        for source, problems in found
        for problem in problems
    ]
    answer(args, data, told(found))
    return DONE if all(is_fine(problems, strict=args.strict) for _, problems in found) else CONFIGURATION
