"""The steps that a recovery procedure can be made of: one file each, and one line here.

To add one: write a dataclass that follows :class:`~visigate_logging.recovery.steps.base.Step`, and name it below.
"""

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

__all__ = ["STEPS"]

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
