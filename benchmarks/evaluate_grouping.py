"""How well texts are grouped: pairs of messages of a gate with known truth, by today's rules and by the first ones.

With ``LOGHUB=DIR``, a directory of LogHub-2k (``*/*_2k.log_structured.csv``), its grouping accuracy too: the share of
lines whose group is exactly that of the known template; and the share of lines that are the first of a template and
lie in a group that there was before (hidden new kinds).
"""

import csv
import itertools
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.messages import APART, KINDS
from visigate_logging.detail.grouping import v1, v3

Mask = Callable[[str], str]
RULES: dict[str, Mask] = {"v1": v1.mask, "v3": v3.mask}


def together() -> Iterator[tuple[str, str]]:
    """Pairs of one kind."""
    for kind in KINDS:
        yield from itertools.combinations(kind, 2)


def apart() -> Iterator[tuple[str, str]]:
    """Pairs of different kinds: those that are hard to tell apart, and the first two of neighbouring kinds."""
    yield from APART
    for one, other in itertools.pairwise(KINDS):
        yield from itertools.product(one[:2], other[:2])


def judged(mask: Mask) -> dict[str, tuple[int, int]]:
    """How many pairs are judged wrongly, of how many."""
    same, other = list(together()), list(apart())
    return {
        "pairs of one kind kept apart": (sum(mask(a) != mask(b) for a, b in same), len(same)),
        "pairs of different kinds merged": (sum(mask(a) == mask(b) for a, b in other), len(other)),
    }


def loghub(mask: Mask, file: Path) -> tuple[float, float]:
    """Grouping accuracy, and hidden new kinds, of one system's log."""
    with file.open(encoding="utf-8", newline="") as lines:
        rows = [(row["EventId"], mask(row["Content"])) for row in csv.DictReader(lines)]
    return accuracy(rows), hidden(rows)


def accuracy(rows: Sequence[tuple[str, str]]) -> float:
    """The share of lines whose group has exactly the lines of their kind."""
    kinds, groups = defaultdict(set), defaultdict(set)
    for i, (kind, group) in enumerate(rows):
        kinds[kind].add(i)
        groups[group].add(i)
    return sum(kinds[kind] == groups[group] for kind, group in rows) / len(rows)


def hidden(rows: Sequence[tuple[str, str]]) -> float:
    """The share of first lines of a kind that lie in a group which another kind has made."""
    kinds: set[str] = set()
    groups: set[str] = set()
    new = lost = 0
    for kind, group in rows:
        if kind not in kinds:
            new += 1
            lost += group in groups
        kinds.add(kind)
        groups.add(group)
    return lost / new


def main() -> None:
    """Print the figures."""
    for name, mask in RULES.items():
        for what, (wrong, of) in judged(mask).items():
            print(f"  {name}  {what:32} {wrong:4} of {of}")
    files = sorted(Path(os.environ["LOGHUB"]).glob("**/*_2k.log_structured.csv")) if "LOGHUB" in os.environ else []
    for name, mask in RULES.items() if files else ():
        figures = [loghub(mask, file) for file in files]
        right, missed = (sum(column) / len(figures) for column in zip(*figures, strict=True))
        print(f"  {name}  LogHub, {len(files)} logs: grouping accuracy {right:.3f}, hidden new kinds {missed:.3f}")


if __name__ == "__main__":
    main()
