"""Forget a text, such as a number plate: out of all files."""

from pathlib import Path

from visigate_logging.cli.arguments import JSON, LOG, Args, argument
from visigate_logging.cli.command import DONE, FAILED, USAGE
from visigate_logging.cli.locations import find_log
from visigate_logging.cli.output import answer, complain
from visigate_logging.retention.erasure import TextForms, ValueForms, erase

ARGUMENTS = (
    argument("--text TEXT", "what is to be forgotten, such as 'AB12 CDE'", default=""),
    argument("--key NAME", "or: a value behind this key alone, as in extra", default=""),
    argument("--value TEXT", "the value, with --key; it may be short", default=""),
    argument(
        "--directory PATH",
        "where it is erased besides (default: the directory of the log, with all below it)",
        action="append",
        type=Path,
        default=[],
    ),
    LOG,
    JSON,
)


def run(args: Args) -> int:
    """Overwrite it wherever it stands, and look whether it is gone."""
    given = Path(args.log or find_log())
    log = given / "details.jsonl" if given.is_dir() else given
    try:
        if bool(args.text) == bool(args.key or args.value):
            raise ValueError("give --text, or --key with --value")
        forms = TextForms(args.text) if args.text else ValueForms(args.key, args.value)
    except ValueError as error:
        complain(f"{error}; see visigate-errors erase --help")
        return USAGE
    places = (log.parent, *args.directory)
    left = [path for place in places for path in erase(place, log, forms)]
    gone = [] if left else [f"it stands nowhere under {', '.join(map(str, places))} any more"]
    answer(args, {"left": [str(path) for path in left]}, gone)
    for path in left:
        complain(f"{path}: it still stands there")
    return FAILED if left else DONE
