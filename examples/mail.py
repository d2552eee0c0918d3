"""A storm of errors, and the mails that administrators get: ``python examples/mail.py [DIRECTORY]``.

Four processes of a gate meet the same faults hundreds of times. A mail server on this machine takes what the mail
handler sends; at the end the mails are shown, and how many errors became how many mails. It needs aiosmtpd
(``pip install aiosmtpd``). The waits are those of a demonstration: seconds, where an installation has minutes.
"""

import asyncio
import email
import email.policy
import logging
import logging.config
import multiprocessing
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ERRORS = 250
FAULTS = (("camera", ConnectionError), ("recognition", ValueError), ("database", OSError))


class Administrator:
    """Receives the mails."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """Keep a mail."""
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 kept"


def main() -> int:
    """Run the storm, then show the mails."""
    if len(sys.argv) > 1:
        return storm(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="visigate-") as directory:
        return storm(directory)


def storm(directory: str) -> int:
    """Run it, with what the handlers keep in a directory."""
    state, administrator = str(Path(directory) / "state"), Administrator()
    port = mail_server(administrator)
    if port is None:
        print("aiosmtpd is not installed: pip install aiosmtpd")
        return 1
    print(f"Four processes, each with {ERRORS} errors of {len(FAULTS)} kinds …", flush=True)
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=gate, args=(port, state), name=f"gate-{n}") for n in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    configure(port, state)
    handler: Any = logging.getLogger().handlers[-1]
    while handler.counts()["pending"]:
        time.sleep(0.1)
    for mail in administrator.mails:
        print(f"  {mail['Subject']}")
    print(f"{4 * ERRORS} errors became {len(administrator.mails)} mails. The last one:\n")
    print(administrator.mails[-1].get_body(("plain",)).get_content())
    return 0


def gate(port: int, state: str) -> None:
    """One process of the gate."""
    configure(port, state)
    for n in range(ERRORS):
        name, kind = FAULTS[n % len(FAULTS)]
        try:
            raise kind(f"{name} is away")
        except kind:
            logging.getLogger(f"visigate.{name}").exception("attempt %d failed", n)
        time.sleep(0.01)


def configure(port: int, state: str) -> None:
    """What stands in logging.yaml, with the waits of a demonstration."""
    mail = {
        "class": "visigate_logging.ThrottledSMTPHandler",
        "mailhost": ["127.0.0.1", port],
        "fromaddr": "gate@example.org",
        "toaddrs": ["admin@example.org"],
        "severity": "ERROR",
        "state_dir": state,
        "interval": 2,
        "max_interval": 8,
        "quiet": 20,
    }
    logging.config.dictConfig(
        {"version": 1, "handlers": {"mail": mail}, "loggers": {"visigate": {}}, "root": {"handlers": ["mail"]}}
    )


def mail_server(administrator: Administrator) -> int | None:
    """Start a mail server on a free port, in a thread; None where aiosmtpd is not installed."""
    try:
        from aiosmtpd.smtp import SMTP
    except ImportError:
        return None
    ready: list[int] = []
    begun = threading.Event()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(administrator, hostname="localhost"), "127.0.0.1", 0)
        ready.append(server.sockets[0].getsockname()[1])
        begun.set()
        await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(run()), daemon=True).start()
    begun.wait()
    return ready[0]


if __name__ == "__main__":
    sys.exit(main())
