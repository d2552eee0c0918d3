"""Forwarding: what the caller notices, records a second for each target, and the memory of the process.

The caller's cost is one ``logger.exception()`` with the JSON file alone and with ForwardHandler beside, in turns, at
200 errors a second; and one ``emit`` by itself. Rates are of one forwarder on one thread, against a server in another
process that answers at once.
"""

import logging
import multiprocessing
import resource
import statistics
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROUNDS, CALLS, RECORDS = 5, 400, 3000
PACE = 1 / 200


class _Server(BaseHTTPRequestHandler):
    """Takes everything at once."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer with what each target understands."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        text = b"" if body[:1] != b"{" else b"{}"
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def _serve(port: Any) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    port.value = server.server_port
    server.serve_forever()


def _fail(depth: int) -> None:
    if depth:
        _fail(depth - 1)
    raise RuntimeError("no picture")


def _time_calls(logger: logging.Logger, n: int, pace: float = 0.0) -> float:
    took = []
    for _ in range(n):
        time.sleep(pace)
        try:
            _fail(10)
        except RuntimeError:
            begun = time.perf_counter_ns()
            logger.exception("no picture from camera")
            took.append(time.perf_counter_ns() - begun)
    return statistics.median(took) / 1000


def _memory() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _callers_cost(url: str) -> None:
    from visigate_logging import ForwardHandler, JsonFileHandler

    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "details.jsonl"
        alone, both = logging.Logger("alone"), logging.Logger("both")
        alone.addHandler(JsonFileHandler(Path(name) / "alone.jsonl"))
        both.addHandler(JsonFileHandler(log))
        _time_calls(alone, CALLS)
        before = _memory()
        forward = ForwardHandler({"http": {"url": url}}, log, state_dir=Path(name) / "state")
        forward.name = "forward"
        both.addHandler(forward)
        _time_calls(both, CALLS)
        pairs = [(_time_calls(alone, CALLS, PACE), _time_calls(both, CALLS, PACE)) for _ in range(ROUNDS)]
        ratios = [b / a for a, b in pairs]
        one, other = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(
            f"one call: details alone {one:.0f} µs, with forwarding {other:.0f} µs; ratio {min(ratios):.2f} to",
            end=" ",
        )
        print(f"{max(ratios):.2f}, median {statistics.median(ratios):.2f}")
        record, emits = logging.makeLogRecord({}), []
        for _ in range(20_000):
            begun = time.perf_counter_ns()
            forward.handle(record)
            emits.append(time.perf_counter_ns() - begun)
        print(f"one emit of ForwardHandler by itself: {statistics.median(emits) / 1000:.2f} µs")
        print(f"memory of the process: {before:.1f} MiB without, {_memory():.1f} MiB with forwarding")
        for logger in (alone, both):
            for handler in logger.handlers:
                handler.close()


def _rate(target: dict[str, Any]) -> float:
    from visigate_logging import ForwardHandler, JsonFileHandler
    from visigate_logging.forward.forwarder import Forwarder

    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "details.jsonl"
        logger = logging.Logger("gate")
        logger.addHandler(JsonFileHandler(log))
        _time_calls(logger, RECORDS)
        logger.handlers[0].close()
        handler = ForwardHandler(target, log, state_dir=Path(name) / "state", backfill="all", max_per_minute=10**9)
        assert handler.options is not None
        forwarder = Forwarder(handler.options, "forward")
        begun = time.process_time()
        while forwarder.turn() == 0.0:
            pass
        took = time.process_time() - begun
        assert forwarder.counts()["delivered"] == RECORDS, forwarder.counts()
        forwarder.close()
    return RECORDS / took


def main() -> None:
    """Print the figures."""
    port = multiprocessing.Value("i", 0)
    server = multiprocessing.Process(target=_serve, args=(port,), daemon=True)
    server.start()
    while not port.value:
        time.sleep(0.01)
    base = f"http://127.0.0.1:{port.value}"
    _callers_cost(base)
    targets: dict[str, dict[str, Any]] = {
        "sentry": {"sentry": {"dsn": f"{base.replace('//', '//key@')}/1"}},
        "otlp": {"otlp": {"url": f"{base}/v1/logs"}},
        "http, JSON lines": {"http": {"url": base}},
        "http, Loki": {"http": {"url": base, "format": "loki"}},
    }
    for name, target in targets.items():
        rates = [_rate(target) for _ in range(3)]
        print(
            f"{name:18}{statistics.median(rates):8,.0f} records a second of one core (of {min(rates):,.0f} to", end=""
        )
        print(f" {max(rates):,.0f})")
    server.terminate()


if __name__ == "__main__":
    main()
