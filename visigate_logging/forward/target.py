"""What a target is, and what can become of a record that it was given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

Record = Mapping[str, Any]
"""A detail record as plain data, without what is to stay on the host."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The other side has it, and answers for it from now on."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The other side will never take it.

    Args:
        reason: what it answered, without secrets.
        is_known: it is this record that was refused; False where the other side told only how many.
    """

    reason: str
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Later:
    """The other side has not taken it yet.

    Args:
        reason: what was met, and what to do where that is known; without secrets.
        after: seconds to the next try, where the other side has named them.
        is_suspect: the record itself may be the reason: too much for the link, or what the other side stumbles over.
    """

    reason: str
    after: float | None = None
    is_suspect: bool = False


Outcome = Accepted | Refused | Later


@runtime_checkable
class Target(Protocol):
    """One way to hand records over. It keeps nothing: how far it has come is the books' to know."""

    most: ClassVar[int]
    """Records that it is given at a time; a kill meanwhile may have them sent twice."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that are connected to."""

    def send(self, records: Sequence[Record]) -> Sequence[Outcome]:
        """Hand records over, however long that takes; one outcome for each, and no exception."""

    def close(self) -> None:
        """Let go of the connection; the next `send` makes another."""


@runtime_checkable
class TellsState(Protocol):
    """A target that wants to know how the gate is, beside its records."""

    def tell(self, state: bytes) -> Outcome:
        """Hand over the gate's state as JSON, of which only the last counts."""


def unreachable(target: Target, timeout: float = 3.0) -> str:
    """Return why nobody answers at a target's address; empty when somebody does.

    Args:
        target: asked for its address only; nothing is sent.
        timeout: seconds to wait.
    """
    import socket

    host, port = target.address
    try:
        socket.create_connection((host, port), timeout).close()
    except (OSError, UnicodeError) as error:
        return f"{host}:{port} cannot be reached: {error}"
    return ""


def divided(records: Sequence[Record], send: Callable[[Sequence[Record]], Sequence[Outcome]]) -> list[Outcome]:
    """Return the outcomes of requests that are refused as a whole for one record: halves go on their own.

    Args:
        records: at least one.
        send: makes one request; an only outcome is that of all its records.
    """
    outcomes = list(send(records))
    if len(outcomes) == len(records):
        return outcomes
    (outcome,) = outcomes
    if not isinstance(outcome, Refused):
        return [outcome] * len(records)
    middle = len(records) // 2
    first = divided(records[:middle], send)
    if isinstance(first[-1], Later):
        return [*first, *[first[-1]] * (len(records) - middle)]
    return [*first, *divided(records[middle:], send)]
