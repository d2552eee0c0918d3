"""Make a checked backup of a SQLite database, for a timer or cron."""

import logging
from pathlib import Path

from visigate_logging.cli.arguments import JSON, Args, argument, positive, within
from visigate_logging.cli.outcomes import say_outcome
from visigate_logging.config.apply import configure
from visigate_logging.exceptions import RecoveryError
from visigate_logging.recovery.steps.backup_sqlite import BackupSqlite
from visigate_logging.recovery.steps.base import Context, Outcome

ARGUMENTS = (
    argument("database DB", "the SQLite database; others may go on using it"),
    argument("--to PATH", "the newest backup (default: backups/NAME beside the database)"),
    argument(
        "--keep N",
        "generations; beside them one each that is a day, a week and a month old is kept",
        type=positive,
        default=3,
    ),
    argument(
        "--max-loss PART",
        "what part of a table's rows may have gone since the last backup; else none is made, so that good ones stay",
        type=within(0, 1),
        default=0.5,
    ),
    argument("--ignore TABLE", "a table that comes and goes; may be repeated", action="append", default=[]),
    argument(
        "--config PATH", "a logging.yaml: a backup that fails is logged by it, too, so that it is mailed", type=Path
    ),
    argument("--accept-loss", "make it whatever was lost"),
    JSON,
)


def run(args: Args) -> int:
    """Make a backup, and check it; see `BackupSqlite`."""
    database = Path(args.database)
    target = args.to or str(database.parent / "backups" / database.name)
    try:
        step = BackupSqlite(
            database=args.database,
            backup=target,
            keep=args.keep,
            max_loss=args.max_loss,
            ignore=tuple(args.ignore),
            accept_loss=args.accept_loss,
        )
    except ValueError as error:
        raise RecoveryError(str(error)) from error
    outcome = step.run(Context(manual=True))
    if args.config and outcome.status != "done":
        _log_failure(args.config, outcome)
    return say_outcome(outcome, args, fine={"done"})


def _log_failure(config: Path, outcome: Outcome) -> None:
    """Tell it where somebody reads: in the log, and so in the mail; nobody reads what a timer prints."""
    configure(config)
    logging.getLogger("visigate_logging.recovery").error("Backup %s: %s", outcome.status, outcome.message)
    logging.shutdown()
