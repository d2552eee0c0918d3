"""Names of modules, and which of them are the application's own."""

import os
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

MAIN_MODULES = ("__main__", "__mp_main__")
"""What the module that was run is called, also in a child of multiprocessing."""


def imported_name(namespace: Mapping[str, Any]) -> str:
    """Return the dotted name of a module, alike whether it is imported or run.

    Args:
        namespace: the module's globals.
    """
    name = namespace.get("__name__")
    if name not in MAIN_MODULES:
        return name if isinstance(name, str) else ""
    run_as = getattr(namespace.get("__spec__"), "name", None)  # python -m
    if isinstance(run_as, str):
        return run_as
    file = namespace.get("__file__")
    return name_of_file(file) if isinstance(file, str) else str(name)


def name_of_file(file: str) -> str:
    """Return the dotted name that a module has by where its file is."""
    script = Path(file)
    parts = [script.stem]
    for folder in script.absolute().parents:
        if not (folder / "__init__.py").is_file():
            break
        parts.insert(0, folder.name)
    return ".".join(parts)


def in_app_test(named: tuple[str, ...]) -> Callable[[str, str], bool]:
    """Tell from a file and a module whether they are the application's own code.

    Args:
        named: dotted names of its modules; without any, all that is neither in the standard library nor in
            site-packages is its own.
    """
    if named:
        return lambda _file, module: any(module == name or module.startswith(f"{name}.") for name in named)
    paths = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    paths.add(str(Path(__file__).parent.parent))  # the hooks stand above what they watch
    library = tuple(os.path.join(p, "") for p in paths | {os.path.realpath(p) for p in paths})

    def in_app(file: str, _module: str) -> bool:
        if "site-packages" in file or "dist-packages" in file or file.startswith("<frozen "):
            return False
        return not file.startswith(library)

    return in_app
