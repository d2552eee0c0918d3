"""Try the notification services, or look after their outbox."""

import argparse

from visigate_logging.cli.outbox import arguments, chosen, outbox
from visigate_logging.cli.output import answer
from visigate_logging.delivery.channels import Accepted
from visigate_logging.delivery.channels.notification import NotificationChannel
from visigate_logging.handlers.notification import NotificationHandler

ARGUMENTS = arguments("notification")
HOW_TO_HAVE_ONE = """To have one, put this under handlers:, and its name into root: handlers:
  notify:
    class: visigate_logging.NotificationHandler
    urls: [ntfy://ntfy.sh/TOPIC]"""


def run(args: argparse.Namespace) -> int:
    """Send a test to each service, or look after the outbox."""
    name, handler = chosen(args, NotificationHandler, "notification", HOW_TO_HAVE_ONE)
    if args.action == "outbox":
        return outbox(name, handler, args)

    done, failed = list[str](), dict[str, str]()
    for channel in (route.delivery.channel for route in handler.routes):
        for outcome in channel.try_out() if isinstance(channel, NotificationChannel) else ():
            if isinstance(outcome, Accepted):
                done += outcome.recipients
            else:
                failed |= dict.fromkeys(outcome.recipients, outcome.reason)
    lines = [f"ok      {who}: the service has accepted the test" for who in done]
    lines += [f"FAILED  {who}: {reason}" for who, reason in failed.items()]
    return answer(args, {"done": done, "failed": failed}, lines, failed=bool(failed))
