"""Telling systemd how a service is: ready, alive, and in a few words what it does."""

import os


def notify(*states: str) -> bool:
    """Tell the service manager something, where there is one that listens; never raises, never waits.

    https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html

    Args:
        states: such as ``READY=1``, ``WATCHDOG=1``, ``STATUS=…``.

    Returns:
        Whether it was told.
    """
    import socket

    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    name = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.setblocking(False)
            channel.connect(name)
            channel.sendall("\n".join(states).encode("utf-8", "replace"))
    except OSError:
        return False
    return True
