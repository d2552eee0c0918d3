"""Whether nobody else can change what a configuration makes the application do: itself, its state, its programs."""

import os
import shutil
from collections.abc import Iterator, Sequence
from typing import Any

from visigate_logging.config.named import texts
from visigate_logging.config.objects import Object
from visigate_logging.config.paths import is_path
from visigate_logging.config.source import ERROR, WARNING, Source, is_reference
from visigate_logging.host.trust import exposure, trusted_users
from visigate_logging.options.faults import KeyPath


def check_trust(source: Source, objects: Sequence[Object], user: str | None) -> None:
    """Note who else could change the file, directories of logs and state, and the programs of steps.

    Args:
        source: the file.
        objects: what it makes.
        user: whom the application runs as; default the user of this process, for whom root is told by the file.
    """
    if not source.path.exists():
        return
    trusted = trusted_users(user)
    if user is None and os.geteuid() == 0 and not source.is_to_run:
        trusted |= {os.stat(source.path).st_uid}  # root looks at a file that is for its owner's application
    for key, path, what in ((), str(source.path), "this file"), *_paths(objects):
        found = exposure(path, trusted)
        if found is not None:
            place = "it" if str(found.path) == os.path.abspath(path) else found.path
            text = f"{what} can be changed by {found.who}, through {place}: {found.cure}"
            source.add(key, text, WARNING if found.is_group else ERROR)


def _paths(objects: Sequence[Object]) -> Iterator[tuple[KeyPath, str, str]]:
    for made in objects:
        for parameter, value in made.arguments():
            key = (*made.key, parameter.name)
            if isinstance(value, str) and is_path(parameter) and not is_reference(value) and "\0" not in value:
                is_directory = parameter.name.endswith("_dir")
                yield key, value if is_directory else os.path.dirname(value) or ".", "what is in this directory"
            if made.is_ours:
                yield from _programs(key, value)


def _programs(key: KeyPath, value: Any) -> Iterator[tuple[KeyPath, str, str]]:
    for place, program in texts(key, value):
        found = shutil.which(program) if place[-2:-1] == ("argv",) else None
        if found is not None and (place[-1] == 0 or os.path.isabs(program)):
            yield place, found, "this program"
