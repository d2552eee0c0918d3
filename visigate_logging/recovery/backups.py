"""Which backups databases are restored from, noted for who sums up how a host stands."""

import contextlib
from collections.abc import Iterable
from pathlib import Path

import orjson

from visigate_logging.host.directories import make_directory
from visigate_logging.host.files import write_atomically
from visigate_logging.recovery.procedures import Procedure
from visigate_logging.recovery.steps.restore_sqlite import RestoreSqlite


def note_backups(directory: Path, procedures: Iterable[Procedure]) -> None:
    """Write ``backups.json``: the paths of the backups of each database whose directory is there.

    Args:
        directory: the handlers' state directory.
        procedures: those that are configured.
    """
    steps = [planned.step for procedure in procedures for planned in procedure.steps]
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
