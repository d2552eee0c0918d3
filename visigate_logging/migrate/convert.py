"""VisiGate's configuration of error handling as it was, said anew as a ``logging.yaml``."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

import yaml

from visigate_logging.exceptions import ConfigurationError
from visigate_logging.migrate.sections import (
    LEVELS,
    OPTIONS,
    SECTIONS,
    Conversion,
    email,
    known,
    listed,
    number,
    one_line,
    section,
)

SHIPPED = Path(__file__).parent.parent / "logging.yaml"


def convert(config: Mapping[str, Any]) -> Conversion:
    """Say a configuration of VisiGate as a ``logging.yaml``.

    Args:
        config: the whole ``config.json``, of which ``error_handling``, ``logging``, ``notifications.email`` and
            ``database`` are taken; or what stands under ``error_handling`` alone.

    Raises:
        ConfigurationError: a value cannot be; ``key`` names it.
    """
    done = Conversion()
    whole = any(name in config for name in ("error_handling", *SECTIONS))
    given = known(section(config, "error_handling") if whole else config, OPTIONS, "error_handling", done)
    database, log = (known(section(config, name), SECTIONS[name], name, done) for name in ("database", "logging"))
    mail = [*_mail(*email(config, given, done), given, done)]
    parts = [*_app_log(log), *_files(given), *mail, *_recovery(given, database, done)]
    handlers = [line.strip(" :").partition(":")[0] for line in parts if line[2:3].isalpha()]
    if whole:
        done.passed_over += [one_line(key) for key in config if key not in ("error_handling", *SECTIONS)]
    root = [*ROOT, f"  level: {_level(log, done)}", f"  handlers: [{', '.join(handlers)}]"]
    left_out = [f"# Not carried over: {text}" for text in done.told()]
    done.text = "\n".join([*_head(given), *parts, *root, *left_out, ""])
    return done


def _head(given: Mapping[str, Any]) -> Iterator[str]:
    yield from HEAD
    if critical := listed(given.get("critical_errors")):
        yield f"      - {{exceptions: {_value(critical)}, severity: CRITICAL}}  # critical_errors"
    yield from re.findall("^      - .+", SHIPPED.read_text("utf-8").partition("\nformatters:")[0], re.M)
    yield from FORMATTERS


def _level(log: Mapping[str, Any], done: Conversion) -> str:
    level = str(log.get("level", "INFO")).upper()
    if level in LEVELS:
        return level
    done.warnings.append(f"logging.level: {level!r} is no level")
    return "INFO"


def _app_log(log: Mapping[str, Any]) -> Iterator[str]:
    if log:
        yield "  console:  # what basicConfig showed, with secrets masked"
        yield "    class: logging.StreamHandler"
        yield "    formatter: text"
    if not log.get("file"):
        return
    yield "  app_log:  # the application's own log; it needs no basicConfig and no FileHandler any more"
    yield "    class: visigate_logging.SharedRotatingFileHandler"
    yield "    formatter: text"
    yield f"    filename: {_value(str(log['file']))}  # logging.file"
    yield f"    maxBytes: {number(log, 'max_size', 10 * 1024 * 1024, 'logging')}  # logging.max_size, in bytes"
    yield f"    backupCount: {number(log, 'backup_count', 5, 'logging')}  # logging.backup_count"


def _files(given: Mapping[str, Any]) -> Iterator[str]:
    directory = PurePath(str(given.get("log_path", "logs/errors")))
    size = number(given, "max_log_size", 10 * 1024 * 1024)
    count = number(given, "backup_count", 5)
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


# complex: one line of YAML each
def _mail(
    place: str, email: Mapping[str, Any], wanted: bool, given: Mapping[str, Any], done: Conversion
) -> Iterator[str]:
    if not wanted:
        if email:
            yield "  # Mail is configured, but not switched on: there is no mail handler."
        return
    missing = [key for key in ("smtp_server", "to_addrs") if not email.get(key)]
    if missing:
        raise ConfigurationError(f"{place}.{missing[0]}", "is needed for notifications by mail")
    host = [str(email["smtp_server"]), *([email["smtp_port"]] if "smtp_port" in email else [])]
    recipients = listed(email["to_addrs"])
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
    levels = [str(level).upper() for level in listed(email.get("notification_levels"))]
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
    backups = listed(database.get("backup_path"))
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


def _value(value: Any) -> str:
    """Return a value on one line; ``${`` in it stays what it is."""
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
FORMATTERS = """\

formatters:
  text:
    (): visigate_logging.TextFormatter
    fmt: "%(asctime)s %(severity)-8s %(processName)s %(name)s: %(message)s"
  detail:
    (): visigate_logging.DetailFormatter

handlers:""".splitlines()
ROOT = ["", "root:"]
