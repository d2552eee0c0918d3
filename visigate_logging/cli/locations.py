"""Where the details are, when nobody says, and what is secret in them."""

import contextlib
import functools
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visigate_logging.cli.output import complain
from visigate_logging.exceptions import ConfigurationError

DEFAULT = Path("logs/errors/details.jsonl")
CONFIGURATION = Path("logging.yaml")
SYSTEM = Path("/etc/visigate/logging.yaml")
PARENTS = 4
"""Directories above a log in which its configuration is looked for."""
HANDLERS = ("visigate_logging.JsonFileHandler", "visigate_logging.handlers.json_file.JsonFileHandler")


def find_config(directory: Path | None = None) -> Path:
    """Return the configuration that is meant when none is named.

    ``VISIGATE_CONFIG``, else ``logging.yaml`` in the working directory or above, else ``/etc/visigate/logging.yaml``;
    where there is none, the one in the working directory that could be. One above that another user could change is
    passed over, and named.

    Args:
        directory: to be taken for the working directory.
    """
    if named := os.environ.get("VISIGATE_CONFIG"):
        return Path(named)
    here = (directory or Path()) / CONFIGURATION
    if here.is_file():
        return here
    above = (parent / CONFIGURATION for parent in Path(os.path.abspath(here.parent)).parents)
    return next((path for path in (*above, SYSTEM) if path.is_file() and _is_ours(path)), here)


def _is_ours(path: Path) -> bool:
    from visigate_logging.host.trust import exposure, trusted_users

    found = exposure(str(path), trusted_users())
    if found and not found.is_group:
        complain(f"{path} is passed over: {found.who}, could change {found.path}; to use it: --config {path}")
        return False
    return True


def find_log(directory: Path | None = None) -> Path:
    """Return the details file: ``VISIGATE_LOG``, else what the configuration names, else where it is by default.

    Args:
        directory: to be taken for the working directory.
    """
    if named := os.environ.get("VISIGATE_LOG"):
        return Path(named)
    config = find_config(directory)
    if os.environ.get("VISIGATE_CONFIG") and not config.is_file():
        complain(f"{config}, which VISIGATE_CONFIG names, is not there")
    if configured := _configured(config):
        return config.parent / configured
    return (directory or Path()) / DEFAULT


def mask_as_configured(config: Path | None, log: Path | None) -> None:
    """Let what is secret to the application be secret here: the ``mask_keys`` of the configuration that is found.

    Args:
        config: the file, when it is known; else it is looked for, and above the log.
        log: the details file or its directory.
    """
    log = log or Path(os.environ.get("VISIGATE_LOG", DEFAULT))
    above = (parent / CONFIGURATION for parent in Path(os.path.abspath(log)).parents[:PARENTS])
    for path in [config] if config else [find_config(), *above]:
        if path.is_file():
            if keys := _mask_keys(path):
                from visigate_logging.detail.masking import mask_also

                mask_also(keys)
            return


def _mask_keys(path: Path) -> list[str]:
    with contextlib.suppress(OSError):  # to be told by whoever needs the file
        if b"mask_keys" not in re.sub(rb"(?m)^\s*#.*$", b"", path.read_bytes()):
            return []
    try:
        given = [f["mask_keys"] for f in _values(path)["formatters"].values() if f.get("mask_keys")]
    except (ConfigurationError, LookupError, TypeError, AttributeError):
        return []
    names = [name for one in given for name in ([one] if isinstance(one, str) else one)]
    return [name for name in names if isinstance(name, str)]


def _values(path: Path) -> Mapping[str, Any]:
    from visigate_logging.config.load import read

    try:
        state = path.stat()
    except OSError:
        return read(path).values  # which says why not
    return _read_once(Path(os.path.abspath(path)), state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=4)
def _read_once(path: Path, _changed: int, _size: int) -> Mapping[str, Any]:
    """Return what a file says; a command asks for it several times."""
    from visigate_logging.config.load import read

    return read(path).values


def at_a_glance(path: Path) -> str | None:
    """Return the same of a file that is written as the shipped one, without YAML, which takes longer than all else.

    Returns:
        None for any other file: it has to be read.
    """
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, ValueError):
        return None
    named = [n for n, line in enumerate(lines) if "JsonFileHandler" in line and not line.lstrip().startswith("#")]
    found = re.fullmatch(r"(  +)class: *([\w.]+) *(?:#.*)?", lines[named[0]]) if len(named) == 1 else None
    if not found or found[2] not in HANDLERS:
        return None
    begin, end = named[0], named[0]
    while lines[begin - 1].startswith(found[1]):
        begin -= 1
    while end < len(lines) and lines[end].startswith(found[1]):
        end += 1
    names = [re.fullmatch(rf"{found[1]}filename: *([\w./-]+\.jsonl) *(?:#.*)?", line) for line in lines[begin:end]]
    given = [name[1] for name in names if name]
    return given[0] if len(given) == 1 else None


def _configured(path: Path) -> str | None:
    """Return the ``filename`` of the JSON-file handler; a file that cannot be read as such says nothing.

    Classes and factories of the application are not imported: they are known by the ending of their file's name.
    """
    if seen := at_a_glance(path):
        return seen
    try:
        given = [h for h in _values(path)["handlers"].values() if isinstance(h.get("filename"), str)]
    except (ConfigurationError, LookupError, TypeError, AttributeError):
        return None
    ours = [h["filename"] for h in given if h.get("()", h.get("class")) in HANDLERS]
    return next(iter([*ours, *(h["filename"] for h in given if h["filename"].endswith(".jsonl"))]), None)
