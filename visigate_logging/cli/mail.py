"""mail, notify: does it arrive, and what waits in the outbox."""

import argparse
import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visigate_logging.cli.arguments import add_json
from visigate_logging.cli.command import DONE, FAILED, USAGE
from visigate_logging.cli.configuring import add_config
from visigate_logging.cli.output import complain, say, say_json
from visigate_logging.cli.table import Column, table
from visigate_logging.exceptions import ConfigurationError, StateError
from visigate_logging.present.words import counted, spoken

if TYPE_CHECKING:
    from visigate_logging.delivery.channels.smtp import SmtpChannel
    from visigate_logging.delivery.outbox import Status
    from visigate_logging.delivery.pipeline import Pipeline
    from visigate_logging.delivery.spool import Message, Spool
    from visigate_logging.delivery.throttle import Waiting
    from visigate_logging.handlers.throttled import ThrottledHandler

__all__ = [
    "mail",
]

PATIENCE = 5.0
HOW_TO_HAVE_ONE = """To have one, put this under handlers:, and its name into root: handlers:
  mail:
    class: visigate_logging.ThrottledSMTPHandler
    mailhost: mail.example.org
    toaddrs: [admin@example.org]"""
LONGEST = 90.0
"""Seconds that a test waits for one answer: servers that are slow on purpose take up to a minute."""


def _mail_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        choices=("test", "outbox"),
        help="test: connect, log in and send a test mail; outbox: the mails that wait or were refused",
    )
    parser.add_argument(
        "what",
        nargs="?",
        choices=("list", "retry", "drop"),
        default="list",
        help="with outbox: list them (default), send what waits now, or remove some",
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help="for drop: the mails' ids, as the list has them")
    parser.add_argument("--all", action="store_true", help="for drop: all mails")
    add_config(parser)
    parser.add_argument("--handler", metavar="NAME", help="the mail handler, when the file has several")
    add_json(parser)


def mail(args: argparse.Namespace) -> int:
    """Try the mail server, or look after the outbox."""
    from visigate_logging.handlers.smtp import ThrottledSMTPHandler

    name, handler = _chosen(args.config, args.handler, ThrottledSMTPHandler, "mail", HOW_TO_HAVE_ONE)
    if args.action == "test":
        return _test(handler.routes[0].delivery.channel, as_json=args.json)  # type: ignore[arg-type]  # a mail handler's
    return _outbox(name, handler, args)


def _outbox(name: str, handler: "ThrottledHandler", args: argparse.Namespace) -> int:
    from visigate_logging.delivery.pipeline import Pipeline

    pipelines = [Pipeline(route.delivery, route.full_name(name)) for route in handler.routes]
    try:
        return {"list": _list, "retry": _retry, "drop": _drop}[args.what](pipelines, args)
    finally:
        for pipeline in pipelines:
            pipeline.state.close()


def _chosen(
    config: Path, wanted: str | None, kind: "type[ThrottledHandler]", what: str, how_to_have_one: str
) -> "tuple[str, ThrottledHandler]":
    from visigate_logging.config.check import examine
    from visigate_logging.config.load import read, refuse

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


def _test(channel: "SmtpChannel", *, as_json: bool) -> int:
    from visigate_logging.delivery.channels.server import MailServerError
    from visigate_logging.delivery.channels.session import opened
    from visigate_logging.delivery.mail import trial_message

    template = channel.template
    message = trial_message(template)
    done: list[str] = []
    try:
        with opened(channel.server, LONGEST) as session:
            done += _steps(channel)
            refused = session.deliver(template.sender, template.recipients, message, lambda: None)
    except MailServerError as error:
        return _report(done, error.step, error.problem, error.cure, as_json=as_json)
    for who in template.recipients:
        if who not in refused:
            done.append(f"send: the server has accepted the test mail to {who}")
    if refused:
        from visigate_logging.delivery.channels.cures import cure_of

        problem = "; ".join(f"{who}: {code} {text}" for who, (code, text) in refused.items())
        cures = dict.fromkeys(cure_of(code, text) for code, text in refused.values())
        step = session.step if len(refused) == len(template.recipients) else "recipient"
        return _report(done, step, problem, ". ".join(cures), as_json=as_json)
    return _report(done, as_json=as_json)


def _steps(channel: "SmtpChannel") -> list[str]:
    server = channel.server
    steps = [f"connect: {server.host}:{server.port} answers"]
    if server.security:
        how = "its certificate is valid" if server.security.verify else "its certificate is not verified"
        steps.append(f"tls: encrypted with {server.security.mode}; {how}")
    if server.credentials:
        steps.append(f"login: accepted as {server.credentials.username}")
    return steps


def _report(done: list[str], failed: str = "", problem: str = "", cure: str = "", *, as_json: bool) -> int:
    if as_json:
        say_json({"done": done, "failed": failed or None, "problem": problem or None, "cure": cure or None})
    else:
        for step in done:
            say(f"ok      {step}")
        if failed:
            say(f"FAILED  {failed}: {problem}\n        {cure}")
    return FAILED if failed else DONE


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
    import email
    import email.policy

    headers = email.message_from_bytes(message.content, policy=email.policy.default)
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
    """What no mail tells yet, in the same shape."""
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
