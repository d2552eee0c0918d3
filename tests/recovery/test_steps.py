"""Each step does what it says, against real servers, stubs on PATH and a tree in a temporary folder."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.recovery.databases import DAMAGE, content, fingerprints, holder, make
from visigate_logging.recovery.process import run_in_child
from visigate_logging.recovery.steps import STEPS
from visigate_logging.recovery.steps.base import Context, Outcome, Status

CONTEXT = Context(procedure="p", error_type="CameraError")


def run(name: str, **parameters) -> Outcome:
    return STEPS[name](**parameters).run(CONTEXT)


@contextmanager
def server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server on localhost that does ``talk`` with each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection, closing(connection):
                    try:
                        talk(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def say(*parts: bytes, pause: float = 0) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        connection.settimeout(5)
        connection.recv(4096)
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)

    return talk


def hang(connection: socket.socket) -> None:
    connection.settimeout(5)
    while connection.recv(4096):
        pass


RTSP = {
    "200": (say(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"), Status.DONE),
    "401 is alive": (say(b"RTSP/1.0 401 Unauthorized\r\n\r\n"), Status.DONE),
    "404 is alive": (say(b"RTSP/1.0 404 Not Found\r\n\r\n"), Status.DONE),
    "503": (say(b"RTSP/1.0 503 Service Unavailable\r\n\r\n"), Status.FAILED),
    "in pieces": (say(b"RTSP/1.0 2", b"00 OK\r\n", pause=0.05), Status.DONE),
    "hangs": (hang, Status.FAILED),
    "drips": (say(*[b"R"] * 20, pause=0.1), Status.FAILED),
    "garbage": (say(os.urandom(50_000)), Status.FAILED),
    "another protocol": (say(b"HTTP/1.1 200 OK\r\n\r\n"), Status.FAILED),
    "hangs up": (lambda _connection: None, Status.FAILED),
}


@pytest.mark.parametrize("camera", RTSP)
def test_a_camera_is_alive_when_it_answers_in_rtsp_in_time(camera):
    talk, expected = RTSP[camera]
    with server(talk) as port:
        started = time.monotonic()
        outcome = run("probe_rtsp", url=f"rtsp://admin:secret@127.0.0.1:{port}/stream", timeout=0.8)
        assert time.monotonic() - started < 1.5
    assert outcome.status is expected, outcome.message
    assert "secret" not in outcome.message


HTTP = {
    "200": (say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), Status.DONE),
    "401 is alive": (say(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"), Status.DONE),
    "500": (say(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"), Status.FAILED),
    "hangs": (hang, Status.FAILED),
    "drips": (say(*[b"H", b"T", b"T", b"P"] * 5, pause=0.1), Status.FAILED),
    "garbage": (say(os.urandom(50_000)), Status.FAILED),
    "hangs up": (lambda _connection: None, Status.FAILED),
}


@pytest.mark.parametrize("web", HTTP)
def test_a_web_server_is_alive_when_it_answers_in_time(web):
    talk, expected = HTTP[web]
    with server(talk) as port:
        outcome = run("probe_http", url=f"http://user:secret@127.0.0.1:{port}/status?a=1", timeout=0.8)
    assert outcome.status is expected, outcome.message
    assert "secret" not in outcome.message


@pytest.mark.parametrize(
    ("step", "url"), [("probe_rtsp", "rtsp://127.0.0.1:{}/"), ("probe_http", "http://127.0.0.1:{}")]
)
def test_a_refused_connection_is_a_failure(step, url):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    assert run(step, url=url.format(port), timeout=1).status is Status.FAILED
    assert run("probe_tcp", host="127.0.0.1", port=port, timeout=1).status is Status.FAILED


def test_a_port_that_accepts_is_alive():
    with server(hang) as port:
        assert run("probe_tcp", host="127.0.0.1", port=port).status is Status.DONE


def test_a_file_is_fresh_by_its_age_or_because_it_changes_while_watched(tmp_path):
    frame = tmp_path / "frame.jpg"
    assert run("probe_file_age", path=str(frame), max_age=5, timeout=0.2).status is Status.FAILED
    frame.touch()
    assert run("probe_file_age", path=str(frame), max_age=5, timeout=0.2).status is Status.DONE
    os.utime(frame, (0, 0))
    assert run("probe_file_age", path=str(frame), max_age=5, timeout=0.2).status is Status.FAILED
    tomorrow = time.time() + 86_400
    os.utime(frame, (tomorrow, tomorrow))
    assert run("probe_file_age", path=str(frame), max_age=5, timeout=0.2).status is Status.FAILED
    writer = threading.Timer(0.3, frame.touch)
    writer.start()
    assert run("probe_file_age", path=str(frame), max_age=0, timeout=5).status is Status.DONE
    writer.join()


def test_a_command_succeeds_by_its_exit_code_and_the_end_of_its_output_is_kept():
    assert run("command", argv=("sh", "-c", "exit 0")).status is Status.DONE
    outcome = run("command", argv=("sh", "-c", "seq 100000; echo the end; exit 3"))
    assert outcome.status is Status.FAILED
    assert outcome.details["exit_code"] == 3
    assert outcome.details["output"].endswith("the end")
    assert len(outcome.details["output"]) <= 2000
    assert "cannot be started" in run("command", argv=("/no/such/program",)).message


def test_what_a_command_leaves_running_does_not_hold_it_up():
    started = time.monotonic()
    outcome = run("command", argv=("sh", "-c", "sleep 5 & echo started"))
    assert outcome.status is Status.DONE
    assert time.monotonic() - started < 4


def test_a_command_gets_no_shell_and_no_input():
    assert run("command", argv=("echo", "$HOME; id")).details["output"] == "$HOME; id"
    assert run("command", argv=("cat",)).status is Status.DONE


def test_a_child_that_dies_has_failed_and_says_how():
    script = "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"
    outcome = run_in_child("command", {"argv": [sys.executable, "-c", script]}, CONTEXT, 20)
    assert outcome.status is Status.FAILED
    assert "SIGKILL" in outcome.message


def test_what_a_step_prints_does_not_mix_with_its_outcome(tmp_path, capfd):
    outcome = run_in_child("command", {"argv": ["echo", '{"status": "done"}']}, CONTEXT, 20)
    assert outcome.details["output"] == '{"status": "done"}'


def test_programs_of_a_step_have_the_environment_of_the_application(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere/else")
    outcome = run_in_child("command", {"argv": ["sh", "-c", "echo $PYTHONPATH"]}, CONTEXT, 20)
    assert outcome.details["output"] == "/somewhere/else"


def test_a_handler_made_inside_a_step_starts_nothing_and_one_in_a_service_of_its_own_does(tmp_path):
    script = tmp_path / "service.py"
    script.write_text(
        "from visigate_logging.recovery.process import is_inside\nprint('inside' if is_inside() else 'outside')"
    )
    for argv, said in ([], "inside"), (["setsid", "--wait"], "outside"):
        outcome = run_in_child("command", {"argv": [*argv, sys.executable, str(script)]}, CONTEXT, 20)
        assert outcome.details["output"] == said


def test_a_backup_is_as_private_as_its_database(tmp_path):
    database = make(tmp_path / "gate.db", "delete", 50)
    database.chmod(0o600)
    run("backup_sqlite", database=str(database), backup=str(tmp_path / "backup.db"))
    assert (tmp_path / "backup.db").stat().st_mode & 0o777 == 0o600


def slow(_context: dict) -> None:
    time.sleep(2)


def broken(_context: dict) -> None:
    raise OSError("camera is gone")


def helpful(context: dict) -> bool:
    return context["error_type"] == "CameraError"


@pytest.mark.parametrize(
    ("function", "status", "word"),
    [
        ("helpful", Status.DONE, "called"),
        ("broken", Status.FAILED, "camera is gone"),
        ("slow", Status.FAILED, "0.2 s"),
    ],
)
def test_a_function_of_the_application_is_called_and_judged(function, status, word):
    outcome = run("reopen", callable=f"{__name__}:{function}", timeout=0.2)
    assert outcome.status is status
    assert word in outcome.message


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """Programs on PATH that write down how they were called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def make_stub(name: str, body: str = "") -> Path:
        log = tmp_path / f"{name}.log"
        (folder / name).write_text(f'#!/bin/sh\necho "$@" >> {log}\n{body}\n')
        (folder / name).chmod(0o755)
        return log

    return make_stub


def test_a_service_is_restarted_and_looked_at(stub):
    log = stub("systemctl", 'case "$1" in is-active) echo active;; esac')
    outcome = run("restart_service", service="visigate-camera")
    assert outcome.status is Status.DONE
    assert log.read_text().splitlines() == [
        "restart -- visigate-camera.service",
        "is-active -- visigate-camera.service",
    ]


@pytest.mark.parametrize("failing", ["restart", "is-active"])
def test_a_service_that_does_not_come_up_is_a_failure(stub, failing):
    stub("systemctl", f'case "$1" in {failing}) echo failed; exit 3;; esac')
    assert run("restart_service", service="visigate-camera").status is Status.FAILED


def test_for_its_own_service_a_step_does_not_wait(stub, monkeypatch):
    from visigate_logging.recovery.steps import restart_service

    monkeypatch.setattr(restart_service, "_is_ours", lambda _unit: True)
    log = stub("systemctl")
    assert run("restart_service", service="visigate-web").status is Status.DONE
    assert log.read_text().splitlines() == ["restart --no-block -- visigate-web.service"]


@pytest.fixture
def usb(tmp_path):
    """Two devices of one kind, and a hub."""
    for name, product, serial in [("1-1", "0825", "A1"), ("1-2", "0825", "B2"), ("usb1", "0002", "")]:
        device = tmp_path / "usb" / name
        device.mkdir(parents=True)
        for file, text in [("idVendor", "046d"), ("idProduct", product), ("serial", serial), ("authorized", "1")]:
            (device / file).write_text(f"{text}\n")
    return tmp_path / "usb"


def test_a_usb_device_is_found_by_its_serial_and_is_back_afterwards(usb):
    times = {p.name: p.stat().st_mtime_ns for p in usb.glob("*/authorized")}
    outcome = run("usb_reset", device="046D:0825", serial="B2", rest=0.01, sysfs=str(usb))
    assert outcome.status is Status.DONE
    assert "(1-2)" in outcome.message
    assert times
    assert (usb / "1-2" / "authorized").read_text() == "1"
    assert (usb / "1-1" / "authorized").read_text() == "1\n", "the other one is not touched"


def test_a_usb_device_that_is_not_there_or_there_twice_is_left_alone(usb):
    before = fingerprints(usb)
    assert "2 times" in run("usb_reset", device="046d:0825", sysfs=str(usb)).message
    assert "is not there" in run("usb_reset", device="ffff:0825", sysfs=str(usb)).message
    assert fingerprints(usb) == before


def test_a_backup_is_checked_and_older_generations_are_kept(tmp_path):
    database, backup = tmp_path / "gate.db", tmp_path / "backups" / "gate.db"
    for rows in (100, 200, 300, 400):
        database.unlink(missing_ok=True)
        make(database, "delete", rows)
        assert run("backup_sqlite", database=str(database), backup=str(backup), keep=3).status is Status.DONE
    found = {p.name: len(content(p)) for p in backup.parent.glob("gate*")}
    assert found == {"gate.db": 400, "gate.db.1": 300, "gate.db.2": 200, "gate.db.daily": 100}


def test_a_database_is_backed_up_while_others_write_to_it(tmp_path):
    database, backup = make(tmp_path / "gate.db", "wal"), tmp_path / "backup.db"
    with holder(database, "writing") as held:
        assert run("backup_sqlite", database=str(database), backup=str(backup)).status is Status.DONE
        assert held.tell("after") == "ok"
    assert "BEFORE" in content(backup)


def test_a_backup_is_sound_although_another_process_writes_without_a_rest(tmp_path):
    database, backup = make(tmp_path / "gate.db", "wal", 30_000), tmp_path / "backup.db"
    stop = threading.Event()
    with holder(database, "writing") as held:

        def write() -> None:
            while not stop.is_set():
                held.tell("busy")

        writer = threading.Thread(target=write)
        writer.start()
        outcome = run("backup_sqlite", database=str(database), backup=str(backup))
        stop.set()
        writer.join()
    assert outcome.status is Status.DONE
    assert len(content(backup)) > 30_000


@pytest.mark.parametrize(
    "damage", ["pages in the middle", "page 1", "half", "0 bytes", "missing file", "lost index entry"]
)
def test_a_damaged_database_does_not_replace_a_good_backup(tmp_path, damage):
    folder = tmp_path / "backups"
    database, backup = make(tmp_path / "gate.db", "delete"), folder / "gate.db"
    run("backup_sqlite", database=str(database), backup=str(backup))
    before = fingerprints(folder)
    DAMAGE[damage](database)
    outcome = run_in_child("backup_sqlite", {"database": str(database), "backup": str(backup)}, CONTEXT, 60)
    assert outcome.status is Status.FAILED
    assert fingerprints(folder) == before


NETWORK_STEP = """
import sys
from visigate_logging.recovery import network
from visigate_logging.recovery.steps.base import Context
from visigate_logging.recovery.steps.network_interface import NetworkInterface

network.PATIENCE = 0.5  # what answers does so within the same kernel
target, *look = sys.argv[1:]
outcome = NetworkInterface(interface="gate0", target=target, settle=1, restart=not look).run(Context())
print(outcome.status, "|", outcome.message)
"""


def in_namespace(tmp_path: Path, script: str) -> str:
    """Run shell commands in a network of their own: veth pair, we are 10.9.0.2, the gateway is 10.9.0.1."""
    if shutil.which("ip") is None or subprocess.run(["unshare", "-rn", "true"], check=False).returncode:
        pytest.skip("no network namespaces here")
    (tmp_path / "step.py").write_text(NETWORK_STEP)
    setup = f"""
        set -e
        ip link set lo up
        unshare -n sleep 60 & gateway=$!
        until [ "$(readlink /proc/$gateway/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.02; done
        ip link add gate0 type veth peer name peer0
        ip link set peer0 netns $gateway
        inside() {{ nsenter -t $gateway -n "$@"; }}
        inside ip addr add 10.9.0.1/24 dev peer0
        inside ip link set peer0 up
        inside ip link set lo up
        ip addr add 10.9.0.2/24 dev gate0
        ip link set gate0 up
        ip route add default via 10.9.0.1
        step() {{ {sys.executable} {tmp_path}/step.py "$@"; }}
        {script}
        sleep 60 &  # so that the group is there to be ended
    """
    with (tmp_path / "answer").open("w") as answer:
        shell = subprocess.Popen(
            ["unshare", "-rn", "sh", "-c", setup], stdout=answer, stderr=answer, start_new_session=True
        )
        try:
            shell.wait(60)
        finally:
            os.killpg(shell.pid, signal.SIGKILL)  # with what it left in the background
            shell.wait()
    return (tmp_path / "answer").read_text()


LISTEN = (
    f"inside {sys.executable} -m http.server 8000 --bind 10.9.0.1 >/dev/null 2>&1 & "
    "until inside ss -Hltn | grep -q :8000; do sleep 0.05; done"
)


def test_a_network_that_works_is_left_alone(tmp_path):
    answer = in_namespace(tmp_path, f"{LISTEN}; step 10.9.0.1:8000")
    assert answer.startswith("done | gate0 works"), answer


def test_when_only_what_is_behind_the_gateway_is_away_the_interface_is_left_alone(tmp_path):
    answer = in_namespace(tmp_path, "step 192.0.2.1:80")
    assert answer.startswith("refused | gate0 and its gateway work"), answer


def test_a_route_that_was_lost_before_is_not_invented(tmp_path):
    answer = in_namespace(tmp_path, "ip route del default; step 192.0.2.1:80")
    assert answer.startswith("failed | gate0 was restarted because of its route; now no route"), answer


def test_without_a_default_route_nothing_works(tmp_path):
    answer = in_namespace(tmp_path, "ip route del default; step '' look; step gate.example:80 look")
    assert answer.splitlines() == ["failed | gate0 has no route; restart: true would take it down and up"] * 2, answer


def test_what_is_on_the_link_itself_needs_no_default_route(tmp_path):
    answer = in_namespace(tmp_path, f"ip route del default; {LISTEN}; step 10.9.0.1:8000")
    assert answer.startswith("done | gate0 works"), answer


def test_all_routes_that_were_noted_are_there_again(tmp_path):
    script = """
        ip route add 192.168.77.0/24 dev gate0
        ip route add 10.44.0.0/16 via 192.168.77.1 metric 7
        ip -6 route add fd77::/64 dev gate0
        ip route show > before; ip -6 route show | grep -v fe80 >> before
        inside ip addr del 10.9.0.1/24 dev peer0
        ip neigh flush dev gate0
        step 192.0.2.1:80
        ip route show > after; ip -6 route show | grep -v fe80 >> after
        cat after
        diff before after && echo the same
    """
    answer = in_namespace(tmp_path, f"cd {tmp_path}; {script}")
    assert "fd77::/64" in answer, answer
    assert answer.endswith("the same\n"), answer


def test_a_gateway_that_is_silent_makes_the_step_act_and_keeps_the_route(tmp_path):
    answer = in_namespace(
        tmp_path, "inside ip addr del 10.9.0.1/24 dev peer0; step 192.0.2.1:80; ip route show default"
    )
    assert "gateway" in answer, answer
    assert "default via 10.9.0.1 dev gate0" in answer, answer


def test_without_leave_to_restart_the_step_only_says_what_is_wrong(tmp_path):
    answer = in_namespace(tmp_path, "ip addr flush dev gate0; step 192.0.2.1:80 look; ip -o link show gate0")
    assert answer.startswith("failed | gate0 has no address; restart: true would"), answer


def test_no_carrier_is_a_matter_for_people(tmp_path):
    answer = in_namespace(tmp_path, "inside ip link set peer0 down; sleep 0.3; step 192.0.2.1:80")
    assert answer.startswith("failed | gate0 has no carrier"), answer


LOGIN = """
import socket, sys, time
end = ("10.9.0.2", 22)
connection = socket.create_server(end).accept() if sys.argv[1:] else socket.create_connection(end)
time.sleep(30)
"""


def test_an_interface_that_somebody_is_logged_in_over_is_left_alone(tmp_path):
    (tmp_path / "login.py").write_text(LOGIN)
    script = f"""
        {sys.executable} {tmp_path}/login.py serve &
        until ss -Hltn | grep -q :22; do sleep 0.05; done
        inside {sys.executable} {tmp_path}/login.py &
        until ss -Htn state established | grep -q :22; do sleep 0.05; done
        inside ip addr del 10.9.0.1/24 dev peer0
        ip neigh flush dev gate0
        step 192.0.2.1:80
    """
    answer = in_namespace(tmp_path, script)
    assert "is logged in over gate0; it is left alone" in answer, answer


def test_with_networkmanager_its_own_connection_is_asked_for(tmp_path, stub):
    log = stub("nmcli", 'case "$*" in *GENERAL.STATE*) echo "100 (connected)";; esac')
    answer = in_namespace(
        tmp_path, "inside ip addr del 10.9.0.1/24 dev peer0; ip neigh flush dev gate0; step 192.0.2.1:80"
    )
    assert "gateway" in answer, answer
    assert "device reapply gate0" in log.read_text()
