"""A process without a configuration, in a directory of its own, before each test; and as it was afterwards."""

import logging
import signal
import threading

import pytest

from visigate_logging.config import apply
from visigate_logging.config import watch as watching
from visigate_logging.hooks import uninstall_hooks
from visigate_logging.lifecycle.life import begin


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call():
    """Take pytest's own handlers off the root logger: ``configure`` names all that an application has attached."""
    logging.getLogger().handlers = []
    return (yield)


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(apply, "_running", None)
    hangup = signal.getsignal(signal.SIGHUP)
    for name in ("VISIGATE_SERVICE", "VISIGATE_RELEASE"):
        monkeypatch.setenv(name, "")
    yield
    for watch in list(watching._watches):
        watch.stop()
        watch._task.stop(20)  # a look that is under way may begin a change
    for thread in [t for t in threading.enumerate() if t.name == "visigate-config"]:
        thread._started.wait(20)  # one that is being started cannot be joined yet
        thread.join(20)
    running = apply.running()
    if running is not None:
        running.confirm()
        if running.messages is not None:
            logging.getLogger("visigate_logging").removeHandler(running.messages)
        begin(None)
        for handler in running.built.made:
            handler.close()
    signal.signal(signal.SIGHUP, hangup)
    uninstall_hooks()


@pytest.fixture
def write(tmp_path):
    """Write a configuration file, and give its path."""

    def make(text, name="logging.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return make
