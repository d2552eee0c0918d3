"""The lines of source around a frame, where the file is at hand and unchanged since the error."""

import os
import stat
import textwrap
import tokenize
from datetime import datetime
from itertools import islice

from visigate_logging.detail.frames import Frame
from visigate_logging.detail.masking import mask

MAX_BYTES = 2_000_000


def source_around(frame: Frame, when: datetime, around: int = 2) -> list[tuple[int, str]]:
    """Numbers and texts of the lines around a frame's line; none where they may not be those that ran.

    A record may come from anywhere, so only regular Python files are read, and only where the line is as the
    record has it. Secrets are masked.

    Args:
        frame: from a record.
        when: the time of the record; a file written later is not shown.
        around: lines before and after.
    """
    try:
        if not (frame.code and os.path.isabs(frame.file) and frame.file.endswith(".py")):
            return []
        status = os.stat(frame.file)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES or status.st_mtime > when.timestamp():
            return []
        first = max(1, frame.line - around)
        with tokenize.open(frame.file) as file:
            lines = list(enumerate(map(mask, islice(file, first - 1, frame.line + around)), first))
    except (OSError, SyntaxError, ValueError, TypeError, AttributeError):  # the last two: fields of other types
        return []
    if dict(lines).get(frame.line, "").strip() != frame.code:
        return []
    texts = textwrap.dedent("".join(text for _, text in lines)).splitlines()
    return [(number, text) for (number, _), text in zip(lines, texts, strict=False)]
