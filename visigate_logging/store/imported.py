"""Where errors from VisiGate's old files are, and how the name of such a file finds its error."""

from hashlib import blake2b
from pathlib import Path

__all__ = ["imported_log", "legacy_tie"]


def imported_log(log: Path) -> Path:
    """Return the file beside a log that takes imported errors; no handler writes to it or rotates it."""
    return log.with_name(log.name + ".imported")


def legacy_tie(name: str) -> bytes:
    """Return the lower half of the id that an imported file gets: by its name alone, so that old links find it."""
    return blake2b(Path(name).name.encode(), digest_size=8).digest()
