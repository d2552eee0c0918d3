"""VisiGate's configuration of error handling as it was, said anew as a ``logging.yaml``."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import yaml

from visigate_logging.config.load import read, refuse
from visigate_logging.exceptions import ConfigurationError

__all__ = ["Conversion", "convert"]

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
}
DATABASE = {
    "db_path": ("path", "database", "db_file"),
    "backup_path": ("backup_paths", "backups", "backup"),
}
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass
class Conversion:
    """What became of a configuration.

    Args:
        text: the ``logging.yaml``, comments included.
        warnings: what could not be carried over, each with its key.
    """

    text: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def values(self) -> dict[str, Any]:
        """The text, read as ``configure`` reads it: for ``logging.config.dictConfig``."""
        source = read("logging.yaml", self.text.encode())
        if source.problems:
            raise refuse(source, source.problems)
        return source.values


def convert(config: Mapping[str, Any]) -> Conversion:
    """Say a configuration of VisiGate as a ``logging.yaml``.

    Args:
        config: with ``error_handling`` and perhaps ``database``; or what stands under ``error_handling`` alone.

    Raises:
        ConfigurationError: a value cannot be; ``key`` names it.
    """
    done = Conversion()
    errors = _section(config, "error_handling") if "error_handling" in config else config
    given = _known(errors, OPTIONS, "error_handling", done)
    email = _known(_section(given, "email_config"), EMAIL, "error_handling.email_config", done)
    # The database has options that are no concern of error handling: those are passed over without a word.
    database = _known(_section(config, "database"), DATABASE, "database", Conversion())
    parts = [*_files(given), *_mail(given, email, done), *_recovery(given, database, done)]
    handlers = ["error_log", "details"] + [line.strip(" :") for line in parts if line in ("  mail:", "  recovery:")]
    left_out = [f"# Not carried over: {warning}" for warning in done.warnings]
    done.text = "\n".join([*_head(given), *parts, *ROOT, f"  handlers: [{', '.join(handlers)}]", *left_out, ""])
    return done


def _section(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    section = config.get(key) or {}
    if not isinstance(section, Mapping):
        raise ConfigurationError(key, f"{section!r} is not a mapping of options")
    return section


def _known(
    section: Mapping[str, Any], options: Mapping[str, tuple[str, ...]], place: str, done: Conversion
) -> dict[str, Any]:
    """The options under their own names; what is none is warned of."""
    names = {other: name for name, others in options.items() for other in (name, *others)}
    found: dict[str, Any] = {}
    for key, value in section.items():
        if key not in names:
            done.warnings.append(f"{place}.{_one_line(key)} is not known; known are {', '.join(options)}")
        elif names[key] in found:
            done.warnings.append(f"{place}.{_one_line(key)} says {names[key]} a second time; the first holds")
        else:
            found[names[key]] = value
    return found


def _head(given: Mapping[str, Any]) -> Iterator[str]:
    yield from HEAD
    if critical := _listed(given.get("critical_errors")):
        yield f"      - {{exceptions: {_value(critical)}, severity: CRITICAL}}  # critical_errors"
    yield from RULES


def _files(given: Mapping[str, Any]) -> Iterator[str]:
    directory = PurePath(str(given.get("log_path", "logs/errors")))
    size = _number(given, "max_log_size", 10 * 1024 * 1024)
    count = _number(given, "backup_count", 5)
    for name, file, formatter, what in (
        ("error_log", "error.log", "text", "what happened, for people"),
        ("details", "details.jsonl", "detail", "all that is known, in place of one error_*.json for each error"),
    ):
        kind = "SharedRotatingFileHandler" if formatter == "text" else "JsonFileHandler"
        yield f"  {name}:  # {what}"
        yield f"    class: visigate_logging.{kind}"
        yield "    level: ERROR"
        yield f"    formatter: {formatter}"
        yield "    filters: [classify]"
        yield f"    filename: {_value(str(directory / file))}  # log_path"
        yield f"    maxBytes: {size}  # max_log_size, in bytes"
        yield f"    backupCount: {count}  # backup_count"


def _number(given: Mapping[str, Any], key: str, default: int) -> int:
    value = given.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigurationError(f"error_handling.{key}", f"{value!r} is not a whole number from 0 up")
    return value


def _mail(given: Mapping[str, Any], email: Mapping[str, Any], done: Conversion) -> Iterator[str]:
    if not given.get("email_notifications"):
        if email:
            yield "  # Mail is configured, but email_notifications is false: there is no mail handler."
        return
    missing = [key for key in ("smtp_server", "to_addrs") if not email.get(key)]
    if missing:
        raise ConfigurationError(f"error_handling.email_config.{missing[0]}", "is needed for email_notifications")
    host = [str(email["smtp_server"]), *([email["smtp_port"]] if "smtp_port" in email else [])]
    recipients = _listed(email["to_addrs"])
    yield "  mail:"
    yield "    class: visigate_logging.ThrottledSMTPHandler"
    yield f"    mailhost: {_value(host)}  # smtp_server, smtp_port"
    yield f"    fromaddr: {_value(email.get('from_addr') or email.get('username') or recipients[0])}  # from_addr"
    yield f"    toaddrs: {_value(recipients)}  # to_addrs"
    yield f"    subject: {_value(email.get('subject', 'VisiGate Error'))}"
    yield "    filters: [classify]"
    if email.get("username"):
        login = [email["username"], email.get("password", "")]
        yield f"    credentials: {_value(login)}  # username, password; better: password_file, see logging.yaml"
    if email.get("use_ssl"):
        yield "    secure: tls  # use_ssl"
    elif email.get("use_tls", True):
        yield "    secure: starttls  # use_tls; the server's certificate is verified"
    if "timeout" in email:
        yield f"    timeout: {_value(email['timeout'])}"
    yield from _severity(given, email, done)
    yield f"    state_dir: {_value(_state(given))}"


def _severity(given: Mapping[str, Any], email: Mapping[str, Any], done: Conversion) -> Iterator[str]:
    levels = [str(level).upper() for level in _listed(email.get("notification_levels"))]
    for level in levels:
        if level not in LEVELS:
            done.warnings.append(f"error_handling.email_config.notification_levels: {level!r} is no level")
    known = sorted((level for level in levels if level in LEVELS), key=LEVELS.index)
    if known:
        yield f"    severity: {known[0]}  # notification_levels; more severe errors are mailed too"
    elif given.get("critical_errors"):
        yield "    severity: CRITICAL  # what critical_errors names"
    else:
        yield "    # The configuration does not say which errors are critical, so all are told, throttled. Name the"
        yield "    # critical ones in rules: above, then raise this to CRITICAL."
        yield "    severity: ERROR"


def _recovery(given: Mapping[str, Any], database: Mapping[str, Any], done: Conversion) -> Iterator[str]:
    backups = _listed(database.get("backup_path"))
    if not database.get("db_path"):
        return
    if not backups:
        done.warnings.append("database.db_path has no backup_path beside it: a damaged database cannot be restored")
        return
    restore = {"restore_sqlite": {"database": str(database["db_path"]), "backups": backups}}
    yield "  recovery:"
    yield "    class: visigate_logging.RecoveryHandler"
    yield f"    state_dir: {_value(_state(given))}"
    yield "    procedures:"
    yield "      database:  # database.db_path, database.backup_path; only real damage is restored"
    yield "        exceptions: [DatabaseError, sqlite3.DatabaseError]"
    yield "        code: [SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_CANTOPEN]"
    yield f"        steps: {_value([restore])}"


def _state(given: Mapping[str, Any]) -> str:
    return str(PurePath(str(given.get("log_path", "logs/errors"))) / "state")


def _listed(value: Any) -> list[Any]:
    """A list; one text may hold several, with commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]


def _one_line(key: Any) -> str:
    """A key from the configuration, as it may stand in a comment."""
    return " ".join(str(key).split())


def _value(value: Any) -> str:
    """A value on one line; ``${`` in it stays what it is."""
    text: str = yaml.safe_dump(
        [value], default_flow_style=True, width=float("inf"), allow_unicode=True, sort_keys=False
    )
    return text.strip()[1:-1].replace("${", "$${")


HEAD = """\
# logging.yaml: made from the present configuration by visigate-errors convert-config.
# What each line comes from stands behind it; the logging.yaml that comes with visigate_logging explains all options.
version: 1
disable_existing_loggers: false

visigate:
  service: visigate
  hooks: true  # log what nobody caught, as global_exception_handler does

filters:
  classify:
    (): visigate_logging.Classifier
    rules:""".splitlines()
RULES = """\
      - {exceptions: [sqlite3.Error, DatabaseError], category: database}
      - {exceptions: [CameraError], category: camera}
      - {exceptions: [NetworkError, ConnectionError, TimeoutError], category: network}
      - {exceptions: [MemoryError, RecursionError], category: system, severity: CRITICAL}
      - {exceptions: [OSError], category: system}

formatters:
  text:
    (): visigate_logging.TextFormatter
    fmt: "%(asctime)s %(severity)-8s %(processName)s %(name)s: %(message)s"
  detail:
    (): visigate_logging.DetailFormatter

handlers:""".splitlines()
ROOT = """\

root:
  level: INFO""".splitlines()
