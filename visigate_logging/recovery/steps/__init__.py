"""The steps that a recovery procedure can be made of: one file each, and one line here.

To add one: write a dataclass that follows :class:`~visigate_logging.recovery.steps.base.Step`, and name it below. One
that is not part of this package is named by its dotted path, or by an entry point of the group
``visigate_logging.steps``.
"""

import importlib
from dataclasses import is_dataclass
from typing import cast

from visigate_logging.recovery.steps.backup_sqlite import BackupSqlite
from visigate_logging.recovery.steps.base import Step
from visigate_logging.recovery.steps.command import Command
from visigate_logging.recovery.steps.network_interface import NetworkInterface
from visigate_logging.recovery.steps.notify import Notify
from visigate_logging.recovery.steps.probe_file_age import ProbeFileAge
from visigate_logging.recovery.steps.probe_http import ProbeHttp
from visigate_logging.recovery.steps.probe_rtsp import ProbeRtsp
from visigate_logging.recovery.steps.probe_sqlite import ProbeSqlite
from visigate_logging.recovery.steps.probe_tcp import ProbeTcp
from visigate_logging.recovery.steps.reboot import Reboot
from visigate_logging.recovery.steps.reopen import Reopen
from visigate_logging.recovery.steps.restart_service import RestartService
from visigate_logging.recovery.steps.restore_sqlite import RestoreSqlite
from visigate_logging.recovery.steps.usb_reset import UsbReset

__all__ = ["STEPS", "step_named"]

ENTRY_POINTS = "visigate_logging.steps"

STEPS: dict[str, type[Step]] = {
    "backup_sqlite": BackupSqlite,
    "command": Command,
    "network_interface": NetworkInterface,
    "notify": Notify,
    "probe_file_age": ProbeFileAge,
    "probe_http": ProbeHttp,
    "probe_rtsp": ProbeRtsp,
    "probe_sqlite": ProbeSqlite,
    "probe_tcp": ProbeTcp,
    "reboot": Reboot,
    "reopen": Reopen,
    "restart_service": RestartService,
    "restore_sqlite": RestoreSqlite,
    "usb_reset": UsbReset,
}


def step_named(name: str) -> type[Step]:
    """Return the step that a configuration names.

    Raises:
        ValueError: there is none, it cannot be imported, or it is not a step.
    """
    if name in STEPS:
        return STEPS[name]
    try:
        found = _imported(name) if "." in name else _from_entry_point(name)
    except Exception as error:
        raise ValueError(f"cannot be imported ({type(error).__name__}: {error})") from error
    if found is None:
        raise ValueError(f"is not a step; possible are {', '.join(STEPS)}, or the dotted path of one of your own")
    if not (isinstance(found, type) and Step in found.__mro__ and is_dataclass(found)):
        raise ValueError(f"is {found!r}, not a dataclass that derives from {Step.__module__}.Step")
    return cast(type[Step], found)


def _imported(name: str) -> object:
    home, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(home), attribute)


def _from_entry_point(name: str) -> object:
    from importlib.metadata import entry_points  # late: only for names that are not ours

    return next((point.load() for point in entry_points(group=ENTRY_POINTS, name=name)), None)
