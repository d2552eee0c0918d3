"""ThrottledSMTPHandler: tells administrators of errors by mail, once and clearly."""

from typing import Annotated

from visigate_logging.delivery.channels.server import Line
from visigate_logging.delivery.mail_options import (
    Addresses,
    Login,
    MailHost,
    Secure,
    mail_delivery,
    mail_server,
    mail_template,
)
from visigate_logging.delivery.options import AdviceTable, Positive, Severity, StateDirectory, Summary
from visigate_logging.delivery.routes import Route
from visigate_logging.delivery.throttle import Windows
from visigate_logging.handlers.throttled import ThrottledHandler
from visigate_logging.options import Range, Seconds, checked

_OFF = "no mail is sent: for that, give mailhost (the server) and toaddrs (who is told)"


class ThrottledSMTPHandler(ThrottledHandler):
    """Mails errors: the first of a kind at once, repeats as counts, the end as well.

    The ``in_app``, ``service``, … of a ``formatter`` of this package hold for mails too; how mails look is fixed.

    It is off while neither a server nor an address is given: it then takes no record, and ``off`` says so.

    Args:
        mailhost: ``host``, ``host:port`` or ``[host, port]``; the port is by default 25, 587 with ``secure:
            starttls``, 465 with ``secure: tls``.
        fromaddr: the sender's address; by default the first of those who are told.
        toaddrs: addresses, as a list or as one text with commas.
        subject: what subjects begin with, before ``[service] type: message (count) - place``.
        credentials: ``[user, password]``, or a mapping with ``username`` and one of ``password``,
            ``password_env``, ``password_file``, ``password_credential`` (systemd's); None for no login.
        secure: ``starttls``, ``tls``, or a mapping with ``mode``, ``ca_file``, ``cert_file``, ``key_file``,
            ``verify`` (default true); a list or tuple means what it means to ``SMTPHandler``; None for clear text.
        timeout: seconds that a connection may take to be made; for all answers the server has the time that RFC 5321
            gives it, in which nobody waits but the handler's own thread.
        severity: errors from this severity on are mailed; it is the classifier's, else the record's level.
        state_dir: directory that the processes of the host share; made when absent.
        group_wait: seconds from a group's first error to its mail.
        interval: seconds to the first follow-up; the wait doubles with each.
        max_interval: seconds that the doubling ends at.
        quiet: seconds without a repeat after which an incident is over.
        max_per_hour: never more mails in any hour.
        url: address of the web pages, for links; the error's id is put behind it or for ``{event_id}`` in it.
        advice: what to do, as texts by the name of an exception or a category, or as a list of rules with ``advice``
            and any of ``types``, ``categories``, ``words``; it comes before what the package knows to advise.
        summary: when to sum up what happened, also when nothing did: ``monday 07:00``, ``daily 07:00``.

    Raises:
        ConfigurationError: an option cannot be; ``key`` names it.
    """

    @checked
    def __init__(
        self,
        mailhost: MailHost = None,
        fromaddr: Addresses = None,
        toaddrs: Addresses = None,
        subject: Line | None = None,
        credentials: Login = None,
        secure: Secure = None,
        timeout: Positive = 5.0,
        *,
        severity: Severity = "CRITICAL",
        state_dir: StateDirectory = "logs/errors/state",
        group_wait: Seconds = 1.0,
        interval: Positive = 300.0,
        max_interval: Positive = 14_400.0,
        quiet: Positive = 3600.0,
        max_per_hour: Annotated[int, Range(1)] = 12,
        url: Line | None = None,
        advice: AdviceTable = None,
        summary: Summary = None,
    ) -> None:
        windows = Windows(group_wait, interval, max_interval, quiet, max_per_hour)
        server = mail_server(mailhost, credentials, secure, timeout)
        template = mail_template(fromaddr, toaddrs, subject, url, advice)
        delivery = mail_delivery(server, template, windows, state_dir, summary)
        super().__init__([Route(delivery, int(severity))] if delivery else [], _OFF)
