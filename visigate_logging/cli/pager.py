"""Show what is longer than the terminal in a pager, as git and systemctl do."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator

USUAL = "less -FRX"
"""Ends by itself where all fits, shows colours, and leaves the text there."""


class _Kept(io.StringIO):
    """Keeps what is written for a terminal, to be shown at once."""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # what the terminal takes
        return sys.__stdout__.encoding if sys.__stdout__ else "utf-8"

    def isatty(self) -> bool:
        return True


@contextlib.contextmanager
def paged(wanted: bool) -> Iterator[None]:
    """Show what the body writes in ``PAGER`` (by default ``less``) when it is longer than the terminal.

    Args:
        wanted: whether to; where standard output is no terminal, or there is no pager, it is written as always.
    """
    pager = _pager() if wanted and sys.stdout.isatty() else []
    if not pager:
        yield
        return
    import shutil

    terminal, sys.stdout = sys.stdout, _Kept()
    try:
        yield
    finally:
        kept, sys.stdout = sys.stdout.getvalue(), terminal
        if kept.count("\n") < shutil.get_terminal_size().lines or not _show(pager, kept):
            terminal.write(kept)


def _pager() -> list[str]:
    import shlex
    import shutil

    words = shlex.split(os.environ.get("PAGER", USUAL))
    return words if words and words[0] != "cat" and shutil.which(words[0]) else []


def _show(pager: list[str], text: str) -> bool:
    import subprocess

    encoding = sys.stdout.encoding or "utf-8"
    try:
        subprocess.run(pager, input=text.encode(encoding, "visigate_logging"), check=False)
    except OSError:
        return False
    return True
