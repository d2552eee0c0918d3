"""A real HTTP server that answers as it is told: rightly, late, never, half, or with a refusal."""

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["CLOSE", "DRIP", "HALF", "HANG", "Answer", "Request", "Sink", "free_port"]


@dataclass
class Answer:
    """What is answered."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    hangs_up: bool = False
    """Close the connection afterwards, without having said so."""


HANG, CLOSE, HALF, DRIP = "hang", "close", "half", "drip"
"""Say nothing until the server ends; close before the answer; close within its body; answer byte by byte."""


@dataclass
class Request:
    """What was asked."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def lines(self):
        """Its body as JSON lines."""
        return [json.loads(line) for line in self.body.splitlines()]


class Sink:
    """The server; it can be stopped and started again on the same port.

    Attributes:
        answer: what it does with a request; by default it says 200.
        script: what it does with the first requests, before `answer`.
        requests: those that were answered with what it was told, whole ones only.
        seconds_per_kib: how slowly it reads.
    """

    def __init__(self, answer: "Callable[[Request], Answer | str] | None" = None, port: int = 0) -> None:
        self.answer = answer or (lambda request: Answer())
        self.script: list[Answer | str] = []
        self.requests: list[Request] = []
        self.connections = 0
        self.seconds_per_kib = 0.0
        self.port = port or free_port()
        self._ended = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/in"

    def start(self) -> None:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                sink.connections += 1
                super().setup()

            def do_POST(self) -> None:
                sink.serve(self)

            def log_message(self, *_args: object) -> None:
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self._ended.clear()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = self._read(handler, int(handler.headers["Content-Length"]))
        if handler.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        request = Request(handler.path, dict(handler.headers), body)
        answer = self.script.pop(0) if self.script else self.answer(request)
        if answer == HANG:
            self._ended.wait()
        if answer == DRIP:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
            while not self._ended.wait(0.05):
                handler.wfile.write(b"x")
        if not isinstance(answer, Answer) and answer != HALF:
            handler.close_connection = True
            return
        self.requests.append(request)
        given = Answer() if answer == HALF else answer
        handler.send_response(given.status)
        for name, value in given.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(given.body) + (100 if answer == HALF else 0)))
        handler.end_headers()
        handler.wfile.write(given.body)
        handler.close_connection = answer == HALF or given.hangs_up

    def _read(self, handler: BaseHTTPRequestHandler, size: int) -> bytes:
        if not self.seconds_per_kib:
            return handler.rfile.read(size)
        read = b""
        while len(read) < size:
            time.sleep(self.seconds_per_kib)
            read += handler.rfile.read(min(1024, size - len(read)))
        return read

    def stop(self) -> None:
        self._ended.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> "Sink":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
