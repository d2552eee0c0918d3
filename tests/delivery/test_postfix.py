"""A real postfix, slow and strict as real ones: the counts in the mailbox are the errors, and no mail comes twice.

Debian's package, in a directory of the test's own on a loopback port. It needs root, as postfix does.
"""

import email
import email.policy
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.delivery.conftest import Mailing
from tests.delivery.servers import told, wait_for
from tests.handlers.test_smtp import finish, options_for, start, try_now
from visigate_logging.delivery.channels.server import MailServer
from visigate_logging.handlers.smtp import ThrottledSMTPHandler

pytestmark = pytest.mark.stress

TO = ("one@test.example", "two@test.example", "three@test.example")
SERVICES = {
    "cleanup": "unix n - n - 0 cleanup",
    "qmgr": "unix n - n 300 1 qmgr",
    "rewrite": "unix - - n - - trivial-rewrite",
    "bounce": "unix - - n - 0 bounce",
    "defer": "unix - - n - 0 bounce",
    "trace": "unix - - n - 0 bounce",
    "verify": "unix - - n - 1 verify",
    "proxymap": "unix - - n - - proxymap",
    "error": "unix - - n - - error",
    "retry": "unix - - n - - error",
    "discard": "unix - - n - - discard",
    "virtual": "unix - n n - - virtual",
    "anvil": "unix - - n - 1 anvil",
    "postlog": "unix-dgram n - n - 1 postlogd",
}


def installed():
    """Why there is no postfix; empty when there is one."""
    if os.geteuid() != 0:
        return "postfix needs root to be started"
    if shutil.which("postfix") is None and shutil.which("apt-get"):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-qq", "--yes", "postfix"]):
            subprocess.run(command, env=environment, check=False, capture_output=True)
    return "" if shutil.which("postfix") else "there is no postfix, and it could not be installed"


class Postfix:
    """One postfix, whose settings can be changed while it runs."""

    def __init__(self, directory):
        self.directory = directory
        self.options = {}
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.address = ["127.0.0.1", self.port]
        owner = pwd.getpwnam("postfix")
        for name in ("etc", "queue", "data", "mail", "log"):
            (directory / name).mkdir(parents=True)
        for name in ("data", "mail"):
            os.chown(directory / name, owner.pw_uid, owner.pw_gid)
        self.settings = {
            "compatibility_level": "3.6",
            "queue_directory": directory / "queue",
            "data_directory": directory / "data",
            "command_directory": "/usr/sbin",
            "daemon_directory": "/usr/lib/postfix/sbin",
            "maillog_file": directory / "log/mail.log",
            "maillog_file_prefixes": directory,
            "inet_interfaces": "loopback-only",
            "inet_protocols": "ipv4",
            "myhostname": "mx.test.example",
            "mydestination": "",
            "virtual_mailbox_domains": "test.example",
            "virtual_mailbox_base": directory / "mail",
            "virtual_mailbox_maps": "static:box/",
            "virtual_uid_maps": f"static:{owner.pw_uid}",
            "virtual_gid_maps": f"static:{owner.pw_gid}",
            "virtual_minimum_uid": "1",
            "smtpd_recipient_restrictions": "permit_mynetworks reject",
            "smtpd_delay_reject": "no",
            "minimal_backoff_time": "1s",
            "queue_run_delay": "1s",
        }

    def set(self, **options):
        """Change settings; a running server takes them up with the next connection."""
        self.options = options
        lines = [f"{name} = {value}" for name, value in (self.settings | options).items()]
        (self.directory / "etc/main.cf").write_text("\n".join(lines) + "\n")
        lines = [f"127.0.0.1:{self.port} inet n - n - - smtpd"] + [f"{n} {line}" for n, line in SERVICES.items()]
        (self.directory / "etc/master.cf").write_text("\n".join(lines) + "\n")

    def run(self, command):
        subprocess.run(
            ["postfix", "-c", str(self.directory / "etc"), command], check=True, capture_output=True, timeout=60
        )

    def change(self, **options):
        self.set(**options)
        self.run("reload")
        time.sleep(0.5)

    def begin(self, **options):
        self.set(**options)
        self.run("start")
        wait_for(self.is_up)

    def is_up(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def mails(self):
        """The mails in the mailbox, one for each that it was delivered as, whoever they are for."""
        files = sorted((self.directory / "mail/box/new").glob("*"), key=lambda path: path.stat().st_mtime)
        return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in files]

    def once(self):
        """The mails, each once: for each recipient postfix delivers one file."""
        return list({message["Message-ID"]: message for message in self.mails()}.values())

    def copies(self):
        """How often the same recipient got the same mail, at most."""
        seen = Counter((m["Message-ID"], m["X-Original-To"] or m["Delivered-To"]) for m in self.mails())
        return max(seen.values(), default=0)


@pytest.fixture
def postfix():
    if reason := installed():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="postfix-") as name:  # tmp_path is closed to postfix's own user
        Path(name).chmod(0o755)
        made = Postfix(Path(name, "postfix"))
        yield made
        print((made.directory / "log/mail.log").read_text()[-3000:])  # shown when the test has failed
        subprocess.run(["postfix", "-c", str(made.directory / "etc"), "abort"], check=False, capture_output=True)
        wait_for(lambda: not made.is_up())


@pytest.fixture
def mailing(tmp_path, postfix):
    mailing = Mailing(tmp_path / "state", MailServer("127.0.0.1", postfix.port, timeout=5.0), to=TO[:1])
    yield mailing
    mailing.state.close()


def all_told(postfix, n, copies=1):
    wait_for(lambda: sum(told(postfix.once())) == n, timeout=30)
    assert postfix.copies() <= copies


@pytest.mark.parametrize(
    "options",
    [
        {"smtpd_client_restrictions": "sleep 7"},
        {"smtpd_end_of_data_restrictions": "sleep 7"},
        {"smtpd_end_of_data_restrictions": "sleep 60"},
        {"message_size_limit": "3000"},
    ],
    ids=["greets after 7 s", "answers to the dot after 7 s", "answers to the dot after 60 s", "takes 3000 bytes"],
)
def test_slow_and_strict(postfix, mailing, options):
    postfix.begin(**options)
    mailing.errors(5, traceback="x" * 9000)
    mailing.run(3)
    all_told(postfix, 5)


@pytest.mark.parametrize(
    "refusal",
    [
        {"smtpd_client_restrictions": "check_client_access static:{450 4.7.1 come again}"},
        {"smtpd_recipient_restrictions": "check_recipient_access static:{451 4.7.1 greylisted}"},
    ],
)
def test_for_now_refused(postfix, mailing, refusal):
    postfix.begin(**refusal)
    mailing.errors(5)
    mailing.run(600)
    assert postfix.mails() == []
    postfix.change()
    mailing.errors(2)
    mailing.run(7200)
    all_told(postfix, 7)


def test_a_limit_of_messages(postfix, mailing):
    postfix.begin(smtpd_client_message_rate_limit="1", anvil_rate_time_unit="10s")
    for name in "abcde":
        mailing.errors(3, fingerprint=name)
        mailing.run(2)
    for _ in range(12):
        mailing.run(60)
        time.sleep(2)
    all_told(postfix, 15)


def test_one_recipient_is_unknown(postfix, tmp_path):
    mailing = Mailing(tmp_path / "state", MailServer("127.0.0.1", postfix.port), to=TO)
    unknown = "check_recipient_access inline:{two@test.example=REJECT} permit_mynetworks reject"
    postfix.begin(smtpd_recipient_restrictions=unknown)
    mailing.errors(4)
    mailing.run(3)
    all_told(postfix, 4)
    wait_for(lambda: len(postfix.mails()) == 2)
    postfix.change()
    mailing.sender.retry_refused()
    mailing.run(3)
    wait_for(lambda: len(postfix.mails()) == 3)
    assert postfix.copies() == 1
    mailing.state.close()


def test_restarted_in_the_middle_and_down_for_an_hour(postfix, mailing):
    total = 0
    for n in range(12):
        if n % 3 == 0:
            postfix.begin()
        mailing.errors(n + 1, fingerprint=f"v1:{n}")
        total += n + 1
        mailing.run(30)
        if n % 3 == 2:
            postfix.run("abort")
            mailing.errors(fingerprint=f"v1:{n}")
            total += 1
            mailing.run(3600)
    postfix.begin()
    mailing.outbox.try_now()
    mailing.run(20_000)
    all_told(postfix, total)


@pytest.mark.parametrize("pause", [0.002, 0.0], ids=["while sending", "while logging"])
def test_killed_at_random_fifty_times(postfix, tmp_path, pause):
    postfix.begin(smtpd_end_of_data_restrictions="sleep 1" if pause else "")
    chance, returned, kills = random.Random(20261126), 0, 50
    options = options_for(postfix, tmp_path) | {"toaddrs": [TO[0]]}
    options |= {"interval": 0.1, "max_interval": 0.1, "quiet": 3600, "max_per_hour": 100_000}
    for n in range(0, kills, 4):
        ways = ["", "", "fork", "spawn"][: kills - n]
        children = [start(options, errors=1_000_000, groups=3, pause=pause, way=way) for way in ways]
        for child in children:
            os.read(child.stdout.fileno(), 1)
        begun = time.monotonic()
        moments = sorted(chance.uniform(0.0, 2.5 if pause else 1.0) for _ in children)
        for child, moment in zip(children, moments, strict=True):
            time.sleep(max(begun + moment - time.monotonic(), 0.0))
            os.killpg(child.pid, signal.SIGKILL)
            returned += 1 + finish(child)
    handler = ThrottledSMTPHandler(**options)
    handler.set_name("mail")

    def settled():
        sheet = handler.counts()
        return sheet["accepted"] >= returned and sheet["pending"] == 0 and sheet

    sheet = wait_for(settled, timeout=300)  # what had been handed over is waited for
    handler.close()
    assert returned <= sheet["accepted"] <= returned + kills  # one may be counted whose call had not returned
    wait_for(lambda: sum(told(postfix.once())) == sheet["accepted"], timeout=60)
    found = Counter(m["Message-ID"] for m in postfix.mails())
    told_of = f"{sheet['accepted']:,} errors, {returned:,} calls returned"
    print(f"\n{told_of}, {len(found)} mails, {sum(found.values())} with copies")
    assert sheet["dropped"] == {}
    assert max(found.values()) <= 2
    assert sum(found.values()) - len(found) <= kills


def test_a_script_that_is_run_again_and_again(postfix, tmp_path):
    postfix.begin(smtpd_end_of_data_restrictions="sleep 7")
    options = options_for(postfix, tmp_path) | {"toaddrs": [TO[0]], "quiet": 3600, "interval": 1, "max_interval": 1}
    for _ in range(6):
        finish(start(options, errors=2))
    time.sleep(8)
    handler = ThrottledSMTPHandler(**options)
    handler.set_name("mail")
    try_now(tmp_path)
    wait_for(lambda: handler.counts()["pending"] == 0, timeout=120)
    handler.close()
    wait_for(lambda: sum(told(postfix.once())) == 12, timeout=30)
    assert postfix.copies() <= 2
