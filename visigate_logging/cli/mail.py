"""mail, notify: does it arrive, and what waits in the outbox."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from visigate_logging.cli.arguments import add_json
from visigate_logging.cli.command import DONE, FAILED
from visigate_logging.cli.configuring import add_config
from visigate_logging.cli.outbox import outbox
from visigate_logging.cli.output import say, say_json
from visigate_logging.exceptions import ConfigurationError

if TYPE_CHECKING:
    from visigate_logging.delivery.channels.smtp import SmtpChannel
    from visigate_logging.handlers.throttled import ThrottledHandler


HOW_TO_HAVE_ONE = """To have one, put this under handlers:, and its name into root: handlers:
  mail:
    class: visigate_logging.ThrottledSMTPHandler
    mailhost: mail.example.org
    toaddrs: [admin@example.org]"""
HOW_TO_NOTIFY = """To have one, put this under handlers:, and its name into root: handlers:
  notify:
    class: visigate_logging.NotificationHandler
    urls: [ntfy://ntfy.sh/TOPIC]"""
LONGEST = 90.0
"""Seconds that a test waits for one answer: servers that are slow on purpose take up to a minute."""


def _mail_arguments(parser: argparse.ArgumentParser) -> None:
    _arguments(parser, "mail")


def _notify_arguments(parser: argparse.ArgumentParser) -> None:
    _arguments(parser, "notification")


def _arguments(parser: argparse.ArgumentParser, noun: str) -> None:
    parser.add_argument(
        "action",
        choices=("test", "outbox"),
        help=f"test: connect, log in and send a test {noun}; outbox: the {noun}s that wait or were refused",
    )
    parser.add_argument(
        "what",
        nargs="?",
        choices=("list", "retry", "drop"),
        default="list",
        help="with outbox: list them (default), send what waits now, or remove some",
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help=f"for drop: the {noun}s' ids, as the list has them")
    parser.add_argument("--all", action="store_true", help=f"for drop: all {noun}s")
    add_config(parser)
    parser.add_argument("--handler", metavar="NAME", help=f"the {noun} handler, when the file has several")
    add_json(parser)


def mail(args: argparse.Namespace) -> int:
    """Try the mail server, or look after the outbox."""
    from visigate_logging.handlers.smtp import ThrottledSMTPHandler

    name, handler = _chosen(args.config, args.handler, ThrottledSMTPHandler, "mail", HOW_TO_HAVE_ONE)
    if args.action == "test":
        return _test(handler.routes[0].delivery.channel, as_json=args.json)  # type: ignore[arg-type]  # a mail handler's
    return outbox(name, handler, args)


def notify(args: argparse.Namespace) -> int:
    """Try the notification services, or look after their outbox."""
    from visigate_logging.handlers.notification import NotificationHandler

    name, handler = _chosen(args.config, args.handler, NotificationHandler, "notification", HOW_TO_NOTIFY)
    if args.action == "outbox":
        return outbox(name, handler, args)

    from visigate_logging.delivery.channels import Accepted
    from visigate_logging.delivery.channels.notification import NotificationChannel

    done, failed = list[str](), dict[str, str]()
    for channel in (route.delivery.channel for route in handler.routes):
        for outcome in channel.try_out() if isinstance(channel, NotificationChannel) else ():
            if isinstance(outcome, Accepted):
                done += outcome.recipients
            else:
                failed |= dict.fromkeys(outcome.recipients, outcome.reason)
    if args.json:
        say_json({"done": done, "failed": failed})
    else:
        for who in done:
            say(f"ok      {who}: the service has accepted the test")
        for who, reason in failed.items():
            say(f"FAILED  {who}: {reason}")
    return FAILED if failed else DONE


def _chosen(
    config: Path, wanted: str | None, kind: "type[ThrottledHandler]", what: str, how_to_have_one: str
) -> "tuple[str, ThrottledHandler]":
    from visigate_logging.config.check import examine
    from visigate_logging.config.load import read
    from visigate_logging.config.source import refuse

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
