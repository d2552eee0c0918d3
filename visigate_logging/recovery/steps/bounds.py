"""What a step may be pointed at: hosts that are meant, files of SQLite, and what would end the host itself."""

import ipaddress
import re
from collections.abc import Sequence
from pathlib import PurePath

NUMBER = re.compile(r"(0x)?[0-9a-f]*", re.IGNORECASE)
ENDS_THE_HOST = {
    *("reboot", "poweroff", "halt", "shutdown", "kexec", "soft-reboot", "telinit", "ctrl-alt-del"),
    *("runlevel0", "runlevel6", "emergency", "rescue"),
}


def refuse_odd_host(host: str) -> None:
    """Refuse what is neither an address nor a name, such as ``7``, which the system would take for 0.0.0.7.

    Raises:
        ValueError: saying so (https://url.spec.whatwg.org/#ends-in-a-number-checker).
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2]
        if not re.search(r"[a-z0-9]", host, re.IGNORECASE) or (last[:1].isdigit() and NUMBER.fullmatch(last)):
            raise ValueError(f"{host!r} is neither a name nor an address of a host") from None


def host_of(url: str) -> str:
    """Return the host that a URL names."""
    netloc = url.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]
    return netloc.partition("]")[0].lstrip("[") if netloc.startswith("[") else netloc.partition(":")[0]


def would_reboot(words: Sequence[str]) -> bool:
    """Return whether a command, or a unit of systemd, ends the host."""
    names = (PurePath(name).name for word in words for name in re.split(r"[\s;&|]+", word))
    kinds = (name.removesuffix(".target").removesuffix(".service").removeprefix("systemd-") for name in names)
    return any(kind in ENDS_THE_HOST for kind in kinds)


def refuse_other_databases(*paths: str) -> None:
    """Refuse what is no path of a SQLite file.

    Raises:
        ValueError: saying so.
    """
    for path in paths:
        scheme, found, rest = path.partition("://")
        if not path:
            raise ValueError("a path is empty; give that of a SQLite file")
        if found and scheme.startswith("sqlite"):
            raise ValueError(f"{path!r} is a URL; write the path of the SQLite file: {rest.lstrip('/') or 'PATH'!r}")
        if found:
            raise ValueError(
                f"{path!r} is not a SQLite file. Databases of a server ({scheme}) are beyond this step: restore them "
                "with their own tools, by the step command"
            )
