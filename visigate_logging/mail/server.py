"""The mail server: how to reach it, and what to do when a step fails."""

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import smtplib
    import ssl

__all__ = ["Credentials", "MailServer", "MailServerError", "Security", "deliver"]

_SESSION_LIMIT = 120.0
_NOT_ABOUT_THE_MAIL = {421, 530, 534, 535, 538}  # RFC 5321: the server closes; RFC 4954: it wants a login


class MailServerError(Exception):
    """A step with the mail server failed.

    Args:
        step: ``login data``, ``connect``, ``tls``, ``login`` or ``send``.
        problem: what was met.
        cure: what to do.
    """

    def __init__(self, step: str, problem: str, cure: str) -> None:
        super().__init__(step, problem, cure)
        self.step = step
        self.problem = problem
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.step}: {self.problem}. {self.cure}"


@dataclass(frozen=True)
class Credentials:
    """User and password; the password from one of four places, read anew for each login.

    Args:
        username: who logs in.
        password: as it is.
        password_env: name of the environment variable that holds it.
        password_file: path of the file that holds it.
        password_credential: name of the credential that systemd passes
            (https://systemd.io/CREDENTIALS, ``LoadCredential=``).
    """

    username: str
    password: str | None = None
    password_env: str | None = None
    password_file: str | None = None
    password_credential: str | None = None

    def secret(self) -> str:
        """The password.

        Raises:
            MailServerError: it is not where it should be.
        """
        if self.password is not None:
            return self.password
        if self.password_env is not None:
            return _environment(self.password_env, "Set it for the service, or use password_file")
        path = Path(self.password_file or "")
        if self.password_credential is not None:
            cure = f"Add LoadCredential={self.password_credential}:PATH to the systemd unit"
            path = Path(_environment("CREDENTIALS_DIRECTORY", cure)) / self.password_credential
        try:
            return path.read_text("utf-8").rstrip("\r\n")
        except (OSError, ValueError) as error:
            cure = "Check the path and that the service's user may read it"
            raise MailServerError("login data", f"{path}: {error}", cure) from error


def _environment(name: str, cure: str) -> str:
    if not os.environ.get(name):
        raise MailServerError("login data", f"the environment variable {name} is not set, or empty", cure)
    return os.environ[name]


@dataclass(frozen=True)
class Security:
    """How the connection is encrypted; the server's certificate is verified unless ``verify`` is false.

    Args:
        mode: ``starttls`` or ``tls`` (from the first byte, usually port 465).
        ca_file: PEM file of the authority that signed the server's certificate; default: the system's.
        cert_file: PEM file of a client certificate.
        key_file: its key, when it is not in ``cert_file``.
        verify: whether certificate and name are checked.
    """

    mode: str
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    verify: bool = True

    def context(self) -> "ssl.SSLContext":
        """The settings for the connection.

        Raises:
            MailServerError: a file cannot be used.
        """
        import ssl

        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.cert_file:
                context.load_cert_chain(self.cert_file, self.key_file)
        except (OSError, ssl.SSLError) as error:
            cure = "Check the PEM files under secure"
            raise MailServerError("tls", f"{self.ca_file or self.cert_file}: {error}", cure) from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


@dataclass(frozen=True)
class MailServer:
    """Where mails are handed in.

    Args:
        host: name or address.
        port: its port.
        credentials: None to send without a login.
        security: None for a connection in clear text.
        timeout: seconds that one answer may take; a whole session may take two minutes.
    """

    host: str
    port: int
    credentials: Credentials | None = None
    security: Security | None = None
    timeout: float = 5.0

    @contextlib.contextmanager
    def session(self) -> Iterator["smtplib.SMTP"]:
        """A connection, encrypted and logged in as configured.

        Raises:
            MailServerError: a step failed.
        """
        secret = self.credentials.secret() if self.credentials else ""
        smtp = self._client()
        with contextlib.closing(smtp), _limited(smtp):
            self._open(smtp, secret)
            yield smtp
            with contextlib.suppress(Exception):
                smtp.quit()

    def _client(self) -> "smtplib.SMTP":
        import smtplib
        import socket

        # By default smtplib asks the DNS for our own full name, and that may take long.
        name = socket.gethostname()
        name = name if "." in name else "[127.0.0.1]"
        if self.security and self.security.mode == "tls":
            return smtplib.SMTP_SSL(local_hostname=name, timeout=self.timeout, context=self.security.context())
        return smtplib.SMTP(local_hostname=name, timeout=self.timeout)

    def _open(self, smtp: "smtplib.SMTP", secret: str) -> None:
        import smtplib

        step = "connect"
        try:
            # Only the constructor sets the name that certificates are checked against, and it would connect
            # before the session's time is limited.
            smtp._host = self.host  # type: ignore[attr-defined] # see above
            code, answer = smtp.connect(self.host, self.port)
            if code != 220:
                raise smtplib.SMTPConnectError(code, answer)
            step = "tls"
            smtp.ehlo_or_helo_if_needed()
            if self.security and self.security.mode == "starttls":
                smtp.starttls(context=self.security.context())
                smtp.ehlo()
            step = "login"
            if self.credentials:
                smtp.login(self.credentials.username, secret)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise explained(step, error, f"{self.host}:{self.port}") from error


def deliver(
    smtp: "smtplib.SMTP", sender: str, recipients: Sequence[str], message: bytes
) -> dict[str, tuple[int, str]]:
    """Hand one mail in.

    Returns:
        Whom the server refused, and its answers; all others have been accepted.

    Raises:
        MailServerError: the server has gone, or does not take mails from us at all; it is unknown who has it.
    """
    import smtplib

    refused: Mapping[str, tuple[int, bytes | str]]
    try:
        refused = smtp.sendmail(sender, list(recipients), message)
    except smtplib.SMTPRecipientsRefused as error:
        refused = error.recipients
    except smtplib.SMTPNotSupportedError as error:  # an address that needs SMTPUTF8, which the server has not
        refused = dict.fromkeys(recipients, (553, str(error)))
    except smtplib.SMTPResponseException as error:
        refused = dict.fromkeys(recipients, (error.smtp_code, error.smtp_error))
    except (OSError, smtplib.SMTPException) as error:
        raise explained("send", error, smtp._host) from error  # type: ignore[attr-defined] # set by connect
    for code, answer in refused.values():
        if code in _NOT_ABOUT_THE_MAIL:
            raise explained("send", smtplib.SMTPResponseException(code, answer), "")
    return {who: (code, _text(answer)) for who, (code, answer) in refused.items() if who in recipients}


def explained(step: str, error: Exception, server: str) -> MailServerError:
    """What a failure means and what to do about it."""
    import smtplib
    import socket
    import ssl

    text = str(error) or type(error).__name__
    if isinstance(error, smtplib.SMTPResponseException):
        text = f"{error.smtp_code} {_text(error.smtp_error)}"
    cure = "Mails are kept and sent when it works again"
    if isinstance(error, ssl.SSLCertVerificationError):
        step, text = "tls", f"the certificate of {server} is not valid: {error.verify_message}"
        cure = "Check mailhost (it must be the name in the certificate), the clock, and secure.ca_file"
    elif isinstance(error, ssl.SSLError):
        step, cure = "tls", "Check that port and secure belong together: 465 is tls, 587 and 25 are starttls"
    elif isinstance(error, smtplib.SMTPNotSupportedError):
        cure = "The server does not offer it: check mailhost, its port, and secure"
    elif isinstance(error, smtplib.SMTPAuthenticationError):
        cure = "Check credentials: user, password, and whether the provider asks for an app password"
    elif isinstance(error, socket.gaierror):
        text, cure = f"the name {server} cannot be resolved: {error.strerror}", "Check mailhost and the network"
    elif isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        text, cure = f"{server} did not answer in time", "Check the port, the firewall, and timeout"
    elif isinstance(error, ConnectionRefusedError):
        text, cure = f"{server} refused the connection", "Check that the server runs, and its port"
    return MailServerError(step, text, cure)


@contextlib.contextmanager
def _limited(smtp: "smtplib.SMTP") -> Iterator[None]:
    """End a session that takes too long: ``timeout`` bounds one read, but not a server that sends drop by drop."""
    timer = threading.Timer(_SESSION_LIMIT, _shut_down, (smtp,))
    timer.daemon = True
    with contextlib.suppress(RuntimeError):  # while the interpreter ends no thread can be started
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _shut_down(smtp: "smtplib.SMTP") -> None:
    import socket

    if smtp.sock is not None:
        with contextlib.suppress(OSError):
            smtp.sock.shutdown(socket.SHUT_RDWR)


def _text(answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return " ".join(text.split())[:500]
