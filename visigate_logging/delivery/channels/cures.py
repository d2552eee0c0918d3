"""What a failure at the mail server means, and what to do about it."""

import smtplib
import socket
import ssl

from visigate_logging.delivery.channels.server import MailServerError

__all__ = ["explained"]


def explained(step: str, error: Exception, server: str, *, perhaps: bool = False) -> MailServerError:
    """Return what a failure means and what to do about it."""
    text = str(error) or type(error).__name__
    if isinstance(error, smtplib.SMTPResponseException):
        text = f"{error.smtp_code} {_line(error.smtp_error)}"
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
    return MailServerError(step, text, cure, perhaps=perhaps)


def _line(answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return " ".join(text.split())[:500]
