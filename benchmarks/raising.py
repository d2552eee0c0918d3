"""Exceptions to log: with a cause, raised through any number of functions."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

SOURCE = """
class CameraError(Exception):
    pass


def step_0(url, timeout):
    try:
        return {"rtsp": 554}[url.partition(":")[2]]
    except KeyError as error:
        raise CameraError(f"no picture from {url} within {timeout} s") from error

"""
STEP = """
def step_{n}(url, timeout):
    answer = step_{m}(url, timeout)
    return answer

"""


def module(directory: Path, name: str, frames: int) -> ModuleType:
    """A module whose ``step_{frames - 1}`` raises through that many frames.

    Args:
        directory: where its source is written, which tracebacks show.
        name: its name.
        frames: how many functions it has.
    """
    path = directory / f"{name}.py"
    path.write_text(SOURCE + "".join(STEP.format(n=n, m=n - 1) for n in range(1, frames)))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    spec.loader.exec_module(made)
    return made


def while_raised(source: ModuleType, frames: int, action: Callable[[], object]) -> None:
    """Call ``action`` where an exception with that many frames, and one cause, is being handled."""
    try:
        getattr(source, f"step_{frames - 2}" if frames > 1 else "step_0")("entrance", 5)
    except source.CameraError:
        action()
