"""What groups a record without an exception: what its call site, its text or its mapping says."""

import logging
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from visigate_logging.detail.call_sites import calling, site_of
from visigate_logging.detail.codes import codes_given
from visigate_logging.detail.fingerprint import Grouping, by_event, by_message
from visigate_logging.detail.templates import with_arguments
from visigate_logging.detail.values import utf8, word

MAX_JSON = 65_536
"""Characters of a message that is read as JSON."""
MAX_KEYS = 30
"""Keys of a mapping without a name that count."""

_NAMES = ("event", "message", "msg")
"""What structlog and others name an event by."""

_COROUTINE = re.compile(r"\bcoro=<([\w.<>]{1,200}?)\(\)")
"""How a task's repr names what it runs."""


def template_of(record: logging.LogRecord) -> str:
    """Return the message before anything was filled in, as far as the call or its source tells."""
    if record.args:
        return str(record.msg)
    template = site_of(record).template(record.msg)
    return record.msg if template is None else template.shown


def group_of(
    record: logging.LogRecord, where: str, message: str, clean: Callable[[str], str]
) -> tuple[Grouping, str]:
    """Return the group of a record, and who called the wrapper that logged it, when one did.

    Args:
        record: what was logged.
        where: module and function of the logging call.
        message: its text, without secrets.
        clean: masks the secrets in a text.
    """
    logger = clean(word(record.name))
    event = record.msg if isinstance(record.msg, Mapping) else _json(message)
    if event is not None and not record.args:
        named = next((event[n] for n in _NAMES if isinstance(event.get(n), str)), "")
        told = clean(named) or sorted(clean(word(key)) for key in event)[:MAX_KEYS]
        return by_event(logger, where, told, codes_given(event), message), ""
    caller = ""
    if record.args:
        template = with_arguments(record.msg) if type(record.msg) is str else None
    else:
        site = site_of(record)
        template = site.template(record.msg if type(record.msg) is str else message)
        caller = _caller(record) if site.passes_on else ""
    # asyncio says of every task the same, from the same place: "Task was destroyed but it is pending!"
    runs = _COROUTINE.search(message) if logger == "asyncio" else None
    culprit = (where, runs[1]) if runs else (where,)
    return by_message(logger, culprit, message, clean(template.holes) if template else ""), caller


def _json(message: str) -> Mapping[str, Any] | None:
    if message[:1] == "{" and message[-1:] == "}" and len(message) <= MAX_JSON:
        try:
            found = orjson.loads(message)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None
    return None


def _caller(record: logging.LogRecord) -> str:
    frame = calling(record)
    code = frame.f_back.f_code if frame is not None and frame.f_back is not None else None
    return utf8(f"{os.path.basename(code.co_filename).partition('.')[0]} in {code.co_name}") if code else ""
