"""What ended a process that said no goodbye, by what is known of it; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from visigate_logging.lifecycle.dumps import Dump, Stack
from visigate_logging.lifecycle.exit_causes import NOTHING, Service, signal_name
from visigate_logging.lifecycle.outages import length

NEARLY_ALL = 0.95
"""Share of the memory in use from which on the kernel's choice is likely."""
_FATAL = {
    "Segmentation fault": "SIGSEGV",
    "Aborted": "SIGABRT",
    "Bus error": "SIGBUS",
    "Illegal instruction": "SIGILL",
    "Floating point exception": "SIGFPE",
    "Floating-point exception": "SIGFPE",
}
_CRASHES = frozenset(_FATAL.values()) | {"SIGSYS", "SIGTRAP"}


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of the end of a process.

    Args:
        facts: what it last told of itself.
        dumps: the stacks that it has left.
        kernel: what the kernel's log says, ``memory`` or ``fault``.
        group_kills: how many processes of its control group were killed for memory since it last told.
        status: its wait status, while its parent has not asked for it.
        service: what systemd says.
        lasted: seconds that it has lived, at least.
    """

    facts: Mapping[str, Any]
    dumps: list[Dump] = field(default_factory=list)
    kernel: str = ""
    group_kills: int = 0
    status: int | None = None
    service: Service = NOTHING
    lasted: float = 0.0


@dataclass(frozen=True)
class End:
    """How a process ended.

    Args:
        event: kind of the entry in the timeline: ``crash``, ``killed``, ``hang``, ``stop``, ``exit`` or ``vanished``.
        text: it in words; the process's name stands before it.
        stacks: where its threads were, the one that counts first.
        is_error: whether somebody should know.
    """

    event: str
    text: str
    stacks: tuple[Stack, ...] = ()
    is_error: bool = True


def ended(known: Known) -> End:
    """Return how a process ended: what it left itself counts first, then what others say, then what is likely."""
    return _by_its_dump(known) or _by_others(known) or _by_its_memory(known) or _without_a_word(known)


def told_of(facts: Mapping[str, Any]) -> str:
    """Return a process in words: its name, and its number."""
    return f"{facts.get('name') or 'a process'} (pid {facts.get('pid', '?')})"


def _by_its_dump(known: Known) -> End | None:
    if not known.dumps:
        return None
    last = known.dumps[-1]
    stacks = _ordered(last, known.facts.get("threads"))
    if last.fatal == "Aborted" and known.facts.get("hung"):
        return End("hang", "was ended after it had made no progress (SIGABRT)", is_error=False)  # which has been told
    if last.fatal == "Aborted" and (held := [dump for dump in known.dumps if dump.timeout]):
        return End("hang", "made no progress and was aborted then", _ordered(held[-1], known.facts.get("threads")))
    if last.fatal:
        number = _FATAL.get(last.fatal)
        return End("crash", f"crashed: {last.fatal}{f' ({number})' if number else ''}", stacks)
    if last.timeout:
        return End("hang", f"made no progress for {last.timeout} and was ended then", stacks)
    return End("stop", "was told to end (SIGTERM)", is_error=False)


def _by_others(known: Known) -> End | None:
    by_signal, code = _exit(known)
    if known.kernel == "memory" or known.service.result == "oom-kill" or known.group_kills > 0:
        return End("killed", f"was killed for memory{_after(known.lasted)}{_memory(known.facts)}")
    if known.kernel == "fault" or by_signal in _CRASHES:
        return End("crash", f"crashed: {by_signal or 'a fault that the kernel has logged'}")
    if known.service.result == "watchdog":
        return End("hang", "gave no sign of life to systemd, which ended it")
    if by_signal:
        return _by_signal(known, by_signal)
    if code is not None:
        return End("exit", f"left at once with exit code {code} (os._exit)", is_error=False)
    return None


def _by_signal(known: Known, name: str) -> End | None:
    if name == "SIGTERM":
        return End("stop", "was told to end (SIGTERM)", is_error=False)
    if known.service.result == "timeout":
        return End("stop", f"did not end when systemd told it to, and was killed ({name})", is_error=False)
    if _is_starved(known.facts):
        return None
    return End("killed", f"was killed ({name}){_after(known.lasted)}", is_error=False)


def _exit(known: Known) -> tuple[str, int | None]:
    """Return the signal that ended a process, or its exit code."""
    if known.status is not None:
        number = known.status & 0x7F
        return (signal_name(number), None) if number else ("", known.status >> 8 & 0xFF)
    if known.service.code in ("killed", "dumped"):
        return signal_name(known.service.status), None
    if known.service.code == "exited" and known.service.status.isdigit():
        return "", int(known.service.status)
    return "", None


def _by_its_memory(known: Known) -> End | None:
    if not _is_starved(known.facts):
        return None
    return End("killed", f"was probably killed for memory{_after(known.lasted)}{_memory(known.facts)}")


def _without_a_word(known: Known) -> End:
    return End("vanished", f"ended without a word{_after(known.lasted)}", is_error=False)


def _is_starved(facts: Mapping[str, Any]) -> bool:
    used = facts.get("memory")
    if not isinstance(used, list) or not used:
        return False
    return bool(used[-1] >= NEARLY_ALL and used[-1] >= used[0])


def _memory(facts: Mapping[str, Any]) -> str:
    used = facts.get("memory")
    if not isinstance(used, list) or not used:
        return ""
    rising = " and rising" if used[-1] > used[0] else ""
    return f"; {used[-1]:.0%} used{rising}".replace("%", " %")


def _after(seconds: float) -> str:
    return f" after {length(seconds)}" if seconds >= 1 else ""


def _ordered(dump: Dump, names: Any) -> tuple[Stack, ...]:
    """Return the stacks with the threads' names, the one that counts first: after a time-out the main thread's."""
    known = names if isinstance(names, Mapping) else {}
    stacks = [s._replace(name=s.name or str(known.get(str(s.ident), ""))) for s in dump.stacks]
    stacks.sort(key=lambda s: (not s.is_current, s.name != "MainThread"))
    return tuple(stacks)
