"""Make everything once and throw it away: what constructors refuse is known to them alone."""

import copy
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from visigate_logging.config.build import Built, build_order
from visigate_logging.config.load import KeyPath, Source, dotted
from visigate_logging.config.objects import Object
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.options import path_of

__all__ = ["try_out"]

_MOST_REFUSALS = 50


def try_out(source: Source, objects: Sequence[Object]) -> None:
    """Note what constructors refuse; after each refusal they are asked again, without the value that they refused.

    What is known to be wrong is left out from the beginning. Files are not opened.

    Args:
        source: the file, with its problems so far.
        objects: its formatters, filters and handlers, as far as it is known what makes them.
    """
    known = {made.key: made for made in objects}
    try:
        handlers = build_order({str(key[1]): made.given for key, made in known.items() if key[0] == "handlers"})
    except ConfigurationError as error:
        source.add(path_of(error.key), error.problem)
        return
    trial = Built({"version": 1, "formatters": {}, "filters": {}, "handlers": {}})
    nowhere = tempfile.TemporaryDirectory(prefix="visigate-check-")
    try:
        for key in [*(k for k in known if k[0] != "handlers"), *(("handlers", name) for name in handlers)]:
            if key in known:
                _make(source, trial, known[key], nowhere.name)
    finally:
        trial.close()
        nowhere.cleanup()


def _make(source: Source, trial: Built, made: Object, nowhere: str) -> None:
    section, name = made.key
    about = f"{section}.{name}"
    wrong = [p.key.removeprefix(about).lstrip(".") for p in source.errors if f"{p.key}.".startswith(f"{about}.")]
    config = _numbered(made.given)
    if not all(_leave_out(config, path_of(key)) for key in wrong) or (
        section == "handlers" and not _refer_to_what_is_made(config, trial)
    ):
        return
    # Neither the files nor what the host's processes share is touched.
    harmless = {"delay": True, "state_dir": nowhere}
    config |= {name: value for name, value in harmless.items() if name in made.parameters}
    for _ in range(_MOST_REFUSALS):
        trial.config[str(section)][name] = copy.deepcopy(config)
        try:
            trial.one(str(section), str(name))
            return
        except ConfigurationError as error:
            del trial.config[str(section)][name]
            refused = path_of(getattr(error.__cause__, "key", ""))
            key = (section, name, *_in_file(config, refused))
            if not _follows_from(source, key):
                source.add(key, error.problem)
            if not refused or not _leave_out(config, refused):
                return


def _follows_from(source: Source, key: KeyPath) -> bool:
    """Whether something below the key has been left out because it was wrong, so that it may be missing now."""
    there = key if source.has(key) else key[:-1]
    return any(f"{problem.key}.".startswith(f"{dotted(there)}.") for problem in source.errors)


def _refer_to_what_is_made(config: dict[str, Any], trial: Built) -> bool:
    """Take away references to what could not be made; False when it is nothing without them."""
    if config.get("formatter") not in trial.config["formatters"]:
        config.pop("formatter", None)
    if "filters" in config:
        config["filters"] = [name for name in config["filters"] or () if name in trial.config["filters"]]
    handed_on = [config.get("target"), *(config.get("handlers") or ())]
    return all(name in trial.handlers for name in handed_on if isinstance(name, str))


class _Numbered(list[Any]):
    """A list that remembers, when items are taken out, where those that are left stood."""

    def __init__(self, items: Any) -> None:
        super().__init__(items)
        self.numbers = list(range(len(self)))

    def __delitem__(self, place: Any) -> None:
        super().__delitem__(place)
        del self.numbers[place]


def _numbered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _numbered(inner) for name, inner in value.items()}
    return _Numbered(map(_numbered, value)) if isinstance(value, list) else value


def _in_file(config: Any, key: KeyPath) -> KeyPath:
    """A key of the configuration that is left, as it is in the file."""
    path: list[str | int] = []
    for part in key:
        here = isinstance(config, _Numbered) and isinstance(part, int) and part < len(config)
        path.append(config.numbers[part] if here else part)
        try:
            config = config[part]
        except (LookupError, TypeError):
            config = None
    return tuple(path)


def _leave_out(config: Any, key: KeyPath) -> bool:
    """Whether the value of a key could be taken away; a key that is not there takes the one above it along."""
    for length in range(len(key), 0, -1):
        holder = config
        try:
            for part in key[: length - 1]:
                holder = holder[part]
            del holder[key[length - 1]]
        except (LookupError, TypeError):
            continue
        return True
    return False
