"""The generations of a backup: the last few, and one each that is a day, a week and a month old."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

DAY = 86_400.0
OLDER = (("daily", DAY), ("weekly", 7 * DAY), ("monthly", 30 * DAY))


def generations(paths: Iterable[str]) -> Iterator[Path]:
    """Yield the backups that exist: each path, then its older generations ``.1``, ``.2`` ..., ``.daily`` ..."""
    for text in paths:
        path = Path(text)
        numbered = (p for p in path.parent.glob(f"{path.name}.*") if p.suffix[1:].isdigit())
        older = [path.with_name(f"{path.name}.{name}") for name, _ in OLDER]
        yield from filter(Path.is_file, [path, *sorted(numbered, key=lambda p: int(p.suffix[1:])), *older])


def shift(target: Path, keep: int) -> None:
    """Make room for the newest: the last of ``keep`` generations becomes the day's, when that has had its day."""
    numbered = [target, *(target.with_name(f"{target.name}.{n}") for n in range(1, keep))]
    if numbered[-1].exists():
        _hand_on(numbered[-1], target, OLDER)
    for newer, older in reversed(list(pairwise(numbered))):
        if newer.exists():
            newer.replace(older)


def _hand_on(leaving: Path, target: Path, places: Sequence[tuple[str, float]]) -> None:
    """Put a generation into the first place, what was there into the next one, and so on; each stays its time there.

    Ages are differences between the files' own times: a gate's clock may be wrong, but rarely differently each day.
    """
    if not places:
        return
    (name, time), *further = places
    place = target.with_name(f"{target.name}.{name}")
    if place.exists():
        if 0 <= leaving.stat().st_mtime - place.stat().st_mtime < time:
            return
        _hand_on(place, target, further)
    leaving.replace(place)
