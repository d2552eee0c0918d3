"""What stood around an error, in words: the moments before it, values of variables, the state of the machine.

Nothing is taken for granted: a line of a log may have been written by anybody.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from visigate_logging.detail.frames import Frame
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.present.words import spoken, worded

LONGEST_VALUE = 300
"""Characters of a value."""
_UNITS = ("B", "kB", "MB", "GB", "TB")


def moments(detail: ErrorDetail) -> list[str]:
    """Return what was logged before an error, a line each, oldest first."""
    return [_moment(crumb) for crumb in detail.breadcrumbs if isinstance(crumb, Mapping)]


def warned(detail: ErrorDetail) -> bool:
    """Return whether one of the records before an error was a warning or worse."""
    levels = [crumb.get("level") for crumb in detail.breadcrumbs if isinstance(crumb, Mapping)]
    return any(level in ("WARNING", "ERROR", "CRITICAL") for level in levels)


def _moment(crumb: Mapping[str, Any]) -> str:
    age = crumb.get("age")
    when = f"{age:.1f} s before" if isinstance(age, int | float) else str(crumb.get("timestamp", ""))
    elsewhere = " (another thread or task)" if crumb.get("own") is False else ""
    given = crumb.get("additional_info")
    more = f" {_said(given)}" if given else ""
    return f"{when}  {crumb.get('level', '')} {crumb.get('logger', '')}: {crumb.get('message', '')}{more}{elsewhere}"


def values(frame: Frame) -> list[str]:
    """Return the values of the local variables of a frame, as ``name = value`` each."""
    return [f"{name} = {_said(value)[:LONGEST_VALUE]}" for name, value in frame.values.items()]


def unusual(detail: ErrorDetail) -> list[str]:
    """Return what stood out in the state of the machine."""
    found = detail.machine.get("unusual")
    return [str(what) for what in found] if isinstance(found, list) else []


def machine(detail: ErrorDetail) -> list[tuple[str, str]]:
    """Return the state of the machine, by what each part is called; empty where nothing is known of it."""
    state = detail.machine
    return [(name, told) for name, told in _parts(state) if told] if state else []


def _parts(state: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "sampled", _with_unit(state.get("age"), "s before")
    yield "up for", spoken(up) if isinstance(up := state.get("uptime"), int | float) else ""
    load = state.get("load")
    yield "load", f"{worded(load)} on {state.get('cpus', '?')} processors" if load else ""
    for name, left in (("memory", "available"), ("swap", "free")):
        sizes = _mapping(state.get(name))
        yield name, f"{_size(sizes.get(left))} {left} of {_size(sizes.get('total'))}" if sizes.get("total") else ""
    disks = state.get("disks")
    for disk in map(_mapping, disks if isinstance(disks, list) else ()):
        read_only = ", read-only" if disk.get("read_only") else ""
        yield (
            "disk",
            f"{_size(disk.get('free'))} free of {_size(disk.get('total'))}{read_only}: {disk.get('path', '')}",
        )
    yield "temperature", _with_unit(state.get("temperature"), "°C")
    yield "throttled", ", ".join(map(str, _several(state.get("throttled"))))
    yield "since boot", ", ".join(map(str, _several(state.get("throttled_since_boot"))))
    yield "Wi-Fi", ", ".join(f"{name} {signal} dBm" for name, signal in _mapping(state.get("wifi")).items())
    synchronised = state.get("clock_synchronised")
    yield (
        "clock",
        {True: "synchronised", False: "not synchronised"}[synchronised] if type(synchronised) is bool else "",
    )
    process = _mapping(state.get("process"))
    if process:
        yield (
            "process",
            (
                f"{_size(process.get('memory'))}, {process.get('threads', '?')} threads, "
                f"{process.get('descriptors', '?')} of {process.get('descriptors_limit', '?')} descriptors"
            ),
        )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _with_unit(value: Any, unit: str) -> str:
    return f"{value:g} {unit}" if isinstance(value, int | float) else ""


def _size(value: Any) -> str:
    """Return bytes in the unit that a person would say them in."""
    if not isinstance(value, int | float):
        return "?"
    power = 0
    while value >= 1000 and power < len(_UNITS) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.3g} {_UNITS[power]}"


def _said(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(value, default=str).decode()
    except TypeError:
        return str(value)
