"""Print counts and ages for Prometheus, as text or as a file for node_exporter."""

from pathlib import Path

from visigate_logging.cli.arguments import CONFIG, LOG, STATE_DIR, Args, argument
from visigate_logging.cli.output import say
from visigate_logging.cli.selection import open_store
from visigate_logging.config.check import examine
from visigate_logging.config.load import read
from visigate_logging.config.objects import Object
from visigate_logging.health.exposition import openmetrics, prometheus
from visigate_logging.health.metrics import metrics_of
from visigate_logging.host.files import write_atomically

ARGUMENTS = (
    LOG,
    STATE_DIR,
    argument(
        "--textfile PATH",
        "write them to this file, whole, for node_exporter's textfile collector; its name must end with .prom",
        type=Path,
    ),
    argument(
        "--format FORMAT",
        "openmetrics (default), or Prometheus' older text format, prometheus (default for --textfile)",
        choices=("openmetrics", "prometheus"),
    ),
    *CONFIG,
)


def run(args: Args) -> None:
    """Print all metrics, or write them to a file."""
    store = open_store(args)
    families = metrics_of(store, args.state_dir or store.path.parent / "state", _objects(args.config))()
    store.close()
    wanted = args.format or ("prometheus" if args.textfile else "openmetrics")
    text = openmetrics(families) if wanted == "openmetrics" else prometheus(families)
    if args.textfile:
        write_atomically(args.textfile, text.encode(), mode=0o644)  # node_exporter is another user
    else:
        say(text.rstrip("\n"))


def _objects(config: Path) -> list[Object]:
    """Return the handlers of a configuration, where there is one: which backups there should be, it alone says."""
    if not config.exists():
        return []
    return examine(read(config))
