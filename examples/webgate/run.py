"""Start the gate: ``python run.py`` in a directory with ``config.json`` and ``logging.yaml``; see README.md."""

import visigate_logging

visigate_logging.configure("logging.yaml")  # first, so that what the modules below log on import is recorded as well

import json
import sys
from pathlib import Path

from src.web import create_app

if __name__ == "__main__":
    config = json.loads(Path(sys.argv[1] if len(sys.argv) > 1 else "config.json").read_text("utf-8"))
    create_app(config).run(config["server"]["host"], config["server"]["port"], threaded=True)
