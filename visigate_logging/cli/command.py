"""The table of subcommands: what each is for, and where it is; one is imported when it runs."""

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

DONE, FAILED, USAGE, CONFIGURATION = 0, 1, 2, 78


class Command(NamedTuple):
    """One subcommand.

    Args:
        name: the word on the command line.
        help: what it is for, in one line.
        target: its function NAME, below ``visigate_logging.cli``; ``_NAME_arguments`` beside it declares what it
            takes.
        paged: whether what it says is shown in a pager where it is longer than the terminal.
    """

    name: str
    help: str
    target: str
    paged: bool = False

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what it takes."""
        self._find("_{}_arguments")(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Do it, and return the exit code."""
        code: int = self._find()(args)
        return code

    def _find(self, name: str = "{}") -> Callable[..., int]:
        module, _, function = self.target.partition(".")
        found: Callable[..., int] = getattr(import_module(f"visigate_logging.cli.{module}"), name.format(function))
        return found


COMMANDS = (
    Command("summary", "is all well, on one screen; also without a subcommand", "summary.summary"),
    Command("recent", "the newest errors, the newest first", "reading.recent", paged=True),
    Command("show", "one error to its cause", "reading.show", paged=True),
    Command("follow", "new errors as they come", "reading.follow"),
    Command("stats", "how many errors, of which types, from where, when", "counting.stats", paged=True),
    Command("groups", "errors that belong together", "counting.groups", paged=True),
    Command("trends", "what becomes more or less, and what came in bursts", "trending.trends", paged=True),
    Command("resolve", "mark groups as mended; what comes back is a regression", "deciding.resolve"),
    Command("mute", "count the errors of groups, but do not tell of them", "deciding.mute"),
    Command("reopen", "take back that groups are resolved or muted", "deciding.reopen"),
    Command("note", "keep a note about groups", "deciding.note"),
    Command("merge", "make groups part of another, or take that back", "deciding.merge"),
    Command("split", "make a part of groups a group of its own, or take that back", "deciding.split"),
    Command("import", "take in VisiGate's error_*.json files, each once", "moving.import_old"),
    Command("export", "errors as JSON lines or CSV", "moving.export"),
    Command("prune", "remove rotated files of old errors; their counts stay", "moving.prune"),
    Command("erase", "forget a text, such as a number plate: out of all files", "erasing.erase"),
    Command("index", "the index beside the log: show, check or rebuild it", "upkeep.index"),
    Command("init", "write the shipped logging.yaml, with this gate's paths and mail server", "init.init"),
    Command("convert-config", "VisiGate's present configuration as a logging.yaml", "converting.convert_config"),
    Command("mail", "try the mail server, or look after the outbox", "mail.mail"),
    Command("notify", "try the notification services, or look after their outbox", "mail.notify"),
    Command("forward", "send what the log has to other systems; list what they refused", "forwarding.forward"),
    Command("collect", "gather what many gates have sent to a hub in the log of this host", "collecting.collect"),
    Command("check", "name all that is wrong with a configuration, with its line", "configuring.run_check"),
    Command("apply", "put a checked configuration into effect; go back unless confirmed", "configuring.run_apply"),
    Command("status", "what runs on this host, and what became of its errors", "status.status"),
    Command(
        "timeline",
        "releases, restarts, crashes, power cuts: what happened to the host",
        "lifecycle.timeline",
        paged=True,
    ),
    Command("power", "when the power was away; up and down, for the systemd unit", "lifecycle.power"),
    Command("doctor", "look at all that errors depend on, and say what to do", "doctor.doctor"),
    Command("rehearse", "what a configuration would have done with the stored errors", "rehearse.rehearse"),
    Command("metrics", "counts and ages for Prometheus, as text or as a file for node_exporter", "metrics.metrics"),
    Command("serve", "the errors on pages, by a web server of their own", "serve.serve"),
    Command("recover", "recoveries: list, run, history, reset, rows", "recover.recover"),
    Command("backup", "make a checked backup of a SQLite database, for a timer or cron", "backup.backup"),
    Command("completion", "what makes a shell complete this command's words", "upkeep.completion"),
)
