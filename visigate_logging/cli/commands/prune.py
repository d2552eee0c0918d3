"""Remove rotated files of old errors; their counts stay."""

from datetime import UTC, datetime, timedelta

from visigate_logging.cli.arguments import JSON, LOG, Args, argument, days
from visigate_logging.cli.output import answer
from visigate_logging.cli.selection import open_store

ARGUMENTS = (
    argument("--older-than DAYS", "of what is older", type=days, required=True),
    argument("--dry-run", "only say what would be removed"),
    LOG,
    JSON,
)


def run(args: Args) -> int:
    """Remove the files in which all is older than so many days."""
    before = datetime.now(UTC) - timedelta(days=args.older_than)
    removed = [str(path) for path in open_store(args).prune(before, dry_run=args.dry_run)]
    lines = (f"{'would remove' if args.dry_run else 'removed'} {path}" for path in removed)
    nothing = f"no rotated file holds only what is older than {args.older_than} days"
    return answer(args, removed, lines, nothing=nothing)
