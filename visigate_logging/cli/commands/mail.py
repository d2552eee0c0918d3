"""Try the mail server, or look after the outbox."""

import argparse

from visigate_logging.cli.outbox import arguments, chosen, outbox
from visigate_logging.cli.output import answer
from visigate_logging.delivery.channels.session import opened
from visigate_logging.delivery.channels.smtp import SmtpChannel
from visigate_logging.delivery.mail import trial_message
from visigate_logging.exceptions import MailServerError
from visigate_logging.handlers.smtp import ThrottledSMTPHandler

ARGUMENTS = arguments("mail")
HOW_TO_HAVE_ONE = """To have one, put this under handlers:, and its name into root: handlers:
  mail:
    class: visigate_logging.ThrottledSMTPHandler
    mailhost: mail.example.org
    toaddrs: [admin@example.org]"""
LONGEST = 90.0
"""Seconds that a test waits for one answer: servers that are slow on purpose take up to a minute."""


def run(args: argparse.Namespace) -> int:
    """Connect, log in and send a test mail, or look after the outbox."""
    name, handler = chosen(args, ThrottledSMTPHandler, "mail", HOW_TO_HAVE_ONE)
    if args.action == "outbox":
        return outbox(name, handler, args)
    return _test(handler.routes[0].delivery.channel, args)  # type: ignore[arg-type]  # a mail handler's


def _test(channel: SmtpChannel, args: argparse.Namespace) -> int:
    template = channel.template
    message = trial_message(template)
    done: list[str] = []
    try:
        with opened(channel.server, LONGEST) as session:
            done += _steps(channel)
            refused = session.deliver(template.sender, template.recipients, message, lambda: None)
    except MailServerError as error:
        return _report(args, done, error.step, error.problem, error.cure)
    for who in template.recipients:
        if who not in refused:
            done.append(f"send: the server has accepted the test mail to {who}")
    if refused:
        from visigate_logging.delivery.channels.cures import cure_of

        problem = "; ".join(f"{who}: {code} {text}" for who, (code, text) in refused.items())
        cures = dict.fromkeys(cure_of(code, text) for code, text in refused.values())
        step = session.step if len(refused) == len(template.recipients) else "recipient"
        return _report(args, done, step, problem, ". ".join(cures))
    return _report(args, done)


def _steps(channel: SmtpChannel) -> list[str]:
    server = channel.server
    steps = [f"connect: {server.host}:{server.port} answers"]
    if server.security:
        how = "its certificate is valid" if server.security.verify else "its certificate is not verified"
        steps.append(f"tls: encrypted with {server.security.mode}; {how}")
    if server.credentials:
        steps.append(f"login: accepted as {server.credentials.username}")
    return steps


def _report(args: argparse.Namespace, done: list[str], failed: str = "", problem: str = "", cure: str = "") -> int:
    data = {"done": done, "failed": failed or None, "problem": problem or None, "cure": cure or None}
    trouble = [f"FAILED  {failed}: {problem}\n        {cure}"] if failed else []
    return answer(args, data, [*(f"ok      {step}" for step in done), *trouble], failed=bool(failed))
