"""A cache with an upper bound."""

from collections.abc import Callable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Bounded(dict[K, V]):
    """A cache that starts anew when it is full.

    Args:
        most: entries that are kept.
        make: makes the value of a key that is looked up and missing; None raises ``KeyError``, as a dict does.
        worth: whether such a value is kept.
    """

    __slots__ = ("_make", "_most", "_worth")

    def __init__(
        self, most: int, make: Callable[[K], V] | None = None, worth: Callable[[K, V], bool] | None = None
    ) -> None:
        super().__init__()
        self._most = most
        self._make = make
        self._worth = worth

    def __missing__(self, key: K) -> V:
        """Make the value of a key, and remember it."""
        if self._make is None:
            raise KeyError(key)
        value = self._make(key)
        return self.keep(key, value) if self._worth is None or self._worth(key, value) else value

    def keep(self, key: K, value: V) -> V:
        """Remember a value, and return it."""
        if len(self) >= self._most:
            self.clear()
        self[key] = value
        return value
