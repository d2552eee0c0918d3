"""What waits in an outbox: listed, tried now, or removed; and whose outbox it is."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from visigate_logging.cli.arguments import CONFIG, JSON, Args, Argument, argument
from visigate_logging.cli.command import FAILED, USAGE
from visigate_logging.cli.output import answer, complain
from visigate_logging.cli.table import Column, table
from visigate_logging.config.check import examine
from visigate_logging.config.load import read
from visigate_logging.config.source import refuse
from visigate_logging.delivery.mail import parsed
from visigate_logging.delivery.outbox import Status
from visigate_logging.delivery.pipeline import Pipeline
from visigate_logging.delivery.spool import Message, Spool
from visigate_logging.delivery.throttle import Waiting
from visigate_logging.exceptions import ConfigurationError, StateError
from visigate_logging.handlers.throttled import ThrottledHandler
from visigate_logging.host import HostLock
from visigate_logging.present.words import counted, spoken

PATIENCE = 5.0
COLUMNS = (
    Column("STATE"),
    Column("ID"),
    Column("SUBJECT", stretches=True),
    Column("TO", dropped=2),
    Column("WHY", dropped=1),
)


def arguments(noun: str) -> tuple[Argument, ...]:
    """Return what a command for a kind of message takes."""
    test = f"test: connect, log in and send a test {noun}; outbox: the {noun}s that wait or were refused"
    outbox = "with outbox: list them, send what waits now, or remove some"
    return (
        argument("action", test, choices=("test", "outbox")),
        argument("what", outbox, nargs="?", choices=("list", "retry", "drop"), default="list"),
        argument("ids ID", f"for drop: the {noun}s' ids, as the list has them", nargs="*"),
        argument("--all", f"for drop: all {noun}s"),
        *CONFIG,
        argument("--handler NAME", f"the {noun} handler, when the file has several"),
        JSON,
    )


def chosen(args: Args, kind: type[ThrottledHandler], what: str, how_to_have_one: str) -> tuple[str, ThrottledHandler]:
    """Return name and object of the handler of a kind that is named, or is the only one.

    Raises:
        ConfigurationError: there is none, or there are several, or it cannot be made.
    """
    wanted, config = args.handler, args.config
    source = read(config)
    found = {str(made.key[1]): made for made in examine(source) if made.makes(kind)}
    is_known = wanted in found if wanted else len(found) == 1
    about = tuple(f"handlers.{name}" for name in found)
    wrong = [p for p in source.errors if not (is_known and p.key) or p.key.startswith(about)]
    if wrong:
        raise refuse(source, wrong)
    if not is_known:
        if not found:
            raise ConfigurationError("handlers", f"{what} handlers of this file are: none. {how_to_have_one}")
        problem = f"{what} handlers of this file are: {', '.join(found)}"
        raise ConfigurationError("handlers", f"{problem}; choose one with --handler")
    name = wanted or next(iter(found))
    try:
        handler: ThrottledHandler = found[name].factory(**{p.name: value for p, value in found[name].arguments()})
    except ConfigurationError as error:
        raise ConfigurationError(f"handlers.{name}.{error.key}", error.problem) from error
    if not handler.routes:
        place = source.place(found[name].key)
        raise ConfigurationError(f"handlers.{name}", f"{handler.off} ({config}:{place.line}:{place.column})")
    return name, handler


def outbox(name: str, handler: ThrottledHandler, args: Args) -> int:
    """List what waits in a handler's outbox, try it now, or remove some."""
    pipelines = [Pipeline(route.delivery, route.full_name(name)) for route in handler.routes]
    try:
        return {"list": _list, "retry": _retry, "drop": _drop}[args.what](pipelines, args)
    finally:
        for pipeline in pipelines:
            pipeline.state.close()


def _list(pipelines: Sequence[Pipeline], args: Args) -> int:
    listed = [one for pipeline in pipelines for one in _listed(pipeline)]
    rows = [(m["state"], m["id"], m["subject"], " ".join(m["recipients"]), m["reason"]) for m in listed]
    none = f"no {pipelines[0].channel.noun}s in {', '.join(str(p.outbox.spool.directory) for p in pipelines)}"
    return answer(args, listed, [table(COLUMNS, rows) if rows else none])


def _listed(pipeline: Pipeline) -> list[dict[str, Any]]:
    spool, has_state = pipeline.outbox.spool, pipeline.state.path.exists()
    rows = pipeline.outbox.all() if has_state else {}
    listed = [_described(message, "waiting", spool, rows.get(message.id)) for message in spool.messages()]
    listed += [_described(message, "refused", spool.refused, None) for message in spool.refused.messages()]
    return listed + [_untold(*waiting) for waiting in (pipeline.incidents.waiting() if has_state else ())]


def _described(message: Message, state: str, spool: Spool, row: Status | None) -> dict[str, Any]:
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


def _why(row: Status) -> str:
    next_try = f"next try in {spoken(row.wait)}" if row.wait > 0 else "is tried now"
    return ". ".join(filter(None, (row.reason, f"{counted(row.tries, 'try', 'tries')}, {next_try}")))


def _untold(waiting: Waiting, seconds: float, title: str) -> dict[str, Any]:
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


def _retry(pipelines: Sequence[Pipeline], args: Args) -> int:
    for pipeline in pipelines:
        with _alone(pipeline):
            pipeline.sender.retry_refused()
        pipeline.outbox.try_now()
        while pipeline.turn() == 0.0:
            continue
    left = [message_id for pipeline in pipelines for message_id in pipeline.outbox.spool.waiting()]
    refused = [message_id for pipeline in pipelines for message_id in pipeline.outbox.spool.refused.waiting()]
    noun = pipelines[0].channel.noun
    command = "mail" if noun == "mail" else "notify"
    told = (
        f"{len(left)} {noun}s wait; visigate-errors {command} test says why" if left else f"no {noun} waits any more"
    )
    return answer(args, {"waiting": left, "refused": refused}, [told], failed=bool(left))


@contextlib.contextmanager
def _alone(pipeline: Pipeline) -> Iterator[None]:
    pipeline.lock.parent.mkdir(parents=True, exist_ok=True)
    with HostLock(pipeline.lock).tried(PATIENCE) as is_ours:
        if not is_ours:
            raise StateError(f"{pipeline.lock}: another process is sending; try again")
        yield


def _drop(pipelines: Sequence[Pipeline], args: Args) -> int:
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
