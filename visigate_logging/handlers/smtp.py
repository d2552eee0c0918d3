"""ThrottledSMTPHandler: tells administrators of errors by mail, once and clearly."""

import contextlib
import logging
from typing import Annotated, Any

from visigate_logging.delivery.channels.server import Line
from visigate_logging.delivery.mailroom import Mailroom
from visigate_logging.delivery.options import (
    Addresses,
    AdviceTable,
    Login,
    MailHost,
    Positive,
    Secure,
    Severity,
    StateDirectory,
    Summary,
    mail_envelope,
    mail_options,
    mail_server,
)
from visigate_logging.delivery.throttle import Windows, level_number
from visigate_logging.detail.record import DetailOptions, ErrorDetail
from visigate_logging.formatters import DetailFormatter, TextFormatter
from visigate_logging.host import Sheet
from visigate_logging.host.answer import reason_of
from visigate_logging.host.unlocked import Unlocked
from visigate_logging.options import Range, Seconds, checked

__all__ = ["ThrottledSMTPHandler"]

_OWN_LOGGER = "visigate_logging"
_OUTCOMES = "visigate_logging.recovery"
_EXIT_TIMEOUT = 2.0
_OFF = "no mail is sent: for that, give mailhost (the server) and toaddrs (who is told)"


class ThrottledSMTPHandler(Unlocked):
    """Mails errors: the first of a kind at once, repeats as counts, the end as well.

    ``emit`` appends the error to a journal in ``state_dir``, and returns. All else happens in a thread of its own,
    for all processes of the host together: what is to be told is kept in ``state_dir``, mails that cannot be sent
    wait in ``state_dir/outbox``. Two handlers with one ``state_dir`` must have different names.
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

    @checked  # before logging knows of the handler: one that is refused must not be flushed at exit
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
        envelope = mail_envelope(fromaddr, toaddrs, subject, url, advice)
        self.options = mail_options(server, envelope, windows, severity, state_dir, summary)
        """What it was given, checked; None while it is off."""
        self.off = "" if self.options else _OFF
        self._mailroom: Mailroom | None = None
        self._detail_options: DetailOptions | None = None
        super().__init__()

    def set_name(self, name: str) -> None:
        """Take a name, as ``dictConfig`` gives one, and look after what an earlier process has left to be sent."""
        super().set_name(name)
        if room := self._room():
            room.wake()

    name = property(logging.Handler.get_name, set_name)

    def setFormatter(self, fmt: logging.Formatter | None) -> None:
        """Take a formatter, of which only what it says about details is used."""
        super().setFormatter(fmt)
        self._detail_options = fmt.options if isinstance(fmt, DetailFormatter | TextFormatter) else None

    def handle(self, record: logging.LogRecord) -> Any:
        """Filter the record, then emit it; nothing at all while it is off."""
        return self.options is not None and super().handle(record)

    def emit(self, record: logging.LogRecord) -> None:
        """Count the error for the next mail; never waits and never raises."""
        is_taken = False
        try:
            room = self._room()
            if room and self.concerns(record):
                detail = ErrorDetail.from_record(record, self._detail_options)
                is_taken = room.accept(detail)
                detail.note_kept(record)
        except BaseException as error:
            with contextlib.suppress(Exception):  # what has failed may be the handler's own parts
                if not is_taken:
                    self.interrupted(error)
            if not isinstance(error, Exception):  # it is meant for the application
                raise
            with contextlib.suppress(Exception):  # it prints the exception, which may be hostile
                self.handleError(record)

    def interrupted(self, error: BaseException) -> None:
        """Count an error as lost by what was raised before it was taken in."""
        if room := self._room():
            room.drop(reason_of(error))

    def concerns(self, record: logging.LogRecord) -> bool:
        """Whether a record is to be mailed: by its severity, and of the package's own only outcomes of recoveries."""
        if record.name.partition(".")[0] == _OWN_LOGGER:
            return record.name == _OUTCOMES and record.levelno >= logging.WARNING  # below: nothing was done
        severity = record.__dict__.get("severity")
        number = record.levelno if severity is None else level_number(str(severity))
        return self.options is not None and number >= self.options.severity

    def counts(self) -> Sheet:
        """What became of the errors that the processes of this host gave to the handlers of this name.

        ``delivered`` are told with their details, ``folded`` as part of a count, in mails that a server has accepted.
        """
        room = self._room()
        return room.counts() if room else Sheet(accepted=0, delivered=0, folded=0, dropped={}, pending=0)

    def flush(self) -> None:
        """Have stored what the journal did not take; does not wait for mails."""
        if self._mailroom is not None:
            self._mailroom.flush()

    def close(self) -> None:
        """Store and send what can be stored and sent within 2 s; the rest waits for the next process."""
        room = self._mailroom
        if room is not None:
            room.close(_EXIT_TIMEOUT)
        super().close()

    def _room(self) -> Mailroom | None:
        if self._mailroom is None and self.options is not None:
            # After construction, because dictConfig gives the name only then.
            self._mailroom = Mailroom(self.options, self.get_name() or "mail", self.close)
        return self._mailroom
