"""Bring a damaged SQLite database back from a backup."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import orjson

from visigate_logging.host.directories import make_directory
from visigate_logging.host.files import write_atomically
from visigate_logging.options import Seconds
from visigate_logging.recovery.codes import Verdict, verdict_of
from visigate_logging.recovery.steps.base import Context, Outcome, Step
from visigate_logging.recovery.steps.bounds import refuse_other_databases


@dataclass(frozen=True, kw_only=True)
class RestoreSqlite(Step):
    """Bring a damaged or emptied SQLite database back from the newest sound backup; never for anything but damage.

    The damaged files are kept beside the database in ``NAME.damaged-TIME-EVENT``, with a list of the rows that differ
    from the backup. What was changed since the backup is gone: a permit revoked since then is valid again.
    A file ``NAME.keep-empty`` beside the database says that it is empty on purpose.

    Args:
        database: path of the database.
        backups: paths, the best first; each one's older generations (``.1``, ``.2`` ... and ``.daily`` ..., as
            ``backup_sqlite`` makes them) follow it.
        backup_interval: how old the newest may be before ``visigate-errors doctor`` complains, seconds; 0: any age.
        timeout: seconds; a restore ended in the middle is harmless and is taken up again.
    """

    resumes: ClassVar[bool] = True

    database: str
    backups: tuple[str, ...]
    backup_interval: Seconds = 0.0
    timeout: Seconds = 600.0

    def __post_init__(self) -> None:
        if not self.backups:
            raise ValueError("backups is empty: without a backup nothing can be restored")
        refuse_other_databases(self.database, *self.backups)

    def answers(self, codes: Mapping[str, int]) -> Verdict:
        """Return whether an error with these codes may mean damage."""
        return verdict_of(codes.get("sqlite"))

    def run(self, context: Context) -> Outcome:
        """Classify, check, restore, verify."""
        from visigate_logging.recovery.sqlite.restore import restore  # sqlite3, in the child alone

        return restore(Path(self.database).resolve(), self.backups, context)

    def plan(self, context: Context) -> Outcome:
        """Say which backup would be taken, and what it has."""
        from visigate_logging.recovery.sqlite.restore import plan  # sqlite3, in the child alone

        return plan(Path(self.database).resolve(), self.backups, context)


def note_backups(directory: Path, steps: Iterable[Step]) -> None:
    """Write ``backups.json``: the paths of the backups of each database whose directory is there.

    Args:
        directory: the handlers' state directory.
        steps: all that are configured.
    """
    found = {
        str(Path(step.database).absolute()): [str(Path(path).absolute()) for path in step.backups]
        for step in steps
        if isinstance(step, RestoreSqlite) and Path(step.database).absolute().parent.is_dir()
    }
    path, content = directory / "backups.json", orjson.dumps(found)
    with contextlib.suppress(OSError):  # a card that is full: then the summary says what was true before
        if found and not (path.exists() and path.read_bytes() == content):
            make_directory(directory)
            write_atomically(path, content)
