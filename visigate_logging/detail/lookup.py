"""What names in a traceback's text stand for in this process: a class, a module, a function.

Nothing is imported, and nothing of what is found is run.
"""

import builtins
import functools
import linecache
import sys
import warnings
from collections.abc import Iterator
from types import CodeType

from visigate_logging.detail.modules import imported_name, name_of_file

MAX_SOURCE = 2_000_000
"""Characters of a source file that is compiled to find a function in it."""


def class_named(name: str) -> type[BaseException]:
    """Return the class that the last line of a traceback names; a stand-in where it is not known here.

    Args:
        name: dotted; ``builtins`` and ``__main__`` are left out, as Python does.
    """
    parts = name.split(".")
    for count in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:count])
        if module in sys.modules:
            return _attribute(module, parts[count:]) or _stand_in(module, ".".join(parts[count:]))
    for module in ("builtins", "__main__"):
        if found := _attribute(module, parts):
            return found
    return _stand_in(".".join(parts[:-1]) or builtins.__name__, parts[-1])


def _attribute(module: str, path: list[str]) -> type[BaseException] | None:
    found: object = sys.modules.get(module)
    for name in path:
        # Not getattr: a module's or a class's own __getattr__ may import something.
        found = vars(found).get(name) if hasattr(found, "__dict__") else None
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


@functools.lru_cache(maxsize=256)
def _stand_in(module: str, qualname: str) -> type[BaseException]:
    names = {"__module__": module, "__qualname__": qualname, "__doc__": "A class that is not known here."}
    return type(qualname.rpartition(".")[2], (Exception,), names)


_modules: dict[str, str] = {}
_modules_known = 0


def module_of_file(file: str) -> str:
    """Return the dotted name of the module that a source file is.

    Args:
        file: path, as a traceback has it.
    """
    global _modules_known  # noqa: PLW0603 -- how many modules there were when the names were collected
    if len(sys.modules) != _modules_known:
        _modules_known = len(sys.modules)
        for module in list(sys.modules.values()):
            path = getattr(module, "__dict__", {}).get("__file__")
            if isinstance(path, str):
                _modules[path] = imported_name(vars(module))
    return _modules.get(file) or name_of_file(file)


def qualified_name(file: str, line: int, name: str, text: str) -> str:
    """Return a function's qualified name; its plain one where the source is not at hand, or not the one that ran.

    Args:
        file: path of the source.
        line: number of a line in the function.
        name: of the function.
        text: of that line, stripped; empty when it is not known.
    """
    if not text:
        return name
    linecache.checkcache(file)
    lines = linecache.getlines(file)
    if not 0 < line <= len(lines) or lines[line - 1].strip() != text:
        return name
    for code in _codes(file, "".join(lines)):
        if code.co_name == name and any(number == line for _, _, number in code.co_lines()):
            return code.co_qualname
    return name


@functools.lru_cache(maxsize=16)
def _codes(file: str, source: str) -> tuple[CodeType, ...]:
    """Return all code objects of a source."""
    if len(source) > MAX_SOURCE:
        return ()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return tuple(_inside(compile(source, file, "exec", dont_inherit=True)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()


def _inside(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _inside(constant)
