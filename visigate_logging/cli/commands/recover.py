"""Mend faults by hand, and see how they were mended."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from visigate_logging.cli.arguments import CONFIG, JSON, Args, argument, limit
from visigate_logging.cli.outcomes import say_outcome
from visigate_logging.cli.output import answer, bold, complain, paragraph
from visigate_logging.cli.rows import ROWS, rows
from visigate_logging.config.check import examine
from visigate_logging.config.load import read
from visigate_logging.config.objects import Object
from visigate_logging.config.source import Source, refuse
from visigate_logging.detail.plain import plain
from visigate_logging.exceptions import RecoveryError
from visigate_logging.health.host import runners
from visigate_logging.present.words import local_time
from visigate_logging.recovery.application import missing_allowed
from visigate_logging.recovery.procedures import Procedure
from visigate_logging.recovery.runner import Runner
from visigate_logging.recovery.steps.base import Context


def _lenient(source: Source, objects: Iterable[Object]) -> list[Runner]:
    """Return the same when what they call, or a handler's class, cannot be imported here; say what that is."""
    with missing_allowed() as said:
        found = list(runners(objects))
    handlers = (source.told(problem) for problem in source.errors if problem.key.startswith("handlers."))
    for text in dict.fromkeys([*handlers, *said]):
        complain(f"not loaded: {text}")
    return found


def _named(args: Args, runners: list[Runner]) -> tuple[Runner, Procedure]:
    for runner in runners:
        if args.name in runner.procedures:
            return runner, runner.procedures[args.name]
    known = ", ".join(name for runner in runners for name in runner.procedures) or "none"
    raise RecoveryError(f"{args.name or 'no name'} was given; the procedures in {args.config} are: {known}")


def _list(args: Args, runners: list[Runner]) -> int:
    found = [_summary(runner, p) for runner in runners for p in runner.procedures.values()]
    return answer(args, found, _listed(found), nothing=f"no recovery is configured in {args.config}")


def _listed(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for one in found:
        yield bold(plain(one["name"], one_line=True))
        facts = (", ".join(one["exceptions"]), ", then ".join(one["steps"]), _budgets(one), _last(one))
        for name, text in zip(("for", "steps", "budget", "last"), facts, strict=True):
            yield paragraph(f"  {name:<8}", text)


def _summary(runner: Runner, procedure: Procedure) -> dict[str, Any]:
    lines = [e for e in runner.audit.read() if e["event"] == "outcome" and e["procedure"] == procedure.name]
    return {
        "name": procedure.name,
        "exceptions": sorted(procedure.exceptions),
        "steps": [planned.name for planned in procedure.steps],
        "max_attempts": procedure.max_attempts,
        "period": procedure.period,
        "budgets": runner.standing(procedure),
        "last": lines[-1] if lines else None,
    }


def _budgets(summary: Mapping[str, Any]) -> str:
    shown = (f"{b['key']}: {b['attempts']}/{summary['max_attempts']} {b['state']}" for b in summary["budgets"])
    return "; ".join(shown) or "unused"


def _last(summary: Mapping[str, Any]) -> str:
    last = summary["last"]
    return f"{last['status']}, {local_time(last['timestamp'])}: {last['message']}" if last else "never run"


def _run(args: Args, runners: list[Runner]) -> int:
    runner, procedure = _named(args, runners)
    context = Context(procedure=procedure.name, key=args.key, manual=True)
    outcome = runner.run_by_hand(procedure, context, dry_run=args.dry_run)
    return say_outcome(outcome, args, fine={"done", "refused"})


def _history(args: Args, runners: list[Runner]) -> int:
    lines = [line for runner in runners for line in runner.audit.read()]
    shown = [line for line in lines if args.name in (None, line["procedure"])][-args.limit :]
    return answer(args, shown, _happened(shown), nothing="no recovery has run")


def _happened(lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for e in lines:
        result, text = _what(e)
        about = plain(":".join(filter(None, (e["procedure"], e["key"]))), one_line=True)
        yield f"{local_time(e['timestamp'])}  {about}  {e['event']}  {bold(result)}".rstrip()
        if text:
            yield paragraph("    ", text)
        if e["event"] == "decision":
            yield paragraph("    ", f"for {e['error_type']} {e['event_id']}" if e["event_id"] else "by hand")


def _what(line: Mapping[str, Any]) -> tuple[str, str]:
    result = str(line.get("status") or line.get("action") or "")
    return result, ": ".join(str(line[k]) for k in ("step", "message") if line.get(k))


def _reset(args: Args, runners: list[Runner]) -> int:
    runner, procedure = _named(args, runners)
    forgotten, waiting = runner.budgets.forget(procedure.name), runner.marks.forget(procedure.name)
    told = f"{procedure.name} may run again; budgets forgotten: {forgotten}, put off and now forgotten: {waiting}"
    return answer(args, {"name": procedure.name, "forgotten": forgotten, "waiting": waiting}, [told])


def _rows(args: Args, runners: list[Runner]) -> int:
    return rows(args, _named(args, runners)[1])


LOOKS = ("list", "history")
"""Actions that need nothing of the application."""
ACTIONS = {"list": _list, "run": _run, "history": _history, "reset": _reset, "rows": _rows}


ACTION = (
    "list what is configured, with its budget and last outcome; run a procedure by hand, whatever its budget; show "
    "the history; reset a procedure that has given up, and forget what it put off; or show the rows that differ "
    "since a restore"
)
ARGUMENTS = (
    argument("action", ACTION, nargs="?", choices=tuple(ACTIONS), default="list"),
    argument("name NAME", "of the procedure; for run, reset and rows", nargs="?"),
    *CONFIG,
    argument("--key KEY", "what the fault is about, as a camera's name; for run", default=""),
    argument("--dry-run", "only say what run would do"),
    limit(50, "lines of history"),
    *ROWS,
    JSON,
)


def run(args: Args) -> int:
    """List, run, look back at and reset recoveries, and show the rows that they have changed."""
    source = read(args.config)
    if source.unreadable:
        raise refuse(source, source.errors)
    objects = examine(source)
    found = _lenient(source, objects) if args.action in LOOKS else list(runners(objects))
    try:
        return ACTIONS[args.action](args, found)
    finally:
        for runner in found:
            runner.close()
