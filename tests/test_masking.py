"""What is secret is so in the whole process: in no file, on no socket, on no page of a run does it show."""

import contextlib
import html
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.delivery.servers import Server, wait_for
from tests.serving import served
from visigate_logging import configure
from visigate_logging.detail import masking
from visigate_logging.exceptions import ConfigurationError

SECRET = "MAB123"

# Only one formatter names the key; nothing else is told of it.
CONFIGURATION = """
version: 1
disable_existing_loggers: false
formatters:
  detail: {(): visigate_logging.DetailFormatter, mask_keys: [plate]}
  text: {class: visigate_logging.formatters.TextFormatter, format: "%(levelname)s %(message)s"}
handlers:
  details: {class: visigate_logging.JsonFileHandler, filename: logs/errors/details.jsonl, formatter: detail}
  text: {class: visigate_logging.SharedRotatingFileHandler, filename: logs/error.log, formatter: text}
  mail: &mail
    class: visigate_logging.ThrottledSMTPHandler
    mailhost: MAILHOST
    fromaddr: gate@example.org
    toaddrs: [admin@example.org]
    group_wait: 0.05
    state_dir: logs/errors/state
  refused:
    <<: *mail
    mailhost: REFUSES
  recovery:
    class: visigate_logging.RecoveryHandler
    state_dir: logs/errors/state
    procedures:
      plate:
        exceptions: [ValueError]
        steps:
          - command: {argv: [sh, -c, "echo plate=MAB123; echo plate=MAB123 >&2; exit 3"]}
          - notify: {message: "reread plate=MAB123"}
root: {level: DEBUG, handlers: [details, text, mail, refused, recovery]}
"""

RUN = """
import logging, pathlib, time
from visigate_logging import configure
from visigate_logging.recovery.audit import Audit

configure("logging.yaml")
log = logging.getLogger("gate")

def read(plate):
    raise ValueError(f"unreadable plate={plate}")

for plate in ("MAB123",):
    try:
        read(plate)
    except ValueError as error:
        log.error(f"Error with plate={plate}: {error}")
        log.exception("no permit", extra={"plate": plate, "vehicle": {"plate": plate}})
        log.critical("plate: %s", plate)
        log.critical({"event": "refused", "plate": plate})
    logging.getLogger("visigate_logging.gate").error("said of itself plate=%s", plate)
recovery = next(h for h in logging.getLogger().handlers if h.name == "recovery")
assert recovery.wait(30)
deadline = time.monotonic() + 30
while not list(pathlib.Path("logs/errors/state").rglob("*refused*/*")) and time.monotonic() < deadline:
    time.sleep(0.05)
assert "outcome" in [line["event"] for line in Audit(pathlib.Path("logs/errors/state")).read()]
logging.shutdown()
"""

COMMANDS = [
    "recent",
    "recent --json",
    "show EVENT",
    "groups",
    "stats",
    "trends",
    "status",
    "status --json",
    "doctor",
    "recover list",
    "recover history",
    "mail outbox list --handler refused",
    "mail outbox list --handler mail",
    "export",
    "rehearse",
]


def command(directory: Path, *arguments: str) -> str:
    """What a command says, in the directory of the run."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=directory, capture_output=True, text=True, timeout=120, check=False
    )
    assert "Traceback (most" not in done.stderr, done.stderr
    return done.stdout + done.stderr


def pages(address: str) -> dict[str, str]:
    """The first page and those that it leads to."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

    def read(address: str) -> str:
        with contextlib.suppress(urllib.error.HTTPError), browser.open(address, timeout=30) as answer:
            return str(answer.read().decode())
        return ""

    found = {"first page": read(address)}
    for link in sorted({html.unescape(link) for link in re.findall('href="?(/errors[^" >]+)', found["first page"])}):
        found[link] = read(urllib.parse.urljoin(address, link))
    assert len([page for page in found.values() if page]) > 5
    return found


def test_a_secret_key_of_ones_own_shows_in_no_file_on_no_socket_and_on_no_page(tmp_path: Path) -> None:
    with Server() as server, Server() as refusing:
        refusing.inbox.answers["DATA"] = f"550 5.7.1 no mail about plate={SECRET}"
        hosts = {"MAILHOST": server.address, "REFUSES": refusing.address}
        text = CONFIGURATION
        for name, address in hosts.items():
            text = text.replace(name, str(list(address)))
        (tmp_path / "logging.yaml").write_text(text)
        assert not command(tmp_path, "-c", RUN)
        wait_for(lambda: server.inbox.mails)
        shown = {f"mail {i}": message.as_string() for i, (_, message) in enumerate(server.inbox.mails)}
    log = (tmp_path / "logs/errors/details.jsonl").read_text()
    (event, *_) = re.findall('"event_id":"(.{32})"', log)
    for line in COMMANDS:
        words = line.replace("EVENT", event).split()
        shown[line] = command(tmp_path, "-m", "visigate_logging", *words)
    with served("--log", tmp_path / "logs/errors/details.jsonl") as address:
        shown |= pages(address)
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name != "logging.yaml":
            shown[str(path.relative_to(tmp_path))] = path.read_bytes().decode("utf-8", "replace")
    assert len(shown) > 25
    assert [name for name, content in shown.items() if SECRET in content] == []
    assert "plate=***" in "".join(shown.values())


def test_no_module_makes_a_policy_of_its_own() -> None:
    package = Path(masking.__file__).parent.parent
    made = {p.name for p in package.rglob("*.py") if re.search(r"\bRedactor\(", p.read_text("utf-8"))}
    assert made == {"masking.py", "redaction.py"} or made == {"masking.py"}


def test_a_configuration_that_is_refused_makes_nothing_secret(tmp_path: Path) -> None:
    path = tmp_path / "logging.yaml"
    path.write_text(
        "version: 1\n"
        "formatters: {detail: {(): visigate_logging.DetailFormatter, mask_keys: [gate]}}\n"
        "handlers: {stream: {class: logging.StreamHandler, level: NO, formatter: detail}}\n"
    )
    with pytest.raises(ConfigurationError):
        configure(path)
    assert masking.mask("gate=5") == "gate=5"


def test_what_is_secret_is_so_for_what_was_made_before() -> None:
    before = masking.policy()
    assert masking.mask("plate=5") == "plate=5"
    masking.mask_also(["plate"])
    assert masking.mask("plate=5") == "plate=***"
    assert masking.policy() is not before
