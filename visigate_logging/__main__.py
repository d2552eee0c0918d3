"""``python -m visigate_logging`` is the same as ``visigate-errors``."""

import sys

from visigate_logging.cli import script

sys.exit(script())
