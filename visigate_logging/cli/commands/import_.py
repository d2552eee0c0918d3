"""Take in VisiGate's error_*.json files, each once."""

from collections import Counter
from pathlib import Path

from visigate_logging.cli.arguments import JSON, LOG, Args, argument
from visigate_logging.cli.command import DONE, FAILED
from visigate_logging.cli.locations import find_log
from visigate_logging.cli.output import Progress, answer, complain
from visigate_logging.migrate.legacy import import_files
from visigate_logging.store.store import ErrorStore
from visigate_logging.triage.decisions import DecisionLog

ARGUMENTS = (
    argument(
        "paths PATH",
        "error_*.json files, or directories of them; what export --format decisions has written",
        type=Path,
        nargs="+",
    ),
    LOG,
    JSON,
)


def run(args: Args) -> int:
    """Import each file once, even when repeated."""
    paths = sorted(file for path in args.paths for file in (path.glob("error_*.json") if path.is_dir() else [path]))
    log, progress = ErrorStore(args.log or find_log()).path, Progress("importing")
    log.parent.mkdir(parents=True, exist_ok=True)
    outcomes, failures = Counter[str](), {}
    for path in [path for path in paths if path.suffix == ".jsonl"]:
        paths.remove(path)
        decisions = DecisionLog(path).decisions()
        outcomes["imported"] += (fresh := ErrorStore(log).take_in(decisions))
        outcomes["known"] += len(decisions) - fresh
        if not decisions:
            failures[str(path)] = "it holds no decisions about groups"
    for number, (path, outcome) in enumerate(import_files(log, paths), 1):
        progress(number, len(paths))
        if outcome in {"imported", "known"}:
            outcomes[outcome] += 1
        else:
            failures[str(path)] = outcome
    new, known = outcomes["imported"], outcomes["known"]
    told = f"{new} imported, {known} known already, {len(failures)} failed"
    answer(args, {"imported": new, "known": known, "failed": failures}, [told])
    for name, problem in failures.items():
        complain(f"{name}: {problem}")
    return FAILED if failures or not outcomes.total() else DONE
