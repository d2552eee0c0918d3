"""NotificationHandler: tells people of errors on their phones, in chats, and by SMS."""

from typing import Annotated

from visigate_logging.delivery.channels.notification import NotificationChannel
from visigate_logging.delivery.channels.server import Line
from visigate_logging.delivery.notification_options import RouteOptions, RouteTable, Urls, notification_routes
from visigate_logging.delivery.options import AdviceTable, Positive, Severity, StateDirectory, Summary, windows_faults
from visigate_logging.delivery.pipeline import Delivery
from visigate_logging.delivery.throttle import Windows
from visigate_logging.handlers.throttled import ThrottledHandler
from visigate_logging.options import Range, Seconds, checked, error_of

_OFF = "no notification is sent: for that, give urls (such as [ntfy://ntfy.sh/TOPIC]) or routes"


class NotificationHandler(ThrottledHandler):
    """Notifies people of errors through apprise: the first of a kind at once, repeats as counts, the end as well.

    Journal, throttle, outbox and counts are those of mails; what is told fits the medium: 160 characters by SMS, a
    title and a few lines as push message, markdown where the service has it. Needs the extra ``notify``.

    It is off while no address is given, or while they are not where they should be: it then takes no record, and
    ``off`` says why.

    Args:
        urls: addresses of services (https://appriseit.com/services/): a list, or names and addresses.
        urls_env: name of the environment variable that has them, one a line.
        urls_file: path of the file that has them, one a line; nobody else may be able to read it.
        routes: instead, ways by name, each with addresses, ``severity``, ``categories``, ``loggers``, ``hours``,
            ``digest`` and ``max_per_hour``; an error goes the first that takes it.
        severity: errors from this severity on; it is the classifier's, else the record's level.
        state_dir: directory that the processes of the host share; made when absent.
        group_wait: seconds from a group's first error to its message.
        interval: seconds to the first follow-up; the wait doubles with each.
        max_interval: seconds that the doubling ends at.
        quiet: seconds without a repeat after which an incident is over.
        max_per_hour: never more messages in any hour, for each route.
        digest: when all is told together, as ``daily 07:00``; default at once.
        url: address of the web pages, for links; the error's id is put behind it or for ``{event_id}`` in it.
        advice: what to do, as for mails.
        summary: when to sum up what happened, as for mails; by each route.

    Raises:
        ConfigurationError: an option cannot be; ``key`` names it.
    """

    default_name = "notify"

    @checked
    def __init__(
        self,
        urls: Urls = None,
        *,
        urls_env: Line | None = None,
        urls_file: Line | None = None,
        routes: RouteTable = None,
        severity: Severity = "CRITICAL",
        state_dir: StateDirectory = "logs/errors/state",
        group_wait: Seconds = 1.0,
        interval: Positive = 300.0,
        max_interval: Positive = 14_400.0,
        quiet: Positive = 3600.0,
        max_per_hour: Annotated[int, Range(1)] = 12,
        digest: Summary = None,
        url: Line | None = None,
        advice: AdviceTable = None,
        summary: Summary = None,
    ) -> None:
        windows = Windows(group_wait, interval, max_interval, quiet, max_per_hour)
        if faults := windows_faults(windows):
            raise error_of(faults)
        only = RouteOptions(urls=urls, urls_env=urls_env, urls_file=urls_file, digest=digest)
        channel = NotificationChannel((), url, advice)  # type: ignore[arg-type]  # as they were read
        delivery = Delivery(channel, windows, state_dir, summary)  # type: ignore[arg-type]  # likewise
        made, off = notification_routes(only, routes, int(severity), channel, delivery)
        super().__init__(made, off or _OFF)
