"""A system without what Linux alone has, simulated: no /proc, no /dev/shm, no fdatasync, no boot clock, no prctl.

Given to pytest as a plugin (``-p tests.without_linux``), before anything of the package is imported, so that its
modules find what they find on macOS.
"""

import builtins
import io
import os
import sys
import sysconfig
import time
from typing import Any

_ABSENT = ("/proc", "/dev/shm")
_LACKING = {os: ("fdatasync", "memfd_create", "sched_getaffinity", "posix_fallocate"), time: ("CLOCK_BOOTTIME",)}
_LOOKING = ("open", "stat", "lstat", "listdir", "scandir", "readlink", "mkdir", "access")


def _is_absent(path: object) -> bool:
    try:
        text = os.fsdecode(path)  # type: ignore[arg-type]
    except TypeError:
        return False
    return any(text == place or text.startswith(f"{place}/") for place in _ABSENT)


def _without(real: Any) -> Any:
    def looked(path: Any = ".", *args: Any, **kwargs: Any) -> Any:
        if _is_absent(path):
            raise FileNotFoundError(2, os.strerror(2), path)
        return real(path, *args, **kwargs)

    return looked


def _hide() -> None:
    for module, names in _LACKING.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    for name in _LOOKING:
        setattr(os, name, _without(getattr(os, name)))
    builtins.open = io.open = _without(open)
    for module in ("asyncio", "ctypes", "multiprocessing.util", "multiprocessing.context", "subprocess", "pathlib"):
        __import__(module)  # they ask where they are when they are imported
    sysconfig.get_config_vars()
    sys.platform = "darwin"


_hide()
