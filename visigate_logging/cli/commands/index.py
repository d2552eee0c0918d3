"""Show, check or rebuild the index beside the log."""

from visigate_logging.cli.arguments import JSON, LOG, Args, argument
from visigate_logging.cli.output import answer
from visigate_logging.cli.selection import open_store

ACTION = (
    "show what it holds; check it against the files; or rebuild it from them, which forgets the counts of files that "
    "have been rotated out"
)
ARGUMENTS = (argument("action", ACTION, nargs="?", choices=("show", "check", "rebuild"), default="show"), LOG, JSON)


def run(args: Args) -> int:
    """Do what is asked with the index, then say what it holds."""
    store = open_store(args)
    if args.action == "rebuild":
        store.rebuild()
    problems = store.check() if args.action == "check" else []
    found = store.health() | ({"problems": problems} if args.action == "check" else {})
    pairs = [(name, one) for name, value in found.items() for one in (value if isinstance(value, list) else [value])]
    lines = [f"{name:>10}  {value}" for name, value in pairs if value != ""]
    if args.action == "check" and not problems:
        lines.append("the index agrees with the files")
    return answer(args, found, lines, failed=bool(problems))
