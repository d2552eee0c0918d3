"""Is a SQLite database sound."""

from dataclasses import dataclass
from pathlib import Path

from visigate_logging.options import Seconds
from visigate_logging.recovery.steps.base import Context, Outcome, Status, Step


@dataclass(frozen=True, kw_only=True)
class ProbeSqlite(Step):
    """Done when a fresh connection finds tables and no damage.

    Args:
        database: path of the database.
        timeout: seconds; 469 MB took 4.5 s on a PC.
    """

    mends = False

    database: str
    timeout: Seconds = 120.0

    def run(self, context: Context) -> Outcome:
        """Check everything, without writing."""
        from visigate_logging.recovery.sqlite import check  # sqlite3, in the child alone

        path = Path(self.database).resolve()
        if problems := check.problems_of(path):
            return Outcome(Status.FAILED, f"{path} is damaged: {problems[0]}")
        if not check.contents(path)[0]:
            return Outcome(Status.FAILED, f"{path} is empty")
        return Outcome(Status.DONE, f"{path} is sound")
