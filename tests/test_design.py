"""docs/design.md has each room, its imports, and the words that modules are named by."""

import importlib
import re
import sys
import warnings
from pathlib import Path

from tests.test_architecture import BELOW_ALL, FILES, MAY_IMPORT, dotted
from visigate_logging.cli import COMMANDS

TEXT = (Path(__file__).parent.parent / "docs/design.md").read_text("utf-8")
SUBCOMMANDS = {word for command in COMMANDS for word in command.name.split("-")}
LIBRARIES = (
    "argparse asyncio builtins collections concurrent.futures contextlib dataclasses email.message faulthandler "
    "gc http importlib.metadata inspect io itertools json logging logging.config logging.handlers multiprocessing "
    "os pathlib pdb platform queue re resource shutil signal smtplib socket sqlite3 ssl statistics string subprocess "
    "syslog threading time traceback types typing unittest urllib.parse urllib.request zoneinfo"
)
FIELD = (
    "advice arrivals attempts audit backoff blueprint breadcrumbs catchup charts classification clauses cli "
    "collector composer construct consumers decisions delivery discovery dispatcher doctor erasure "
    "execution exposition extraction facts faults fetch findings fleet flight gate grouping health "
    "hub ingest insight interning layout lifecycle lint loss merging metrics migrate mistakes nats "
    "notification notifier otlp outages pages paths pipeline presence present privacy proc pseudonyms "
    "reboot recurrence redaction rehearsal rehearse replay report restart retention rewrite rhythm rotation rtsp "
    "schedule selection sentry settings settlement severities silence simulated spool standalone standard "
    "supervision swap timeline trust usb watch watchdog web yaml"
)
"""Words of the field that mean here what they mean elsewhere."""
OTHERS = ""
"""Words that are neither, and are to go; none may be added."""


def words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def glossary() -> set[str]:
    table = TEXT.partition("## Glossary")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| ([a-z]+) \|", table, re.MULTILINE)) - {"word"}


def of_python() -> set[str]:
    """The words of the standard library: its modules, and what is in those that this package builds on."""
    found = {word for name in sys.stdlib_module_names for word in words(name)}
    for name in LIBRARIES.split():
        with warnings.catch_warnings(action="ignore"):
            module = vars(importlib.import_module(name))
            inner = [attribute for kind in module.values() if isinstance(kind, type) for attribute in vars(kind)]
        found |= {word for one in (*module, *inner) for word in words(one)}
    return found


def stem(word: str) -> str:
    """A word without its ending, roughly: ``rewriting``, ``groups``, ``throttled``."""
    return re.sub(r"(ing|ies|es|s|ed|er|e|y)$", "", word) or word


def test_the_glossary_has_at_most_40_words():
    assert 30 <= len(glossary()) <= 40


def test_each_word_of_a_module_s_name_is_in_the_glossary_or_of_python_or_of_the_field():
    known = {stem(word) for word in glossary() | of_python() | {*FIELD.split(), *OTHERS.split(), *SUBCOMMANDS}}
    strange = {
        word: path.name for path in FILES for part in dotted(path) for word in words(part) if stem(word) not in known
    }
    assert strange == {}


def test_no_word_is_listed_that_no_module_has():
    used = {stem(word) for path in FILES for part in dotted(path) for word in words(part)}
    assert {word for word in (*FIELD.split(), *OTHERS.split()) if stem(word) not in used} == set()


def test_the_map_has_each_room():
    table = TEXT.partition("## The map")[2].partition("\n## ")[0]
    rooms = {(dotted(path) or [""])[0] for path in FILES if path.parent.name != "visigate_logging"}
    assert {room for room in rooms if f"`{room}`" not in table} == set()


def test_the_table_of_imports_is_the_one_that_is_held():
    table = TEXT.partition("## Who may import whom")[2].partition("\n## ")[0]
    told = {}
    for rooms, may in re.findall(r"^\| (`[^|]+`) \| ([^|]+) \|$", table, re.MULTILINE):
        for room in re.findall(r"`(\w+)`", rooms):
            told[room] = set(re.findall(r"`(\w+)`", may.partition(";")[0])) - BELOW_ALL
    held = {
        room: may - BELOW_ALL - {"_version"} for room, may in MAY_IMPORT.items() if room not in {"_version", "hooks"}
    }
    assert {room: may for room, may in told.items() if room != "cli"} == held  # what a command needs it imports late
