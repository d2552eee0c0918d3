"""A web server that slow and many clients cannot close to others; needs waitress."""

import logging
import resource
import time
from typing import Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

THREADS = 4
REQUEST_SECONDS = 10.0
"""Within which a request has to be there, or a connection that is kept alive has to ask again."""
MOST_CONNECTIONS = 2000
SPARE_DESCRIPTORS = 100
LOGIN = "/login"


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection that knows since when its client owes a request; `last_activity` moves with each byte."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.owed_since = time.monotonic()
        super().__init__(*args, **kwargs)

    @property
    def is_owed(self) -> bool:
        return not self.requests and not self.total_outbufs_len

    def service(self) -> None:
        super().service()
        self.owed_since = time.monotonic()


class _NewestFirst(ThreadedTaskDispatcher):  # type: ignore[misc]  # likewise
    """Takes what has come last first: who logs in amid a flood of guesses waits for one of them, and not for all."""

    def add_task(self, task: Any) -> None:
        with self.lock:
            self.queue.appendleft(task)
            self.queue_cv.notify()


class Server(TcpWSGIServer):  # type: ignore[misc]  # likewise
    """waitress, with a limit on the time that a request may take, and a line of its own for logins.

    - A client that sends a request byte by byte loses its connection after REQUEST_SECONDS.
    - When there are too many connections, the one that has owed a request for longest makes room.
    - To check a password takes long on purpose: one thread does nothing else, one login after the other, the newest
      first, so that guesses hold up neither who is logged in nor who logs in.
    """

    channel_class = _Channel

    def __init__(self, *args: Any, connections: int, **kwargs: Any) -> None:
        self._connections = connections
        self._swept = 0.0
        self._logins = _NewestFirst()
        self._logins.set_thread_count(1)
        super().__init__(*args, **kwargs)

    def add_task(self, task: Any) -> None:
        """Put a connection whose request is there into the line for logins or for all else."""
        request = task.requests[0]
        is_login = request.command == "POST" and request.path == LOGIN
        (self._logins if is_login else self.task_dispatcher).add_task(task)

    def readable(self) -> bool:
        """Close, once a second, what has been too slow; called in each turn of the loop."""
        now = time.monotonic()
        if now - self._swept >= 1.0:
            self._swept = now
            for channel in self._owed():
                channel.will_close = now - channel.owed_since > REQUEST_SECONDS
        return bool(super().readable())

    def handle_accept(self) -> None:
        """Accept a connection, at the cost of the slowest where there are too many."""
        if len(self.active_channels) >= self._connections and (owed := self._owed()):
            min(owed, key=lambda channel: channel.owed_since).handle_close()
        super().handle_accept()

    def close(self) -> None:
        """End both lines."""
        self._logins.shutdown()
        self.task_dispatcher.shutdown()
        super().close()

    def _owed(self) -> list[_Channel]:
        return [channel for channel in self.active_channels.values() if channel.is_owed]


def create_server(app: Any, host: str, port: int) -> Server:
    """Return a server that listens; `run` serves until interrupted.

    Args:
        app: a WSGI application.
        host: where to listen, a name or an address.
        port: 0 takes any that is free, which ``effective_port`` tells.

    Raises:
        OSError: it cannot listen there.
    """
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it tells of each request that waits for a thread
    connections = _connections()
    adj = Adjustments(
        host=host,
        port=port,
        ident=None,
        connection_limit=connections + SPARE_DESCRIPTORS,
        asyncore_use_poll=True,
        clear_untrusted_proxy_headers=False,  # the application knows whom it trusts
    )
    dispatcher = ThreadedTaskDispatcher()
    dispatcher.set_thread_count(THREADS)
    return Server(app, {}, dispatcher=dispatcher, adj=adj, sockinfo=adj.listen[0], connections=connections)


def _connections() -> int:
    """Return how many connections there may be, after raising the limit of open files to what is allowed."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + 2 * SPARE_DESCRIPTORS
    allowed = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(allowed, resource.getrlimit(resource.RLIMIT_NOFILE)[0]), most))
    return max(allowed - 2 * SPARE_DESCRIPTORS, SPARE_DESCRIPTORS)
