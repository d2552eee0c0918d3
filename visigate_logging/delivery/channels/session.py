"""One connection to a mail server, with the time limits of RFC 5321 for each of its phases."""

import contextlib
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from visigate_logging.delivery.channels.cures import explained
from visigate_logging.delivery.mail import shortened

if TYPE_CHECKING:
    from visigate_logging.delivery.channels.server import MailServer

LIMITS = {
    "greeting": 300.0,
    "command": 300.0,
    "tls": 120.0,
    "login": 300.0,
    "data": 120.0,
    "block": 180.0,
    "dot": 600.0,
}
"""Seconds for each phase (https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.2): servers wait on purpose."""

_QUIT = 2.0
_NOT_ABOUT_THE_MAIL = {421, 530, 534, 535, 538}  # RFC 5321: the server closes; RFC 4954: it wants a login
_TOO_LARGE = 552
Answers = dict[str, tuple[int, str]]


class Session(smtplib.SMTP):
    """smtplib's client, but each answer has its own time limit, however the server spreads its bytes.

    Args:
        name: that the server is told of ourselves; by default smtplib asks the DNS, which may take long.
        longest: seconds for any answer.
    """

    def __init__(self, name: str, longest: float = 600.0) -> None:
        super().__init__(local_hostname=name)
        self.limit = LIMITS["greeting"]
        self.step = "send"
        """What was being done last."""
        self._longest = longest

    def adopt(self, sock: socket.socket, host: str) -> None:
        """Use a connection that was made elsewhere, with its own time limit."""
        self.sock = sock
        self._host = host  # what certificates are checked against; only the constructor would set it

    def getreply(self) -> tuple[int, bytes]:
        """Return the server's answer, within the limit."""
        if self.sock is not None and self.file is None:
            self.file = _Answers(self.sock)
        answers = self.file
        if answers is not None:
            answers.deadline = time.monotonic() + min(self.limit, self._longest)
        code, answer = super().getreply()
        # smtplib takes the first four bytes for the code: what no mail server says would not be known again.
        return code, answers.last if code == -1 and answers is not None else answer

    def deliver(self, sender: str, recipients: Sequence[str], message: bytes, commit: Callable[[], None]) -> Answers:
        """Hand one mail in; a short form of it when it is too large for the server.

        Args:
            sender: address, with or without a name.
            recipients: addresses.
            message: with CRLF at the end of each line.
            commit: called just before the dot that ends the message: from then on a missing answer means perhaps.

        Returns:
            Whom the server did not take it for, and its answers; all others have been accepted.

        Raises:
            MailServerError: the server has gone, or does not take mails from us at all.
        """
        answers = self._deliver(sender, recipients, message, commit)
        too_large = [who for who, (code, _) in answers.items() if code == _TOO_LARGE]
        if too_large and (short := shortened(message)):
            answers |= dict.fromkeys(too_large, (0, ""))
            answers |= self._deliver(sender, too_large, short, commit)
        for code, answer in answers.values():
            if code in _NOT_ABOUT_THE_MAIL:
                raise explained(self.step, smtplib.SMTPResponseException(code, answer), self._host)
        return {who: answer for who, answer in answers.items() if answer[0]}

    def _deliver(self, sender: str, recipients: Sequence[str], message: bytes, commit: Callable[[], None]) -> Answers:
        committed = False

        def noted() -> None:
            nonlocal committed
            commit()
            committed = True

        try:
            return self._transaction(sender, recipients, message, noted)
        except UnicodeError as error:  # an address that needs SMTPUTF8, which the server has not
            return dict.fromkeys(recipients, (553, str(error)))
        except (OSError, smtplib.SMTPException) as error:
            raise explained("answer" if committed else self.step, error, self._host, perhaps=committed) from error

    def _transaction(
        self, sender: str, recipients: Sequence[str], message: bytes, commit: Callable[[], None]
    ) -> Answers:
        self.limit = LIMITS["command"]
        self.step = "sender"
        size = [f"size={len(message)}"] if self.has_extn("size") else []
        code, answer = self.mail(sender, size)
        if code != 250:
            return self._all(recipients, code, answer)
        answers, code = self._rejected(recipients)
        if code == 421:
            return answers
        if len(answers) == len(recipients):
            self.rset()
            return answers
        self.step, self.limit = "message", LIMITS["data"]
        code, answer = self.docmd("DATA")
        if code == 354:
            code, answer = self._content(message, commit)
        left = [who for who in recipients if who not in answers]
        return answers if code == 250 else answers | self._all(left, code, answer)

    def _rejected(self, recipients: Sequence[str]) -> tuple[Answers, int]:
        """Name the recipients; return those whom the server does not take it for, and its last code."""
        self.step = "recipient"
        answers: Answers = {}
        code = 0
        for who in recipients:
            code, answer = self.rcpt(who)
            if code not in (250, 251):
                answers[who] = code, _text(answer)
            if code == 421:
                break
        return answers, code

    def _content(self, message: bytes, commit: Callable[[], None]) -> tuple[int, bytes]:
        if self.sock is not None:
            self.sock.settimeout(LIMITS["block"])
        content = re.sub(rb"(?m)^\.", b"..", message)
        self.send(content if content.endswith(b"\r\n") else content + b"\r\n")
        commit()  # only with the dot may the server take it: a link that breaks before has delivered nothing
        self.send(b".\r\n")
        self.limit = LIMITS["dot"]
        return self.getreply()

    def _all(self, recipients: Sequence[str], code: int, answer: bytes) -> Answers:
        if code != 421:
            with contextlib.suppress(smtplib.SMTPServerDisconnected):
                self.rset()
        return dict.fromkeys(recipients, (code, _text(answer)))


@contextlib.contextmanager
def opened(server: "MailServer", longest: float = 600.0) -> Iterator[Session]:
    """Open a connection, encrypted and logged in as configured.

    Args:
        server: which.
        longest: seconds for an answer, where somebody waits who should not wait as long as the RFC has it.

    Raises:
        MailServerError: a step failed.
    """
    secret = server.credentials.secret() if server.credentials else ""
    name = socket.gethostname()
    session = Session(name if "." in name else "[127.0.0.1]", longest)
    with contextlib.closing(session):
        _open(session, server, secret)
        yield session
        session.limit = _QUIT
        with contextlib.suppress(Exception):
            session.quit()


def _open(session: Session, server: "MailServer", secret: str) -> None:
    step = "connect"
    mode = server.security.mode if server.security else None
    try:
        sock = socket.create_connection((server.host, server.port), server.timeout)
        session.adopt(sock, server.host)  # from here on it is closed with the session
        if server.security and mode == "tls":
            step = "tls"
            sock.settimeout(LIMITS["tls"])
            session.adopt(server.security.context().wrap_socket(sock, server_hostname=server.host), server.host)
        step = "greeting"
        code, answer = session.getreply()
        if code != 220:
            raise smtplib.SMTPConnectError(code, answer)
        session.limit = LIMITS["command"]
        session.ehlo_or_helo_if_needed()
        if server.security and mode == "starttls":
            step = "tls"
            session.limit = LIMITS["tls"]
            session.starttls(context=server.security.context())
            session.ehlo()
        if server.credentials:
            step, session.limit = "login", LIMITS["login"]
            session.login(server.credentials.username, secret)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise explained(step, error, f"{server.host}:{server.port}", mode=mode) from error


class _Answers:
    """What smtplib reads lines from: a deadline for the whole answer, not for each of its bytes."""

    def __init__(self, sock: "socket.socket | ssl.SSLSocket") -> None:
        self._sock = sock
        self._read = self.last = b""
        self.deadline = 0.0

    def readline(self, limit: int) -> bytes:
        """Return one line, or what there is when the server has closed."""
        while b"\n" not in self._read and len(self._read) < limit:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(left)
            more = self._sock.recv(4096)
            if not more:
                break
            self._read += more
        self.last, newline, self._read = self._read.partition(b"\n")
        return self.last + newline

    def close(self) -> None:
        """Do nothing: the socket is the session's."""


def _text(answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return " ".join(text.split())[:500]
