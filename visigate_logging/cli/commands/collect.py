"""Gather what many gates have sent to a hub in the log of this host."""

import os
import signal
import threading
from typing import TYPE_CHECKING

from visigate_logging.cli.arguments import CONFIG, Args, argument
from visigate_logging.cli.command import DONE
from visigate_logging.cli.output import complain
from visigate_logging.config.apply import configure
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.handlers.json_file import JsonFileHandler
from visigate_logging.handlers.throttled import ThrottledHandler
from visigate_logging.host import HostLock
from visigate_logging.host.supervision import notify
from visigate_logging.lifecycle.telling import handlers_of
from visigate_logging.options import build

if TYPE_CHECKING:
    from visigate_logging.fleet.consumers import Subscription
    from visigate_logging.fleet.intake import Intake

SERVER = "VISIGATE_HUB"


ARGUMENTS = (
    argument(
        "--server URL",
        f"the hub, tls://HOST:PORT or nats://HOST:PORT; may be given again for others of its cluster (default: "
        f"{SERVER}, which keeps a password out of the list of processes)",
        action="append",
    ),
    argument("--credentials FILE", "of nsc, with the collector's JWT and key"),
    argument("--ca-file FILE", "certificates of the authorities to trust (default: the system's)"),
    argument("--cert-file FILE", "what the hub is shown"),
    argument("--key-file FILE", "the key to it"),
    argument(
        "--name NAME",
        "of the durable consumer: collectors with different names each get everything",
        default="collector",
    ),
    argument("--site SITE", "collect of this site only; may be given again for another", action="append", default=[]),
    *CONFIG,
)


def run(args: Args) -> int:
    """Collect until a signal ends it."""
    from visigate_logging.fleet.collector import Collector

    hub = _hub(args)
    configure(args.config)
    intake = _intake(hub.name)
    lock = HostLock(intake.refused.path.with_name(f"collect-{hub.name}.lock"))
    if not lock.acquire():
        raise ConfigurationError("--name", f"{hub.name}: another process of this host collects under it")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    complain(f"collecting as {hub.name}; ended by SIGTERM")
    notify("READY=1")
    try:
        Collector(hub, intake).run(ended)
    finally:
        notify("STOPPING=1")
        intake.close()
        lock.release()
    return DONE


def _hub(args: Args) -> "Subscription":
    from visigate_logging.fleet.consumers import Subscription

    servers = args.server or os.environ.get(SERVER, "").split()
    if not servers:
        raise ConfigurationError("--server", f"is missing; give it, or set {SERVER}")
    files = {name: getattr(args, name) for name in ("ca_file", "cert_file", "key_file") if getattr(args, name)}
    given = {"servers": servers, "credentials_file": args.credentials, "name": args.name, "sites": args.site}
    return build(Subscription, given | ({"tls": files} if files else {}))


def _intake(name: str) -> "Intake":
    """Return what takes in for the log of the configuration that runs."""
    import logging

    from visigate_logging.fleet.intake import Intake

    handlers = list(handlers_of(logging.getLogger("visigate.fleet")))
    logs = [handler for handler in handlers if isinstance(handler, JsonFileHandler)]
    if len(logs) != 1:
        problem = f"{len(logs)} of class visigate_logging.JsonFileHandler are reached by the logger visigate.fleet"
        raise ConfigurationError("handlers", f"{problem}; the collector writes into the file of one")
    return Intake(logs[0], [handler for handler in handlers if isinstance(handler, ThrottledHandler)], name)
