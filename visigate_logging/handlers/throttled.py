"""ThrottledHandler: what handlers have in common that tell people of errors, whatever the channel."""

import contextlib
import logging
import time
from collections.abc import Sequence

from visigate_logging.delivery.notifier import Notifier, sum_of
from visigate_logging.delivery.routes import Route
from visigate_logging.detail.options import DetailOptions
from visigate_logging.detail.record import detail_of, make_ready
from visigate_logging.formatters import DetailFormatter, TextFormatter
from visigate_logging.host import Sheet
from visigate_logging.host.settlement import reason_of
from visigate_logging.host.unlocked import Unlocked

_OWN_LOGGER = "visigate_logging"
_OUTCOMES = "visigate_logging.recovery"
_EXIT_TIMEOUT = 2.0


class ThrottledHandler(Unlocked):
    """Tells people of errors: the first of a kind at once, repeats as counts, the end as well.

    ``emit`` appends the error to a journal in ``state_dir``, and returns. All else happens in a thread of its own,
    for all processes of the host together: what is to be told is kept in ``state_dir``, messages that cannot be sent
    wait in ``state_dir/outbox``. Two handlers with one ``state_dir`` must have different names.

    Args:
        routes: which errors go which way: an error goes the first that takes it; none while the handler is off.
        off: why it is off.
    """

    default_name = "mail"

    def __init__(self, routes: Sequence[Route], off: str = "") -> None:
        self.routes = tuple(routes)
        """What it was given, checked; empty while it is off."""
        self.off = "" if routes else off
        self._notifiers: dict[str, Notifier] = {}
        self._detail_options: DetailOptions | None = None
        make_ready()
        super().__init__()
        if not routes:
            self.addFilter(lambda _: False)  # before all others

    def set_name(self, name: str) -> None:
        """Take a name, as ``dictConfig`` gives one, and look after what an earlier process has left to be sent."""
        super().set_name(name)
        for route in self.routes:
            self._notifier(route).wake()

    name = property(logging.Handler.get_name, set_name)

    def setFormatter(self, fmt: logging.Formatter | None) -> None:
        """Take a formatter, of which only what it says about details is used."""
        super().setFormatter(fmt)
        self._detail_options = fmt.options if isinstance(fmt, DetailFormatter | TextFormatter) else None

    def emit(self, record: logging.LogRecord) -> None:
        """Count the error for the next message; never waits and never raises."""
        notifier = detail = None
        try:
            route = self.route_of(record)
            if route is not None:
                notifier, detail = self._notifier(route), detail_of(record, self._detail_options)
                notifier.accept(detail)
        except BaseException as error:
            with contextlib.suppress(Exception):  # what has failed may be the handler's own parts
                if notifier is None or detail is None or not notifier.has(detail):
                    self.interrupted(error)
            if not isinstance(error, Exception):  # it is meant for the application
                raise
            with contextlib.suppress(Exception):  # it prints the exception, which may be hostile
                self.handleError(record)

    def interrupted(self, error: BaseException) -> None:
        """Count an error as lost by what was raised before it was taken in."""
        if self.routes:
            self._notifier(self.routes[-1]).drop(reason_of(error))

    def route_of(self, record: logging.LogRecord) -> Route | None:
        """Return the way that a record goes; None for what nobody is told of.

        Of the package's own records that is all but outcomes of recoveries: those that no route takes go the last.
        """
        is_own = record.name.startswith(_OWN_LOGGER) and record.name.partition(".")[0] == _OWN_LOGGER
        if is_own and (record.name != _OUTCOMES or record.levelno < logging.WARNING):  # below: nothing was done
            return None
        for route in self.routes:
            if route.takes(record):
                return route
        return self.routes[-1] if is_own else None

    def counts(self) -> Sheet:
        """Return what became of the errors that the processes of this host gave to the handlers of this name.

        ``delivered`` are told with their details, ``folded`` as part of a count, in messages that were accepted.
        """
        return sum_of(self._notifier(route).counts() for route in self.routes)

    def flush(self) -> None:
        """Have stored what the journal did not take; does not wait for messages to be sent."""
        for notifier in self._notifiers.values():
            notifier.flush()

    def close(self) -> None:
        """Store and send what can be stored and sent within 2 s; the rest waits for the next process."""
        end = time.monotonic() + _EXIT_TIMEOUT
        for notifier in self._notifiers.values():
            notifier.begin_to_close()
        for notifier in self._notifiers.values():
            notifier.close(max(end - time.monotonic(), 0.0))
        super().close()

    def _notifier(self, route: Route) -> Notifier:
        known = self._notifiers.get(route.name)
        if known is None:
            # After construction, because dictConfig gives the name only then.
            name = route.full_name(self.get_name() or self.default_name)
            # Two may make one at the same time: another thread, or what has interrupted this one.
            known = self._notifiers.setdefault(route.name, Notifier(route.delivery, name, self.close))
        return known
