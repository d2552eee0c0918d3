"""Find what can be named in YAML: each in a module of its own, which has the name."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import is_dataclass


def dataclasses_in(package: str, directories: Iterable[str], is_one: Callable[[type], bool]) -> dict[str, type]:
    """Return the dataclasses of a package's modules, each by the name of its module.

    Args:
        package: its dotted name.
        directories: its ``__path__``, or a part of that.
        is_one: whether a dataclass that is defined there is what is looked for; others may be its base.
    """
    found: dict[str, type] = {}
    for module in (importlib.import_module(f"{package}.{one.name}") for one in pkgutil.iter_modules(directories)):
        for kind in vars(module).values():
            if isinstance(kind, type) and kind.__module__ == module.__name__ and is_dataclass(kind) and is_one(kind):
                found[module.__name__.rpartition(".")[2]] = kind
    return found
