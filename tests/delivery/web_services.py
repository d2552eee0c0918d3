"""A web server that stands for push and SMS services, as kind and as rude as real ones."""

import http.server
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import orjson


@dataclass
class Answer:
    """What the server does with one request.

    Args:
        status: of HTTP.
        headers: with it.
        body: with it.
        hangs_up: closes the connection without an answer, having read all.
        after: seconds until it does.
    """

    status: int = 200
    headers: dict = field(default_factory=dict)
    body: str = "{}"
    hangs_up: bool = False
    after: float = 0.0


@dataclass
class Request:
    """What came."""

    path: str
    headers: dict
    body: bytes

    @property
    def json(self):
        return orjson.loads(self.body)

    @property
    def form(self):
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


class WebService(http.server.ThreadingHTTPServer):
    """Answers from ``answers``, the last again and again."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests = []
        self.answers = [Answer()]
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answers = self.server.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        self.server.requests.append(Request(self.path, dict(self.headers), body))
        time.sleep(answer.after)
        if answer.hangs_up:
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body.encode())

    def log_message(self, *_):
        """Say nothing."""
