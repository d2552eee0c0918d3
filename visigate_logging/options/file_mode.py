"""Permissions of files, as a constructor takes them."""

from typing import Annotated

from visigate_logging.options.kinds import Via

_KNOWN = frozenset(0o600 | group | others for group in (0, 0o40, 0o60) for others in (0, 0o4, 0o6))
_WANTED = 'permissions to read and write, as in "0640" (with quotes)'


def _permissions(value: int | str) -> int:
    """Return permissions given as a number, or as text of octal digits, which YAML's readers do not agree on."""
    try:
        mode = int(value, 8) if isinstance(value, str) else value
    except ValueError:
        mode = -1
    # A file that its owner cannot read and write, or that can be executed or written blindly, nobody wants:
    # it is how 640 or 400 without the leading zero look.
    if mode not in _KNOWN:
        octal = f", which is {mode:#o}," if isinstance(value, int) and mode >= 0 else ""
        raise ValueError(f"{octal} is not {_WANTED}".lstrip())
    return mode


FileMode = Annotated[int | str, Via(_permissions, _WANTED)]
