"""convert-config: VisiGate's present configuration as a logging.yaml."""

import argparse
import json
from pathlib import Path

from visigate_logging.cli.command import CONFIGURATION, DONE
from visigate_logging.cli.output import complain, say, say_json
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.host.files import write_atomically
from visigate_logging.migrate.convert import convert
from visigate_logging.migrate.sections import Conversion


def _convert_config_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="CONFIG.JSON", help="VisiGate's configuration")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there instead of standard output")
    parser.add_argument("--json", action="store_true", help="print the configuration as JSON, for programs")


def convert_config(args: argparse.Namespace) -> int:
    """Write the logging.yaml that says what VisiGate's configuration says."""
    done = _read(args.config)
    for warning in done.told():
        complain(f"{args.config}: {warning}")
    if args.json:
        say_json({"config": done.values, "warnings": done.told()})
    elif args.output:
        if args.output.exists():
            complain(f"{args.output} is there already; remove it, or name another file")
            return CONFIGURATION
        write_atomically(args.output, done.text.encode(), mode=0o600)  # it may hold a password
    else:
        say(done.text.rstrip())
    return DONE


def _read(path: Path) -> Conversion:
    try:
        config = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError("", f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError("", f"{path}: {error}") from error
    if not isinstance(config, dict):
        raise ConfigurationError("", f"{path}: a JSON object is needed: VisiGate's configuration")
    return convert(config)
