"""Write VisiGate's present configuration as a logging.yaml."""

import json
from pathlib import Path

from visigate_logging.cli.arguments import Args, argument
from visigate_logging.cli.command import CONFIGURATION, DONE
from visigate_logging.cli.output import answer, complain
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.host.files import write_atomically
from visigate_logging.migrate.convert import convert
from visigate_logging.migrate.sections import Conversion

ARGUMENTS = (
    argument("config CONFIG.JSON", "VisiGate's configuration", type=Path),
    argument("--output FILE", "write there instead of standard output", type=Path),
    argument("--json", "print the configuration as JSON, for programs"),
)


def run(args: Args) -> int:
    """Write the logging.yaml that says what VisiGate's configuration says."""
    done = _read(args.config)
    for warning in done.told():
        complain(f"{args.config}: {warning}")
    if args.json or not args.output:
        return answer(args, {"config": done.values, "warnings": done.told()}, [done.text.rstrip()])
    if args.output.exists():
        complain(f"{args.output} is there already; remove it, or name another file")
        return CONFIGURATION
    write_atomically(args.output, done.text.encode(), mode=0o600)  # it may hold a password
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
