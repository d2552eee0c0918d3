"""VisiGate's configuration as it was: its sections, under one name for each option."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from visigate_logging.config.load import read
from visigate_logging.config.source import refuse
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.options import meant

# Each option under the name that VisiGate uses, and the other spellings that are taken for it.
OPTIONS = {
    "log_path": ("log_dir", "log_directory"),
    "max_log_size": ("max_size", "max_bytes", "maxBytes"),
    "backup_count": ("backupCount", "backups"),
    "email_notifications": ("email_enabled", "enable_email"),
    "email_config": ("email", "mail"),
    "critical_errors": ("critical_error_types", "critical_exceptions"),
}
EMAIL = {
    "smtp_server": ("smtp_host", "server", "host"),
    "smtp_port": ("port",),
    "use_tls": ("tls", "starttls"),
    "use_ssl": ("ssl",),
    "username": ("smtp_username", "smtp_user", "user"),
    "password": ("smtp_password",),
    "from_addr": ("from_address", "from_email", "sender", "from"),
    "to_addrs": ("to_addresses", "to_emails", "to_email", "to_addr", "recipients", "to"),
    "subject": ("subject_prefix",),
    "notification_levels": ("levels", "level", "min_level"),
    "timeout": (),
    "enabled": ("enable",),
}
DATABASE = {
    "db_path": ("path", "database", "db_file"),
    "backup_path": ("backup_paths", "backups", "backup"),
}
LOGGING = {
    "level": ("log_level",),
    "file": ("log_file", "filename", "path"),
    "max_size": ("max_log_size", "max_bytes", "maxBytes"),
    "backup_count": ("backupCount", "backups"),
}
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
SECTIONS: dict[str, Mapping[str, tuple[str, ...]]] = {"database": DATABASE, "logging": LOGGING, "notifications": {}}


@dataclass
class Conversion:
    """What became of a configuration.

    Args:
        text: the ``logging.yaml``, comments included.
        warnings: what could not be carried over, each with its key.
        passed_over: keys that are not known, or say nothing of errors.
    """

    text: str = ""
    warnings: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)

    @property
    def values(self) -> dict[str, Any]:
        """The text, read as ``configure`` reads it: for ``logging.config.dictConfig``."""
        source = read("logging.yaml", self.text.encode())
        if source.problems:
            raise refuse(source, source.problems)
        return source.values

    def told(self) -> list[str]:
        """Return what to tell: each warning, then in one line all that was passed over."""
        passed = f"passed over: {', '.join(self.passed_over)}"
        return [*self.warnings, *([passed] if self.passed_over else [])]


def section(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a section; one that is not there is empty."""
    found = config.get(key) or {}
    if not isinstance(found, Mapping):
        raise ConfigurationError(key, f"{found!r} is not a mapping of options")
    return found


def known(
    given: Mapping[str, Any], options: Mapping[str, tuple[str, ...]], place: str, done: Conversion
) -> dict[str, Any]:
    """Return the options under their own names; what is none is passed over."""
    names = {other: name for name, others in options.items() for other in (name, *others)}
    found: dict[str, Any] = {}
    for key, value in given.items():
        if key not in names:
            guess = meant(key, options, 0.7).removeprefix("; ")
            done.passed_over.append(f"{place}.{one_line(key)}" + (f" ({guess})" if guess else ""))
        elif names[key] in found:
            done.warnings.append(f"{place}.{one_line(key)} says {names[key]} a second time; the first holds")
        else:
            found[names[key]] = value
    return found


def email(config: Mapping[str, Any], given: Mapping[str, Any], done: Conversion) -> tuple[str, dict[str, Any], bool]:
    """Return where and how mail is configured, and if it is wanted: error handling goes before notifications."""
    own = section(given, "email_config")
    notifications = section(config, "notifications")
    done.passed_over += [f"notifications.{one_line(key)}" for key in notifications if key not in ("email", "enabled")]
    other = section(notifications, "email")
    place, taken = ("error_handling.email_config", own) if own or not other else ("notifications.email", other)
    found = known(taken, EMAIL, place, done)
    enabled = found.pop("enabled", True) and notifications.get("enabled", True)
    wanted = given.get("email_notifications", taken is other and enabled)
    return place, found, bool(wanted)


def number(given: Mapping[str, Any], key: str, default: int, place: str = "error_handling") -> int:
    """Return a whole number from 0 up."""
    value = given.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigurationError(f"{place}.{key}", f"{value!r} is not a whole number from 0 up")
    return value


def listed(value: Any) -> list[Any]:
    """Return a list; one text may hold several, with commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]


def one_line(key: Any) -> str:
    """Return a key from the configuration, as it may stand in a comment."""
    return " ".join(str(key).split())
