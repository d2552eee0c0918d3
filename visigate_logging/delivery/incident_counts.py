"""How far people have been told of a group, for who asks from outside."""

import contextlib
from pathlib import Path
from typing import Any

import orjson

from visigate_logging.delivery.tables import SCHEMA
from visigate_logging.exceptions import StateError
from visigate_logging.host import State


def incidents_of(directory: Path, key: str) -> list[dict[str, Any]]:
    """Return the incidents of a group that are not at rest, one for each handler that tells people; nothing is made.

    Args:
        directory: the state directory.
        key: the fingerprint of the group.

    Returns:
        ``handler``, ``began`` (when its first error came), ``told`` and ``untold`` (errors that messages have told
        of, and that none has yet), and ``severity``.
    """
    state = State(directory, SCHEMA)
    if not state.path.exists():
        return []
    try:
        with state.transaction() as connection:
            rows = list(connection.execute("SELECT handler, groups FROM mail_incidents ORDER BY handler"))
    except StateError:  # which `health_of` tells
        return []
    finally:
        state.close()
    found = []
    for handler, groups in rows:
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            found += [{"handler": handler, **one} for one in orjson.loads(groups) if one.get("fingerprint") == key]
    names = ("handler", "began", "told", "untold", "severity")
    return [{name: one.get(name, "") for name in names} for one in found]
