"""What an application brings along for its logging, as real ones do: with types and without."""

import logging
import logging.handlers

CAPACITY = 20
LEVEL = logging.WARNING


class BelowWarning(logging.Filter):
    """Lets through what is less than a warning."""

    def filter(self, record):
        return record.levelno < logging.WARNING


class MaxLevel(logging.Filter):
    """Lets through what is at most of a level."""

    def __init__(self, level="INFO", name=""):
        super().__init__(name)
        self.level = getattr(logging, level)

    def filter(self, record):
        return record.levelno <= self.level


class RequestId(logging.Filter):
    """Puts an attribute on records that a format names."""

    def filter(self, record):
        record.request_id = "-"
        return True


class Colours(logging.Formatter):
    """Takes ``format`` and ``datefmt`` as plain formatters do."""


class Columns(logging.Formatter):
    """Takes options of its own."""

    def __init__(self, fmt=None, datefmt=None, style="%", width: int = 80, **options):
        super().__init__(fmt, datefmt, style)
        self.width, self.options = width, options


class Nightly(logging.handlers.TimedRotatingFileHandler):
    """Rotates at midnight whatever else is said."""

    def __init__(self, filename, backupCount=7, **kwargs):
        super().__init__(filename, when="midnight", backupCount=backupCount, **kwargs)


class Sized(logging.handlers.RotatingFileHandler):
    """Hands everything on."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)


class Chat(logging.Handler):
    """Sends records to a room."""

    def __init__(
        self, room: str, token: str | None = None, retries: int = 3, level: int | str = logging.NOTSET
    ) -> None:
        super().__init__(level)
        self.room, self.token, self.retries = room, token, retries

    def emit(self, record):
        pass


class Forward(logging.Handler):
    """Hands records to another handler."""

    def __init__(self, alternate):
        super().__init__()
        self.alternate = alternate

    def emit(self, record):
        pass


def chat(room, **options):
    """Make a handler by a function."""
    handler = Chat(room)
    handler.options = options
    return handler
