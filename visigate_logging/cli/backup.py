"""backup: a checked backup of a SQLite database."""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from visigate_logging.cli.arguments import add_json, positive
from visigate_logging.cli.recover import told
from visigate_logging.exceptions import RecoveryError

if TYPE_CHECKING:
    from visigate_logging.recovery.steps.base import Outcome


def _backup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("database", metavar="DB", help="the SQLite database; others may go on using it")
    parser.add_argument("--to", metavar="PATH", help="the newest backup (default: backups/NAME beside the database)")
    parser.add_argument(
        "--keep",
        type=positive,
        default=3,
        metavar="N",
        help="generations (default: 3); beside them one each that is a day, a week and a month old is kept",
    )
    parser.add_argument(
        "--max-loss",
        type=float,
        default=0.5,
        metavar="PART",
        help="what part of a table's rows may "
        "have gone since the last backup (default: 0.5); else none is made, so that good ones stay",
    )
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="TABLE", help="a table that comes and goes; may be repeated"
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="PATH",
        help="a logging.yaml: a backup that fails is logged by it, too, so that it is mailed",
    )
    parser.add_argument("--accept-loss", action="store_true", help="make it whatever was lost")
    add_json(parser)


def backup(args: argparse.Namespace) -> int:
    """Make a checked backup of a SQLite database, for a timer or cron."""
    from visigate_logging.recovery.steps.backup_sqlite import BackupSqlite
    from visigate_logging.recovery.steps.base import Context

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
    return told(outcome, args.json, fine={"done"})


def _log_failure(config: Path, outcome: "Outcome") -> None:
    """Tell it where somebody reads: in the log, and so in the mail; nobody reads what a timer prints."""
    from visigate_logging.config.apply import configure

    configure(config)
    logging.getLogger("visigate_logging.recovery").error("Backup %s: %s", outcome.status, outcome.message)
    logging.shutdown()
