"""Check that each database that can be restored has a whole backup that is not too old."""

import time
from collections.abc import Iterator
from pathlib import Path

from visigate_logging.health.findings import Finding, Subject
from visigate_logging.health.host import runners


def backups(subject: Subject) -> Iterator[Finding]:
    """Look whether each procedure has a backup that is whole: a restore takes the newest sound one."""
    from visigate_logging.recovery.application import missing_allowed
    from visigate_logging.recovery.sqlite.backups import generations
    from visigate_logging.recovery.sqlite.check import problems_of
    from visigate_logging.recovery.steps.restore_sqlite import RestoreSqlite

    with missing_allowed():  # what cannot be imported is among the findings about the file
        found_runners = list(runners(subject.objects))
    for runner in found_runners:
        steps = [planned.step for procedure in runner.procedures.values() for planned in procedure.steps]
        for step in steps:
            if not isinstance(step, RestoreSqlite):
                continue
            found = {path: problems_of(path) for path in generations(step.backups)}
            for path, problems in found.items():
                text = f"{path}: {problems[0] if problems else 'whole'}"
                yield Finding("backups", not problems, text, "Remove it, and make one: visigate-errors backup --help")
            if found and step.backup_interval:
                yield _age(step.database, max(found, key=lambda path: path.stat().st_mtime), step.backup_interval)
            folder = Path(step.database).absolute().parent
            if not found and not folder.exists():  # as shipped: nobody has named a database yet
                yield Finding(
                    "backups", True, f"{step.database}: {folder} is not there, so nothing is to be backed up"
                )
            elif not found:
                text = f"{step.database}: none of {', '.join(step.backups)} exists"
                cure = f"visigate-errors backup {step.database} --to {step.backups[0]}"
                yield Finding("backups", False, text, cure)


def _age(database: str, newest: Path, interval: float) -> Finding:
    age = time.time() - newest.stat().st_mtime
    text = f"{newest} is {age / 3600:.1f} hours old; backup_interval is {interval / 3600:g} hours"
    cure = f"Look why the timer or cron job does not run: visigate-errors backup {database} --to {newest}"
    return Finding("backups", 0 <= age <= interval, text, cure)
