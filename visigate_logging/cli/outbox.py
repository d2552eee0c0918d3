"""What waits in an outbox: listed, tried now, or removed."""

import argparse
import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from visigate_logging.cli.command import DONE, FAILED, USAGE
from visigate_logging.cli.output import complain, say, say_json
from visigate_logging.cli.table import Column, table
from visigate_logging.exceptions import StateError
from visigate_logging.present.words import counted, spoken

if TYPE_CHECKING:
    from visigate_logging.delivery.outbox import Status
    from visigate_logging.delivery.pipeline import Pipeline
    from visigate_logging.delivery.spool import Message, Spool
    from visigate_logging.delivery.throttle import Waiting
    from visigate_logging.handlers.throttled import ThrottledHandler


PATIENCE = 5.0


def outbox(name: str, handler: "ThrottledHandler", args: argparse.Namespace) -> int:
    """List what waits in a handler's outbox, try it now, or remove some."""
    from visigate_logging.delivery.pipeline import Pipeline

    pipelines = [Pipeline(route.delivery, route.full_name(name)) for route in handler.routes]
    try:
        return {"list": _list, "retry": _retry, "drop": _drop}[args.what](pipelines, args)
    finally:
        for pipeline in pipelines:
            pipeline.state.close()


def _list(pipelines: "Sequence[Pipeline]", args: argparse.Namespace) -> int:
    listed = [one for pipeline in pipelines for one in _listed(pipeline)]
    if args.json:
        say_json(listed)
    elif listed:
        shown = [(m["state"], m["id"], m["subject"], " ".join(m["recipients"]), m["reason"]) for m in listed]
        columns = (
            Column("STATE"),
            Column("ID"),
            Column("SUBJECT", stretches=True),
            Column("TO", dropped=2),
            Column("WHY", dropped=1),
        )
        say(table(columns, shown))
    else:
        noun = pipelines[0].channel.noun
        say(f"no {noun}s in {', '.join(str(p.outbox.spool.directory) for p in pipelines)}")
    return DONE


def _listed(pipeline: "Pipeline") -> list[dict[str, Any]]:
    spool, has_state = pipeline.outbox.spool, pipeline.state.path.exists()
    rows = pipeline.outbox.all() if has_state else {}
    listed = [_described(message, "waiting", spool, rows.get(message.id)) for message in spool.messages()]
    listed += [_described(message, "refused", spool.refused, None) for message in spool.refused.messages()]
    return listed + [_untold(*waiting) for waiting in (pipeline.incidents.waiting() if has_state else ())]


def _described(message: "Message", state: str, spool: "Spool", row: "Status | None") -> dict[str, Any]:
    from visigate_logging.delivery.mail import parsed

    headers = parsed(message.content)
    return {
        "id": message.id,
        "state": state,
        "subject": str(headers["Subject"] or ""),
        "date": str(headers["Date"] or ""),
        "recipients": list(message.recipients),
        "answers": list(message.answers),
        "path": str(spool.path(message.id)),
        "tries": row.tries if row else 0,
        "seconds": max(row.wait, 0.0) if row else None,
        "reason": _why(row) if row else "; ".join(message.answers),
    }


def _why(row: "Status") -> str:
    next_try = f"next try in {spoken(row.wait)}" if row.wait > 0 else "is tried now"
    return ". ".join(filter(None, (row.reason, f"{counted(row.tries, 'try', 'tries')}, {next_try}")))


def _untold(waiting: "Waiting", seconds: float, title: str) -> dict[str, Any]:
    """Return what no mail tells yet, in the same shape."""
    errors = counted(waiting.group.untold, "error")
    reason = f"{errors}, told in {spoken(seconds)} at the latest ({waiting.reason})"
    empty: dict[str, Any] = {
        "date": waiting.group.last_time,
        "recipients": [],
        "answers": [],
        "path": None,
        "tries": 0,
    }
    return {"id": "", "state": "untold", "subject": title, **empty, "seconds": seconds, "reason": reason}


def _retry(pipelines: "Sequence[Pipeline]", args: argparse.Namespace) -> int:
    for pipeline in pipelines:
        with _alone(pipeline):
            pipeline.sender.retry_refused()
        pipeline.outbox.try_now()
        while pipeline.turn() == 0.0:
            continue
    left = [message_id for pipeline in pipelines for message_id in pipeline.outbox.spool.waiting()]
    if args.json:
        refused = [message_id for pipeline in pipelines for message_id in pipeline.outbox.spool.refused.waiting()]
        say_json({"waiting": left, "refused": refused})
    else:
        noun = pipelines[0].channel.noun
        command = "mail" if noun == "mail" else "notify"
        say(
            f"{len(left)} {noun}s wait; visigate-errors {command} test says why"
            if left
            else f"no {noun} waits any more"
        )
    return FAILED if left else DONE


@contextlib.contextmanager
def _alone(pipeline: "Pipeline") -> Iterator[None]:
    from visigate_logging.host import HostLock

    lock = HostLock(pipeline.lock)
    pipeline.lock.parent.mkdir(parents=True, exist_ok=True)
    if not lock.acquire(PATIENCE):
        raise StateError(f"{pipeline.lock}: another process is sending; try again")
    try:
        yield
    finally:
        lock.release()


def _drop(pipelines: "Sequence[Pipeline]", args: argparse.Namespace) -> int:
    noun = pipelines[0].channel.noun
    if not (args.ids or args.all):
        complain(f"name the {noun}s to drop, or give --all")
        return USAGE
    known = {m: p for p in pipelines for m in (*p.outbox.spool.waiting(), *p.outbox.spool.refused.waiting())}
    if unknown := set(args.ids) - known.keys():
        complain(f"no such {noun}: {', '.join(sorted(unknown))}")
        return FAILED
    for message_id in known if args.all else args.ids:
        with _alone(known[message_id]):
            known[message_id].outbox.drop(message_id, "dropped by the administrator")
            known[message_id].outbox.spool.refused.remove(message_id)
    return _list(pipelines, args)
