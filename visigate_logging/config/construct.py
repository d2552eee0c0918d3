"""Make objects once and throw them away: what depends on several options together, constructors alone know."""

import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from visigate_logging.config.build import Built, build_order
from visigate_logging.config.objects import Object
from visigate_logging.config.source import NOTE, WARNING, Source, dotted
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.options import faults_of, path_of


# complex: what may be made, in its order
def try_out(source: Source, objects: Sequence[Object], *, construct: bool = False) -> None:
    """Note what the constructors of this package refuse; neither files nor the host's state are touched.

    Args:
        source: the file, with its problems so far; what has one is not made.
        objects: its formatters, filters and handlers, as far as it is known what makes them.
        construct: call what others have written as well.
    """
    known = {made.key: made for made in objects}
    try:
        handlers = build_order({str(key[1]): made.given for key, made in known.items() if key[0] == "handlers"})
    except ConfigurationError as error:
        source.add(path_of(error.key), error.problem)
        return
    trial = Built({"version": 1, "formatters": {}, "filters": {}, "handlers": {}})
    with tempfile.TemporaryDirectory(prefix="visigate-check-") as nowhere:
        try:
            for key in [*(k for k in known if k[0] != "handlers"), *(("handlers", name) for name in handlers)]:
                if key in known and (construct or known[key].is_ours) and not _has_problem(source, known[key]):
                    _make(source, trial, known[key], nowhere)
        finally:
            trial.close()


def _has_problem(source: Source, made: Object) -> bool:
    return any(f"{problem.key}.".startswith(f"{dotted(made.key)}.") for problem in source.errors)


# complex: one way to end each
def _make(source: Source, trial: Built, made: Object, nowhere: str) -> None:
    section, name = map(str, made.key)
    config = dict(made.given)
    if not _refer_to_what_is_made(config, trial):
        return
    harmless = {"delay": True, "state_dir": nowhere}
    config |= {name: value for name, value in harmless.items() if name in made.parameters}
    trial.config[section][name] = config
    try:
        found = trial.one(section, name)
    except ConfigurationError as error:
        del trial.config[section][name]
        for fault in faults_of(error):
            source.add_fault(fault)
    else:
        if why := getattr(found, "off", None):
            source.add(made.key, why, NOTE)
        for text in found.doubts() if hasattr(found, "doubts") and made.is_ours else ():
            source.add(made.key, text, WARNING)


def _refer_to_what_is_made(config: dict[str, Any], trial: Built) -> bool:
    """Take away references to what has not been made; False when it is nothing without them."""
    if config.get("formatter") not in trial.config["formatters"]:
        config.pop("formatter", None)
    if "filters" in config:
        config["filters"] = [
            n for n in config["filters"] or () if isinstance(n, str) and n in trial.config["filters"]
        ]
    given: Mapping[str, Any] = config
    handed_on = [given.get("target"), *(given.get("handlers") or ())]
    return all(name in trial.handlers for name in handed_on if isinstance(name, str))
