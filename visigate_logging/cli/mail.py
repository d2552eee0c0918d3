"""mail: does it arrive, and what waits in the outbox."""

import argparse
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
    from visigate_logging.delivery.desk import MailDesk
    from visigate_logging.delivery.letters import LetterRow
    from visigate_logging.delivery.options import MailOptions
    from visigate_logging.delivery.outbox import Letter
    from visigate_logging.delivery.throttle import Waiting
    from visigate_logging.host import HostLock

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
    name, options = _chosen(args.config, args.handler)
    if args.action == "test":
        return _test(options, as_json=args.json)

    from visigate_logging.delivery.desk import MailDesk

    desk = MailDesk(options, name)
    try:
        return {"list": _list, "retry": _retry, "drop": _drop}[args.what](desk, args)
    finally:
        desk.state.close()


def _chosen(config: Path, wanted: str | None) -> "tuple[str, MailOptions]":
    from visigate_logging.config.check import examine
    from visigate_logging.config.load import read, refuse
    from visigate_logging.handlers.smtp import ThrottledSMTPHandler

    source = read(config)
    found = {str(made.key[1]): made for made in examine(source) if made.makes(ThrottledSMTPHandler)}
    is_known = wanted in found if wanted else len(found) == 1
    about = tuple(f"handlers.{name}" for name in found)
    wrong = [p for p in source.errors if not (is_known and p.key) or p.key.startswith(about)]
    if wrong:
        raise refuse(source, wrong)
    if not is_known:
        if not found:
            raise ConfigurationError("handlers", f"mail handlers of this file are: none. {HOW_TO_HAVE_ONE}")
        problem = f"mail handlers of this file are: {', '.join(found)}"
        raise ConfigurationError("handlers", f"{problem}; choose one with --handler")
    name = wanted or next(iter(found))
    try:
        handler = found[name].factory(**{p.name: value for p, value in found[name].arguments()})
    except ConfigurationError as error:
        raise ConfigurationError(f"handlers.{name}.{error.key}", error.problem) from error
    if handler.options is None:
        place = source.place(found[name].key)
        raise ConfigurationError(f"handlers.{name}", f"{handler.off} ({config}:{place.line}:{place.column})")
    return name, handler.options


def _test(options: "MailOptions", *, as_json: bool) -> int:
    from visigate_logging.delivery.channels.server import MailServerError
    from visigate_logging.delivery.channels.session import opened
    from visigate_logging.delivery.message import trial_message

    server, envelope = options.server, options.envelope
    message = trial_message(envelope)
    done: list[str] = []
    try:
        with opened(server, LONGEST) as session:
            done += _steps(options)
            refused = session.deliver(envelope.sender, envelope.recipients, message, lambda: None)
    except MailServerError as error:
        return _report(done, error.step, error.problem, error.cure, as_json=as_json)
    for who in envelope.recipients:
        if who not in refused:
            done.append(f"send: the server has accepted the test mail to {who}")
    if refused:
        from visigate_logging.delivery.channels.cures import cure_of

        problem = "; ".join(f"{who}: {code} {text}" for who, (code, text) in refused.items())
        cures = dict.fromkeys(cure_of(code, text) for code, text in refused.values())
        step = session.step if len(refused) == len(envelope.recipients) else "recipient"
        return _report(done, step, problem, ". ".join(cures), as_json=as_json)
    return _report(done, as_json=as_json)


def _steps(options: "MailOptions") -> list[str]:
    server = options.server
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


def _list(desk: "MailDesk", args: argparse.Namespace) -> int:
    rows = desk.letters.all() if desk.state.path.exists() else {}
    listed = [_described(letter, "waiting", rows.get(letter.id)) for letter in desk.outbox.letters()]
    listed += [_described(letter, "refused", None) for letter in desk.outbox.refused.letters()]
    if desk.state.path.exists():
        listed += [_untold(*waiting) for waiting in desk.ledger.waiting()]
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
        say(f"no mails in {desk.outbox.directory}")
    return DONE


def _described(letter: "Letter", state: str, row: "LetterRow | None") -> dict[str, Any]:
    import email
    import email.policy

    headers = email.message_from_bytes(letter.message, policy=email.policy.default)
    return {
        "id": letter.id,
        "state": state,
        "subject": str(headers["Subject"] or ""),
        "date": str(headers["Date"] or ""),
        "recipients": list(letter.recipients),
        "answers": list(letter.answers),
        "path": str(letter.path),
        "tries": row.tries if row else 0,
        "seconds": max(row.wait, 0.0) if row else None,
        "reason": _why(row) if row else "; ".join(letter.answers),
    }


def _why(row: "LetterRow") -> str:
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


def _retry(desk: "MailDesk", args: argparse.Namespace) -> int:
    lock = _alone(desk)
    try:
        desk.sender.retry_refused()
    finally:
        lock.release()
    desk.letters.try_now()
    while desk.turn() == 0.0:
        continue
    left = desk.outbox.waiting()
    if args.json:
        say_json({"waiting": left, "refused": desk.outbox.refused.waiting()})
    else:
        say(f"{len(left)} mails wait; visigate-errors mail test says why" if left else "no mail waits any more")
    return FAILED if left else DONE


def _alone(desk: "MailDesk") -> "HostLock":
    from visigate_logging.host import HostLock

    lock = HostLock(desk.lock)
    desk.lock.parent.mkdir(parents=True, exist_ok=True)
    if not lock.acquire(PATIENCE):
        raise StateError(f"{desk.lock}: another process is sending; try again")
    return lock


def _drop(desk: "MailDesk", args: argparse.Namespace) -> int:
    if not (args.ids or args.all):
        complain("name the mails to drop, or give --all")
        return USAGE
    known = {*desk.outbox.waiting(), *desk.outbox.refused.waiting()}
    if unknown := set(args.ids) - known:
        complain(f"no such mail: {', '.join(sorted(unknown))}")
        return FAILED
    lock = _alone(desk)
    try:
        for name in known if args.all else args.ids:
            desk.sender.drop(name, "dropped by the administrator")
            desk.outbox.refused.remove(name)
    finally:
        lock.release()
    return _list(desk, args)
