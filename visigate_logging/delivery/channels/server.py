"""The mail server: how to reach it, and what to do when a step fails."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from visigate_logging.exceptions import ConfigurationError, MailServerError
from visigate_logging.options import Via

if TYPE_CHECKING:
    import ssl

PASSWORDS = ("password", "password_env", "password_file", "password_credential")
"""Where a password can be."""


def _line(value: str) -> str:
    if not value.strip() or len(value.splitlines()) != 1:
        raise ValueError("is not one line of text")
    return value


Line = Annotated[str, Via(_line)]
"""One line of text, which is not empty."""


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

    username: Line
    password: Line | None = None
    password_env: Line | None = None
    password_file: Line | None = None
    password_credential: Line | None = None

    def __post_init__(self) -> None:
        given = (self.password, self.password_env, self.password_file, self.password_credential)
        if sum(one is not None for one in given) != 1:
            raise ConfigurationError("", f"needs username and exactly one of {', '.join(PASSWORDS)}")

    def secret(self) -> str:
        """Return the password.

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

    mode: Literal["starttls", "tls"]
    ca_file: Line | None = None
    cert_file: Line | None = None
    key_file: Line | None = None
    verify: bool = True

    def context(self) -> "ssl.SSLContext":
        """Return the settings for the connection.

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
        timeout: seconds for the connection; what comes after it has the limits of RFC 5321.
    """

    host: str
    port: int
    credentials: Credentials | None = None
    security: Security | None = None
    timeout: float = 5.0
