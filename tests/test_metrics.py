"""Metrics are what Prometheus takes, by its own tools; and their numbers are those of the host."""

import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

from tests.forward.servers import free_port
from tests.records import detail, write
from tests.serving import served
from visigate_logging.cli import main
from visigate_logging.exceptions import ConfigurationError
from visigate_logging.forward.progress import Changes, Progress, store
from visigate_logging.health.exposition import Family, openmetrics, prometheus
from visigate_logging.host import CountSheet, State
from visigate_logging.host.timeline import Timeline
from visigate_logging.recovery.audit import Audit
from visigate_logging.recovery.budgets import Budgets
from visigate_logging.recovery.policy import Budget
from visigate_logging.recovery.steps.base import Context
from visigate_logging.store.store import ErrorStore

ROOT = Path(__file__).parent.parent
RULES = ROOT / "examples/monitoring/visigate.rules.yml"
TOKEN = "a-token-that-is-long-enough"
promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed"
)


@pytest.fixture
def gate(tmp_path, monkeypatch):
    """A host where something of everything has happened."""
    monkeypatch.chdir(tmp_path)
    log, state = tmp_path / "details.jsonl", tmp_path / "state"
    write(log, *map(detail, range(3)), detail(4, severity="CRITICAL", error_type='Odd"\\\nError', fingerprint="v1:x"))
    sheet = CountSheet("details")
    sheet.accept(5)
    sheet.deliver(3)
    sheet.drop("disk full")
    host = State(state, "CREATE TABLE IF NOT EXISTS forward (handler TEXT PRIMARY KEY, books TEXT NOT NULL);")
    sheet.fail("no")
    sheet.publish(host)
    books = Progress.begin({"f": 1})
    books.lanes["rest"].waiting, books.delivered_at, books.trouble = {"f": 7}, "2026-05-04T12:00:00Z", "503"
    with host.transaction() as connection:
        store(connection, "out", books, Changes())
    host.close()
    (state / "outbox/mail/refused").mkdir(parents=True)
    for name in ("a.eml", "refused/b.eml"):
        (state / "outbox/mail" / name).touch()
    os.utime(state / "outbox/mail/a.eml", (time.time() - 500, time.time() - 500))
    Timeline(state).append("power", "the power was cut", time="2026-05-04T12:00:00Z")
    Audit(state).write("outcome", Context(procedure="database", key=""), status="done", message="")
    budgets = Budgets(state)
    budgets.save("database", Budget(attempts=(1.0, 2.0), given_up=5.0))
    budgets.state.close()
    return log


def told(capsys, *arguments):
    assert main(["metrics", "--log", "details.jsonl", *arguments]) == 0
    return capsys.readouterr().out


def samples(families):
    return {(s.name, *sorted(s.labels.values())): s.value for family in families for s in family.samples}


def test_the_numbers_are_those_of_the_host(gate, capsys):
    found = samples(parse_openmetrics(told(capsys)))
    assert found["visigate_errors_total", "ERROR", "camera"] == 3
    assert found["visigate_errors_total", "CRITICAL", "camera"] == 1
    assert found["visigate_errors_by_type_total", "ConnectionRefusedError"] == 3
    assert found["visigate_errors_by_group_total", 'Odd"\\\nError', "v1:x"] == 1
    assert found["visigate_handler_records_total", "accepted", "details"] == 5
    assert found["visigate_handler_dropped_records_total", "details", "disk full"] == 1
    assert found["visigate_handler_pending_records", "details"] == 1
    assert found["visigate_outbox_messages", "mail", "waiting"] == 1
    assert found["visigate_outbox_messages", "mail", "refused"] == 1
    assert 400 < found["visigate_outbox_oldest_age_seconds", "mail"] < 700
    assert found["visigate_forward_pending_records", "out", "rest"] == 7
    assert found["visigate_forward_failing", "out"] == 1
    assert found["visigate_recovery_runs_of_last_day", "database", "done"] == 1
    assert found["visigate_recovery_attempts", "database"] == 2
    assert found["visigate_recovery_given_up", "database"] == 1
    assert found["visigate_last_power_cut_timestamp_seconds",] == 1777896000
    assert found["visigate_log_size_bytes",] == gate.stat().st_size


def test_groups_are_counted_by_what_was_decided_of_them(gate, capsys):
    write(gate, detail(7, datetime.now(UTC), fingerprint="v1:y"), detail(8, datetime.now(UTC)))
    with ErrorStore(gate) as store:
        groups = [group.key for group in store.groups(days=30)]
        store.decide("mute", groups[0], who="Ada")
    found = samples(parse_openmetrics(told(capsys)))
    assert [found["visigate_groups", name] for name in ("open", "resolved", "muted")] == [len(groups) - 1, 0, 1]


def test_both_formats_say_the_same(gate, capsys):
    one = samples(parse_openmetrics(told(capsys)))
    other = samples(parse_prometheus(told(capsys, "--format", "prometheus")))
    moving = {key for key in one if "age" in key[0] or "free" in key[0]}
    assert {k: v for k, v in one.items() if k not in moving} == {k: v for k, v in other.items() if k not in moving}


@promtool
def test_promtool_finds_nothing_wrong_with_what_node_exporter_reads(gate, tmp_path):
    assert main(["metrics", "--log", "details.jsonl", "--textfile", "visigate.prom"]) == 0
    text = (tmp_path / "visigate.prom").read_text()
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert (tmp_path / "visigate.prom").stat().st_mode & 0o777 == 0o644


def test_a_textfile_is_whole_or_as_it_was(gate, tmp_path, monkeypatch):
    (tmp_path / "visigate.prom").write_text("before\n")
    monkeypatch.setattr(os, "rename", lambda *_a, **_k: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    assert main(["metrics", "--log", "details.jsonl", "--textfile", "visigate.prom"]) == 1
    assert (tmp_path / "visigate.prom").read_text() == "before\n"


@promtool
def test_promtool_takes_the_alert_rules():
    done = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 rules found" in done.stdout


def test_each_metric_of_the_rules_exists_and_each_metric_is_documented(gate, capsys):
    found = {name for name, *_ in samples(parse_openmetrics(told(capsys)))} | {"visigate_backup_timestamp_seconds"}
    assert set(re.findall(r"visigate_\w+", RULES.read_text())) <= found
    page = (ROOT / "docs/monitoring.md").read_text()
    assert {name for name in found if f"`{name}`" not in page} == set()


def test_labels_are_bounded(gate, capsys):
    write(gate, *(detail(n, error_type=f"E{n}", fingerprint=f"v1:{n}") for n in range(300)))
    found = samples(parse_openmetrics(told(capsys)))
    for name in ("visigate_errors_by_type_total", "visigate_errors_by_group_total"):
        assert sum(key[0] == name for key in found) == 100


def test_a_source_that_cannot_be_read_says_so_and_hides_no_other(gate, capsys):
    shutil.rmtree("state/outbox")
    Path("state/outbox").write_text("no directory")
    Path("state/state.sqlite3").unlink()
    Path("state/state.sqlite3").mkdir()
    found = samples(parse_openmetrics(told(capsys)))
    assert found["visigate_metrics_source_up", "handlers"] == 0
    assert found["visigate_metrics_source_up", "errors"] == 1
    assert found["visigate_errors_total", "ERROR", "camera"] == 3


def test_the_newest_backup_is_told_and_none_as_zero(gate, capsys, tmp_path):
    steps = "[{restore_sqlite: {database: gate.db, backups: [gate.bak]}}]"
    (tmp_path / "logging.yaml").write_text(
        "version: 1\nhandlers: {r: {class: visigate_logging.RecoveryHandler, procedures: "
        f"{{d: {{exceptions: [OSError], steps: {steps}}}}}}}}}\n"
    )
    assert samples(parse_openmetrics(told(capsys)))["visigate_backup_timestamp_seconds", "gate.db"] == 0
    (tmp_path / "gate.bak").touch()
    when = samples(parse_openmetrics(told(capsys)))["visigate_backup_timestamp_seconds", "gate.db"]
    assert when == pytest.approx((tmp_path / "gate.bak").stat().st_mtime)


def test_numbers_and_texts_are_written_as_the_formats_want_them():
    family = Family("x_seconds", "gauge", "X.", [({"a": 'q"\\\n\ud800'}, 0.5), ({}, 2.0)])
    assert openmetrics([family]) == (
        '# HELP x_seconds X.\n# TYPE x_seconds gauge\nx_seconds{a="q\\"\\\\\\n?"} 0.5\nx_seconds 2\n# EOF\n'
    )
    counter = Family("y", "counter", "Y.", [({}, 1)])
    assert prometheus([counter]) == "# HELP y_total Y.\n# TYPE y_total counter\ny_total 1\n"
    assert openmetrics([Family("z", "gauge", "Z.", [])]) == "# EOF\n"


def get(url, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def test_the_pages_tell_metrics_to_who_has_the_token_and_health_to_all(gate, tmp_path):
    with served("--log", gate, VISIGATE_METRICS_TOKEN=TOKEN) as address:
        base = address.partition("?")[0]
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert get(f"{base}/metrics")[0] == 401
        assert get(f"{base}/metrics", Authorization="Bearer nonsense")[0] == 401
        status, kind, text = get(f"{base}/metrics", **bearer)
        assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert samples(parse_prometheus(text))["visigate_errors_total", "ERROR", "camera"] == 3
        status, kind, text = get(f"{base}/metrics", Accept="application/openmetrics-text; version=1.0.0", **bearer)
        assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert text.endswith("# EOF\n")
        assert get(f"{base}/healthz") == (200, "text/plain; charset=utf-8", "ok\n")
        gate.rename(tmp_path / "gone")
        status, _, text = get(f"{base}/healthz")
        assert status == 503
        assert "details" not in text


def test_without_a_token_there_are_no_metrics(gate):
    with served("--log", gate) as address:
        assert get(f"{address.partition('?')[0]}/metrics")[0] in {403, 404}


def test_a_short_token_is_refused(gate):
    from visigate_logging.store.store import ErrorStore
    from visigate_logging.web import create_blueprint, metrics_of

    errors = ErrorStore(gate)
    source = metrics_of(errors, gate.parent / "state")
    with pytest.raises(ConfigurationError, match="metrics_token"):
        create_blueprint(errors, unprotected=True, metrics=source, metrics_token="x")


PROMETHEUS = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: visigate
    metrics_path: /errors/metrics
    authorization: {{credentials: {token}}}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


@pytest.mark.stress
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="Debian's prometheus is not installed")
def test_a_real_prometheus_scrapes_the_pages(gate, tmp_path):
    with served("--log", gate, VISIGATE_METRICS_TOKEN=TOKEN) as address:
        port, own = re.search(r":(\d+)/", address)[1], free_port()
        (tmp_path / "prometheus.yml").write_text(PROMETHEUS.format(token=TOKEN, port=port))
        command = ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
        command += [f"--web.listen-address=127.0.0.1:{own}"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
            try:
                query = f"http://127.0.0.1:{own}/api/v1/query?query=visigate_errors_total"
                text, deadline = "", time.monotonic() + 60
                while "CRITICAL" not in text and time.monotonic() < deadline:
                    time.sleep(0.5)
                    try:
                        text = get(query)[2]
                    except OSError:
                        continue
                assert '"severity":"CRITICAL"' in text
            finally:
                server.terminate()
