"""Write the shipped logging.yaml, with this gate's paths and mail server."""

import re
import sys
from pathlib import Path

import orjson

from visigate_logging.cli.arguments import Args, argument
from visigate_logging.cli.command import CONFIGURATION, DONE
from visigate_logging.cli.output import complain, paragraph, say
from visigate_logging.config.schema import schema

SHIPPED = Path(__file__).parents[2] / "logging.yaml"
SCHEMA = "logging.schema.json"
"""As the shipped file names it, for editors."""
QUESTIONS = {
    "logs": "directory of the error files",
    "database": "SQLite database to be mended when it is damaged",
    "backup": "its backup, made by visigate-errors backup",
    "mail_server": "mail server, host or host:port (empty: no mails)",
    "mail_from": "address that mails come from (empty: the first of those that are told)",
    "mail_to": "addresses that are told, with commas between",
}
DEFAULTS = {"logs": "logs/errors", "database": "data/visigate.db", "backup": "data/backups/visigate.db"}
ARGUMENTS = (
    argument("--output FILE", "the file", type=Path, default="logging.yaml"),
    *(
        argument(
            f"--{name.replace('_', '-')} TEXT",
            question + (f" (default: {DEFAULTS[name]})" if name in DEFAULTS else ""),
            dest=f"asked_{name}",
        )
        for name, question in QUESTIONS.items()
    ),
    argument("--yes", "ask nothing; what is not given has its default"),
)


def run(args: Args) -> int:
    """Write the shipped configuration with what is particular to this gate."""
    if args.output.exists():
        complain(
            f"{args.output} is there already; go to your application's directory, or name another file with --output"
        )
        return CONFIGURATION
    given = _asked(args)
    if given["mail_server"] and not given["mail_to"]:
        complain("a mail server needs --mail-to")
        return CONFIGURATION
    text = filled(SHIPPED.read_text("utf-8"), given)
    with args.output.open("x", encoding="utf-8") as out:  # never over one that has come meanwhile
        out.write(text)
    args.output.chmod(0o640)
    _write_schema(args.output.with_name(SCHEMA))
    say(f"{args.output} is written; it explains every option. Next:")
    say(f"  visigate-errors check {args.output}")
    say(paragraph("  ", 'in each process: visigate_logging.configure("logging.yaml"), before it logs'))
    say("  visigate-errors                 is all well, from then on")
    return DONE


def _write_schema(path: Path) -> None:
    """Write what an editor checks the file against and completes it by, unless one is there."""
    if not path.exists():
        path.write_bytes(orjson.dumps(schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _asked(args: Args) -> dict[str, str]:
    asks = sys.stdin.isatty() and not args.yes
    given: dict[str, str] = {}
    for name, question in QUESTIONS.items():
        value, default = getattr(args, f"asked_{name}"), DEFAULTS.get(name, "")
        unneeded = name.startswith("mail_") and name != "mail_server" and not given["mail_server"]
        if value is None and asks and not unneeded:
            value = input(f"{question}{f' [{default}]' if default else ''}: ").strip()
        given[name] = value or default
    return given


def filled(text: str, given: dict[str, str]) -> str:
    """Put paths and addresses into the shipped text; all its comments stay.

    Args:
        text: the shipped configuration.
        given: values by the names of `QUESTIONS`; those of mail may be empty.
    """
    for name, default in DEFAULTS.items():
        for found in sorted(set(re.findall(rf"(?<![\w/]){re.escape(default)}[\w./]*", text)), key=len, reverse=True):
            path = _plain(given[name] + found.removeprefix(default)).replace("\\", r"\\")
            text = re.sub(rf"(?<![\w/]){re.escape(found)}(?![\w./])", path, text)
    if not given["mail_server"]:
        return text
    recipients = [part.strip() for part in given["mail_to"].split(",")]
    text = _with_option(text, "mailhost", given["mail_server"])
    text = _with_option(text, "toaddrs", recipients)
    return _with_option(text, "fromaddr", given["mail_from"]) if given["mail_from"] else text


def _with_option(text: str, key: str, value: str | list[str]) -> str:
    line = f"    {key}: {orjson.dumps(value).decode()}"
    return re.sub(rf"^    (?:# )?{key}: .*$", lambda _: line, text, flags=re.M)


def _plain(value: str) -> str:
    """Return a path as YAML takes it; in quotes where it would be read as something else."""
    return value if re.fullmatch(r"[\w./~-]+", value) else orjson.dumps(value).decode()
