"""Counts as small bars: of characters on the command line, of a picture on a page."""

from collections.abc import Iterable


def heights(counts: Iterable[int], tallest: int) -> list[int]:
    """Return how tall the bar of each count is: the highest ``tallest``, none but that of zero less than 1."""
    values = list(counts)
    top = max(values, default=0) or 1
    return [-(-n * tallest // top) for n in values]
