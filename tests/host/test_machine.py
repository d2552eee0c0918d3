"""The state of the machine: read from /proc and /sys, in the background, and what is unusual in it named."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from visigate_logging.host import machine as module
from visigate_logging.host.machine import Machine, unusual

FILES = {
    "proc/uptime": "54.20 180.1\n",
    "proc/meminfo": "MemTotal: 4000 kB\nMemFree: 10 kB\nMemAvailable: 100 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
    "proc/net/wireless": "Inter-| sta\n face | tus\n wlan0: 0000   54.  -84.  -256        0      0\n",
    "proc/self/status": "Name:\tpython\nVmRSS:\t   2048 kB\nThreads:\t4\n",
    "proc/self/fd/0": "",
    "proc/self/mountinfo": "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:5 / /far rw - nfs4 server:/x rw\n",
    "run/systemd/timesync/other": "",
    "sys/class/thermal/thermal_zone0/temp": "81400\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
}


@pytest.fixture
def pi(tmp_path: Path) -> Machine:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return Machine(tmp_path)


def test_a_sample_has_the_state_of_a_raspberry_pi(pi: Machine) -> None:
    pi.sample()
    found = pi.newest()
    assert found["uptime"] == 54.2
    assert found["memory"] == {"total": 4_096_000, "available": 102_400}
    assert found["temperature"] == 81.4
    assert found["throttled"] == found["throttled_since_boot"] == ["under-voltage", "throttled"]
    assert found["clock_synchronised"] is False
    assert found["wifi"] == {"wlan0": -84}
    assert (found["process"]["memory"], found["process"]["threads"], found["process"]["descriptors"]) == (
        2_097_152,
        4,
        1,
    )
    assert found["disks"][0]["path"] == os.getcwd()
    assert found["disks"][0]["total"] > found["disks"][0]["free"] > 0
    assert 0 <= found["age"] < 5


def test_what_is_unusual_is_named_first(pi: Machine) -> None:
    pi.sample()
    found = [what for what in pi.newest()["unusual"] if not what.startswith(("disk", "load"))]
    assert found == [
        "under-voltage 0 s before",
        "throttled",
        "memory 98 %",
        "81 °C",
        "Wi-Fi -84 dBm",
        "clock not synchronised",
        "booted 54 s before",
    ]


def test_an_under_voltage_is_told_for_minutes_after_it(pi: Machine, tmp_path: Path, monkeypatch: Any) -> None:
    pi.sample()
    (tmp_path / "sys/devices/platform/soc/soc:firmware/get_throttled").write_text("50000\n")
    later = module.monotonic() + 30
    monkeypatch.setattr(module, "monotonic", lambda: later)
    pi.sample()
    assert pi.newest()["unusual"][0] == "under-voltage 30 s before"
    monkeypatch.setattr(module, "monotonic", lambda: later + module.RECENT)
    assert not any("under-voltage" in what for what in pi.newest()["unusual"])


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    bare = Machine(tmp_path)
    bare.sample()
    assert {"load", "disks", "cpus", "age", "unusual"} == {*bare.newest()}


def test_a_file_system_whose_server_may_not_answer_is_not_asked(pi: Machine, monkeypatch: Any) -> None:
    asked = []
    statvfs = os.statvfs
    monkeypatch.setattr(os, "statvfs", lambda path: asked.append(path) or statvfs("/"))
    pi._paths["/far/logs"] = None
    pi.sample()
    assert asked == [os.getcwd()]


def test_a_directory_that_is_not_there_yet_is_known_by_the_one_above(tmp_path: Path) -> None:
    there = Machine()
    there._paths[str(tmp_path / "not" / "yet")] = None
    there.sample()
    assert there.newest()["disks"][0]["path"] == str(tmp_path / "not" / "yet")


def test_it_is_sampled_in_the_background_once_it_is_watched(tmp_path: Path) -> None:
    watched = Machine()
    assert watched.newest() == {}
    watched.watch(tmp_path)
    deadline = time.monotonic() + 20
    while not watched.newest() and time.monotonic() < deadline:
        time.sleep(0.01)
    watched.stop()
    assert watched.newest()["disks"]


DISK = {"path": "/log", "total": 1000, "free": 500, "inodes_free": 5000, "read_only": False}


@pytest.mark.parametrize(
    ("sample", "told"),
    [
        ({}, []),
        ({"disks": [DISK]}, []),
        ({"disks": [DISK | {"free": 40}]}, ["disk 96 %: /log"]),
        ({"disks": [DISK | {"free": 0}]}, ["disk full: /log"]),
        ({"disks": [DISK | {"inodes_free": 3}]}, ["no inodes free: /log"]),
        ({"disks": [DISK | {"inodes_free": None}]}, []),
        ({"disks": [DISK | {"read_only": True}]}, ["/log is read-only"]),
        ({"swap": {"total": 100, "free": 5}}, ["swap 95 %"]),
        ({"load": [9.0], "cpus": 2}, ["load 9 on 2 processors"]),
        ({"clock_synchronised": False}, ["clock not synchronised"]),
        ({"process": {"descriptors": 95, "descriptors_limit": 100}}, ["95 of 100 descriptors open"]),
    ],
)
def test_what_is_unusual_is_said_in_a_few_words(sample: dict[str, Any], told: list[str]) -> None:
    assert list(unusual(sample)) == told
