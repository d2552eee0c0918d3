"""gevent and eventlet patch the standard library under us, before our import or after: records and ends go on."""

import subprocess
import sys
from pathlib import Path

import pytest

PATCHES = {
    "gevent": "from gevent import monkey\nmonkey.patch_all()",
    "eventlet": "import warnings\nwarnings.simplefilter('ignore')\nimport eventlet\neventlet.monkey_patch()",
}
STEPS = {
    "import": "from visigate_logging import JsonFileHandler, ThrottledSMTPHandler",
    "build": (
        "handlers = [JsonFileHandler('out.jsonl'), ThrottledSMTPHandler(('127.0.0.1', 1), 'a@example.org',"
        " ['b@example.org'], 'gate', state_dir='state', severity='ERROR')]"
    ),
}
LOG = """
import logging, threading, time
log = logging.getLogger('gate')
log.propagate = False
for handler in handlers:
    log.addHandler(handler)
def work():
    for _ in range(5):
        log.error('x')
        time.sleep(0.001)
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for handler in handlers:
    handler.flush()
logging.shutdown()
print(handlers[0].counts()['delivered'], handlers[1].counts()['accepted'])
"""


@pytest.mark.parametrize("library", ["gevent", pytest.param("eventlet", marks=pytest.mark.stress)])
@pytest.mark.parametrize(
    "order", [("patch", "import", "build"), ("import", "patch", "build"), ("import", "build", "patch")], ids="-".join
)
def test_in_each_order_every_record_is_kept_and_the_process_ends(
    library: str, order: tuple[str, ...], tmp_path: Path
) -> None:
    pytest.importorskip(library)
    steps = STEPS | {"patch": PATCHES[library]}
    program = "\n".join(steps[step] for step in order) + LOG
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["20", "20"], done.stderr
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 20
