"""What to do about an error, by its message, type and category."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.exceptions import ConfigurationError


@dataclass(frozen=True, slots=True)
class Advice:
    """One rule: all of its conditions that are given must hold.

    Args:
        text: what to do.
        types: names of exception types, of which one is in the chain.
        categories: the classifier's, of which the error has one.
        words: of which one is in a message, whatever its case.
    """

    text: str
    types: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()

    def holds(self, detail: ErrorDetail) -> bool:
        """Return whether it speaks of this error."""
        chain = {detail.error_type, *(e.type for e in detail.exceptions)}
        said = " ".join([detail.error_message, detail.message, *(e.message for e in detail.exceptions)]).lower()
        return (
            (not self.types or not chain.isdisjoint(self.types))
            and (not self.categories or detail.category in self.categories)
            and (not self.words or any(word in said for word in self.words))
        )


def advice_for(detail: ErrorDetail, own: Sequence[Advice] = ()) -> str:
    """Return what to do: by the administrator's own table, then by SHIPPED; else nothing.

    What error handling says of itself, such as that a database is restored, names the trouble that it has mended: of
    the shipped rules only the one that is about it speaks.
    """
    is_ours = detail.logger.startswith("visigate_logging")
    return next((rule.text for rule in (*own, *((ABOUT_MAILS,) if is_ours else SHIPPED)) if rule.holds(detail)), "")


def read_advice(given: Any) -> tuple[Advice, ...]:
    """Return the rules of a table as YAML has it: a list of rules, or a mapping of types or categories to texts.

    Raises:
        ConfigurationError: a rule cannot be; ``key`` is below the table.
    """
    if given is None:
        return ()
    if isinstance(given, Mapping):
        return tuple(rule for name, text in given.items() for rule in _named(name, text))
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise ConfigurationError("", f"{given!r} is neither a mapping of names to texts nor a list of rules")
    return tuple(_rule(str(n), rule) for n, rule in enumerate(given))


def _named(name: Any, text: Any) -> tuple[Advice, Advice]:
    return Advice(_text(str(name), text), types=frozenset({str(name)})), Advice(
        text, categories=frozenset({str(name)})
    )


def _rule(key: str, rule: Any) -> Advice:
    if not isinstance(rule, Mapping):
        raise ConfigurationError(key, f"{rule!r} is no mapping with advice and any of types, categories, words")
    for name in rule:
        if name not in ("advice", "types", "categories", "words"):
            raise ConfigurationError(f"{key}.{name}", "not known; possible are advice, types, categories, words")
    lists = {name: _list(f"{key}.{name}", rule.get(name)) for name in ("types", "categories", "words")}
    if not any(lists.values()):
        raise ConfigurationError(key, "says of no error that it speaks of it: give types, categories or words")
    return Advice(
        _text(f"{key}.advice", rule.get("advice")),
        frozenset(lists["types"]),
        frozenset(lists["categories"]),
        tuple(word.lower() for word in lists["words"]),
    )


def _list(key: str, value: Any) -> list[str]:
    found = [value] if isinstance(value, str) else value or []
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise ConfigurationError(key, f"{value!r} is no list of texts")
    return found


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(key, f"{value!r} is no text that says what to do")
    return value


# For who reads of it at night. The first rule of which all conditions hold speaks.
_CAMERA = (
    "Is the camera powered and on the network (`ping ADDRESS`)? Try its stream with `ffprobe URL`: 401 "
    "means the password, no answer the cable, the switch or its power."
)
_MAIL = "Mails are not taken: `visigate-errors mail test` names the step that fails and its cure."
ABOUT_MAILS = Advice(_MAIL, words=("mails cannot be sent",))
SHIPPED = (
    Advice(
        (
            "The card is full. Free space now (`df -h`, `journalctl --vacuum-size=50M`, old recordings); errors "
            "are kept in memory meanwhile, and a power cut would lose them."
        ),
        words=("no space left on device", "enospc", "database or disk is full", "disk full"),
    ),
    Advice(
        (
            "The card has become read-only, usually because it is failing. Copy what matters off it, replace it; "
            "`dmesg` says why."
        ),
        words=("read-only file system",),
    ),
    Advice(
        (
            "The database is damaged. Stop what writes to it, then `visigate-errors recover run` restores the "
            "newest sound backup; the damaged file is kept beside it. What was changed since the backup (revoked "
            "permits!) must be entered again."
        ),
        words=("database disk image is malformed", "file is not a database", "database corruption"),
    ),
    Advice(
        (
            "Another process holds the database for long. It is not damaged: find who writes (`fuser -v FILE`); "
            "do not restore."
        ),
        words=("database is locked", "database table is locked"),
    ),
    Advice(_CAMERA, types=frozenset({"CameraError", "ONVIFError"})),
    Advice(_CAMERA, words=("rtsp://", "videocapture", "no picture", "camera")),
    Advice(
        _MAIL,
        types=frozenset(
            {"SMTPException", "SMTPAuthenticationError", "SMTPServerDisconnected", "SMTPRecipientsRefused"}
        ),
    ),
    ABOUT_MAILS,
    Advice(
        (
            "A name cannot be resolved: the network, the router or its DNS is away (`ping 1.1.1.1`, then "
            "`resolvectl query NAME`)."
        ),
        types=frozenset({"gaierror", "NameResolutionError"}),
    ),
    Advice(
        "The other side does not answer. Does its service run, and can this host reach it (`ping`, `ss -tn`)?",
        types=frozenset(
            {"ConnectionRefusedError", "ConnectionError", "ConnectTimeout", "TimeoutError", "ConnectionResetError"}
        ),
    ),
    Advice(
        (
            "The service's user may not do this: look at owner and mode of the file (`ls -l`), and at the unit's "
            "User=."
        ),
        types=frozenset({"PermissionError"}),
    ),
    Advice(
        "The host is out of memory: `ps aux --sort=-rss | head` shows who has it; restart that service.",
        types=frozenset({"MemoryError"}),
    ),
    Advice(
        "A module is not installed in the service's environment, or was lost in an update: reinstall the release.",
        types=frozenset({"ImportError", "ModuleNotFoundError"}),
    ),
    Advice("Look whether the database is whole: `visigate-errors doctor`.", categories=frozenset({"database"})),
    Advice(_CAMERA, categories=frozenset({"camera"})),
    Advice(
        "Look whether gateway and internet can be reached: `ping 1.1.1.1`; the router may need a restart.",
        categories=frozenset({"network"}),
    ),
)
"""What to do about the usual; the table ``advice:`` of a mail handler comes before."""
