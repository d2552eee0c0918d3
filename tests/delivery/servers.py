"""Mail servers for tests: real ones over sockets, well-behaved and not."""

import asyncio
import contextlib
import email
import email.policy
import re
import socket
import threading
import time
from collections.abc import Callable

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Inbox:
    """Takes mails, and answers as it is told.

    Attributes:
        mails: what was accepted: recipients and parsed message.
        answers: for RCPT: address to answer; for DATA, under ``DATA``: one answer.
    """

    def __init__(self) -> None:
        self.mails = []
        self.answers = {}
        self.on_data = None

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope):
        if self.on_data is not None:
            self.on_data(server)
        answer = self.answers.get("DATA", "250 OK")
        if answer.startswith("2"):
            message = email.message_from_bytes(envelope.content, policy=email.policy.default)
            self.mails.append((tuple(envelope.rcpt_tos), message))
        return answer


class Server:
    """An aiosmtpd server on a free port, in a thread of its own."""

    def __init__(self, inbox=None, *, tls=None, starttls=None, login=None, port=0):
        self.inbox = inbox or Inbox()
        self._tls = tls
        options = {"tls_context": starttls, "require_starttls": True} if starttls else {}
        if login:
            user, password = login
            wanted = LoginPassword(user.encode(), password.encode())
            options |= {
                "authenticator": lambda *a: AuthResult(success=a[-1] == wanted, handled=False),
                "auth_required": True,
                "auth_require_tls": False,
            }
        self._make = lambda: SMTP(self.inbox, hostname="test.example", **options)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._port = port
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *exc):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def address(self):
        return ["localhost", self.port]

    def _serve(self):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            self._loop.create_server(self._make, "127.0.0.1", self._port, ssl=self._tls)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


class RawServer:
    """A listening socket whose connections are given to a function, each in its own thread."""

    def __init__(self, talk: Callable[[socket.socket], None]) -> None:
        self._talk = talk
        self._talking: list[tuple[socket.socket, threading.Thread]] = []
        self.connections = 0

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.address = ["localhost", self.port]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)
        for connection, thread in self._talking:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(10)

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._talking.append((connection, threading.Thread(target=self._run, args=(connection,), daemon=True)))
            self._talking[-1][1].start()

    def _run(self, connection):
        with contextlib.suppress(OSError), connection:
            self._talk(connection)


def say_nothing(connection):
    """Accept, and stay silent until the other side goes."""
    connection.recv(1)


def drop_in_data(connection):
    """Take everything up to the middle of the message, then go."""
    file = connection.makefile("rwb", buffering=0)
    file.write(b"220 hello\r\n")
    while line := file.readline():
        command = line[:4].upper()
        if command == b"DATA":
            file.write(b"354 go on\r\n")
            file.readline()
            connection.shutdown(socket.SHUT_RDWR)
            return
        file.write(b"250 fine\r\n")


def wait_for(condition, timeout=20.0):
    """Wait until the condition holds, and return what it gave."""
    deadline = time.monotonic() + timeout
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {condition}")
        time.sleep(0.01)


def told(messages):
    """How many errors each mail tells of, read from its text, as an administrator would."""
    return [count_in(m.get_body(("plain",)).get_content()) for m in messages]


def count_in(text):
    """The sum of the counts in the summaries of one mail."""
    pattern = (
        r"^(?:- .*?: )?(?:"
        r"New: ([\d,]+) error|"
        r"(?:It is worse: .*?\. )?It goes on: ([\d,]+) more error|"
        r"Quiet since .*? in all; ([\d,]+) of them)"
    )
    found = re.findall(pattern, text, re.MULTILINE)
    return sum(int(n.replace(",", "")) for groups in found for n in groups if n)


class SlowServer(RawServer):
    """A server that is slow on purpose, or breaks off, at one place of the dialogue.

    Args:
        greet: seconds before it greets.
        login: seconds before it answers to a password, which it refuses.
        dot: seconds before it answers to the whole message; it has the mail by then.
        hangs_up: at the dot, without an answer.
        largest: bytes of the largest message it takes.
    """

    def __init__(self, *, greet=0.0, login=0.0, dot=0.0, hangs_up=False, largest=None):
        super().__init__(self._dialogue)
        self.mails = []
        self.delays = {"greet": greet, "login": login, "dot": dot}
        self.hangs_up, self.largest = hangs_up, largest

    def _dialogue(self, connection):
        file = connection.makefile("rwb", buffering=0)
        time.sleep(self.delays["greet"])
        file.write(b"220 slow\r\n")
        while line := file.readline():
            command = line[:4].upper()
            if command == b"EHLO":
                file.write(b"250-slow\r\n250-AUTH PLAIN\r\n250 ok\r\n")
            elif command == b"AUTH":
                time.sleep(self.delays["login"])
                file.write(b"535 5.7.8 wrong\r\n")
            elif command == b"DATA":
                file.write(b"354 go on\r\n")
                if not self._message(file):
                    return
            else:
                file.write(b"221 bye\r\n" if command == b"QUIT" else b"250 fine\r\n")

    def _message(self, file):
        lines = []
        while (line := file.readline()) not in (b".\r\n", b""):
            lines.append(line)
        content = b"".join(lines)
        if self.largest and len(content) > self.largest:
            file.write(b"552 5.3.4 too large\r\n")
            return True
        self.mails.append(email.message_from_bytes(content, policy=email.policy.default))
        time.sleep(self.delays["dot"])
        if self.hangs_up:
            return False
        file.write(b"250 taken\r\n")
        return True
