"""Whose the place is that a command is about, and who acts there when root has asked."""

import argparse
import os
from pathlib import Path

from visigate_logging.cli.locations import find_log


def live_as_owner(args: argparse.Namespace) -> str:
    """As root, be the owner of the place that a command is about, and say who that is; see `become_owner_of`.

    `check` and `apply` stay root: a configuration is root's own, or is replaced by what cannot be led astray.
    """
    if os.geteuid() != 0:
        return ""
    from visigate_logging.host.owner import become_owner_of

    if "database" in args:
        place = Path(args.database).absolute().parent
    elif "log" in args:
        log = args.log or find_log()
        place = log if log.is_dir() else log.absolute().parent
    elif "config" in args and "new" not in args:
        from visigate_logging.config.check import examine
        from visigate_logging.config.load import read
        from visigate_logging.config.presence import state_directories

        place = next(iter(state_directories(examine(read(args.config)))), Path("/"))
    else:
        return ""
    user = become_owner_of(place)
    return "" if user is None else f"as root this acts as user {user}, who owns {place}, and may do no more than they"
