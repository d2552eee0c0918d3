"""erase: a text that is to be forgotten, out of all files."""

import argparse
from pathlib import Path

from visigate_logging.cli.arguments import add_json, add_log
from visigate_logging.cli.command import DONE, FAILED
from visigate_logging.cli.output import complain, say, say_json
from visigate_logging.cli.where import find_log


def _erase_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--text", default="", metavar="TEXT", help="what is to be forgotten, such as 'AB12 CDE'")
    parser.add_argument("--key", default="", metavar="NAME", help="or: a value behind this key alone, as in extra")
    parser.add_argument("--value", default="", metavar="TEXT", help="the value, with --key; it may be short")
    parser.add_argument(
        "--directory",
        action="append",
        type=Path,
        default=[],
        metavar="PATH",
        help="where it is erased besides (default: the directory of the log, with all below it)",
    )
    add_log(parser)
    add_json(parser)


def erase(args: argparse.Namespace) -> int:
    """Overwrite a text wherever it stands, and look whether it is gone."""
    from visigate_logging.retention.erasure import TextForms, ValueForms
    from visigate_logging.retention.erasure import erase as erase_text

    given = Path(args.log or find_log())
    log = given / "details.jsonl" if given.is_dir() else given
    try:
        if bool(args.text) == bool(args.key or args.value):
            raise ValueError("give --text, or --key with --value")
        forms = TextForms(args.text) if args.text else ValueForms(args.key, args.value)
    except ValueError as error:
        complain(str(error))
        return FAILED
    left = [path for place in (log.parent, *args.directory) for path in erase_text(place, log, forms)]
    if args.json:
        say_json({"left": [str(path) for path in left]})
    elif not left:
        say(f"it stands nowhere under {', '.join(map(str, (log.parent, *args.directory)))} any more")
    for path in left:
        complain(f"{path}: it still stands there")
    return FAILED if left else DONE
