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
from tests.forked import run_each
from tests.forward.servers import Answer, Sink
from tests.nats_server import Hub
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
  flight: {class: visigate_logging.FlightRecorder}
  push: &push
    class: visigate_logging.NotificationHandler
    urls: ["json://127.0.0.1:PUSH/gate"]
    group_wait: 0.05
    state_dir: logs/errors/state
  unpushed:
    <<: *push
    urls: ["json://127.0.0.1:UNTAKEN/gate"]
  http: &forward
    class: visigate_logging.ForwardHandler
    log: logs/errors/details.jsonl
    state_dir: logs/errors/state
    target: {http: {url: "http://127.0.0.1:FORWARD/lines"}}
  otlp:
    <<: *forward
    target: {otlp: {url: "http://127.0.0.1:FORWARD/v1/logs"}}
  sentry:
    <<: *forward
    target: {sentry: {dsn: "http://k3y@127.0.0.1:FORWARD/7"}}
  nats:
    <<: *forward
    target: {nats: {servers: "NATS", site: berlin, gate: north}}
  untaken:
    <<: *forward
    target: {http: {url: "http://127.0.0.1:REFUSING/lines"}}
  recovery:
    class: visigate_logging.RecoveryHandler
    state_dir: logs/errors/state
    procedures:
      plate:
        exceptions: [ValueError]
        steps:
          - command: {argv: [sh, -c, "echo plate=MAB123; echo plate=MAB123 >&2; exit 3"]}
          - notify: {message: "reread plate=MAB123"}
root:
  level: DEBUG
  handlers: [flight, details, text, mail, refused, push, unpushed, http, otlp, sentry, nats, untaken, recovery]
"""

RUN = """
import logging, pathlib, time
from visigate_logging import configure
from visigate_logging.recovery.audit import Audit

configure("logging.yaml")
log = logging.getLogger("gate")

def read(plate):
    raise ValueError(f"unreadable plate={plate}")

log.info("plate=%s is waiting", "MAB123", extra={"plate": "MAB123"})
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
for handler in logging.getLogger().handlers:
    assert handler.name not in ("http", "otlp", "sentry", "nats", "untaken") or handler.wait(30)
deadline = time.monotonic() + 30
push = next(h for h in logging.getLogger().handlers if h.name == "push")
outbox = pathlib.Path("logs/errors/state/outbox")
while time.monotonic() < deadline:
    if push.counts()["delivered"] and all(list(outbox.glob(f"{name}/refused/*")) for name in ("refused", "unpushed")):
        break
    time.sleep(0.05)
else:
    raise SystemExit(f"not all was told within 30 s: {sorted(outbox.rglob('*'))}, {push.counts()}")
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
    (tmp_path / "hub").mkdir()
    refusal = Answer(400, body=f"no message about plate={SECRET}".encode())
    with (
        Server() as server,
        Server() as refusing,
        Sink() as pushed,
        Sink(lambda _: refusal) as unpushed,
        Sink() as forwarded,
        Sink(lambda _: refusal) as untaken,
        contextlib.closing(Hub(tmp_path / "hub")) as hub,
    ):
        refusing.inbox.answers["DATA"] = f"550 5.7.1 no mail about plate={SECRET}"
        text = CONFIGURATION.replace("NATS", hub.url())
        for name, address in {"MAILHOST": server.address, "REFUSES": refusing.address}.items():
            text = text.replace(name, str(list(address)))
        ports = {"PUSH": pushed, "UNTAKEN": unpushed, "FORWARD": forwarded, "REFUSING": untaken}
        for name, sink in ports.items():
            text = text.replace(name, str(sink.port))
        (tmp_path / "logging.yaml").write_text(text)
        assert not command(tmp_path, "-c", RUN)
        wait_for(lambda: server.inbox.mails)
        shown = {f"mail {i}": message.as_string() for i, (_, message) in enumerate(server.inbox.mails)}
        shown |= {f"{name} {i}": f"{one}" for name, sink in ports.items() for i, one in enumerate(sink.requests)}
        shown |= {f"NATS {i}": str(message) for i, message in enumerate(hub.messages())}
    (tmp_path / "hub/nats.conf").unlink()
    assert {one.path for one in forwarded.requests} == {"/lines", "/v1/logs", "/api/7/envelope/"}
    assert {name.partition(" ")[0] for name in shown} == {"mail", "NATS", *ports}
    assert any("is waiting" in text for name, text in shown.items() if name.startswith("FORWARD")), "breadcrumbs"
    log = (tmp_path / "logs/errors/details.jsonl").read_text()
    (event, *_) = re.findall('"event_id":"(.{32})"', log)
    said = run_each([line.replace("EVENT", event).split() for line in COMMANDS], tmp_path)
    shown |= {line: one.text for line, one in zip(COMMANDS, said, strict=True)}
    assert [line for line, one in zip(COMMANDS, said, strict=True) if b"Traceback (most" in one.err] == []
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
