"""What nobody caught is on disk before the process is gone, and the hooks that were there are still called."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

PREPARE = """
import logging, sys
from visigate_logging import JsonFileHandler, install_hooks, uninstall_hooks
def prepare():
    logging.getLogger().handlers[:] = [JsonFileHandler("details.jsonl")]
prepare()
"""


def run(tmp_path: Path, program: str) -> tuple[subprocess.CompletedProcess[str], list[dict[str, Any]]]:
    """Run a program in a process of its own, and read what it left on disk."""
    script = tmp_path / "program.py"
    script.write_text(PREPARE + textwrap.dedent(program))
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    file = tmp_path / "details.jsonl"
    return done, [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_the_exception_that_ends_a_process_is_on_disk(tmp_path: Path) -> None:
    done, records = run(tmp_path, "install_hooks()\nraise ValueError('the end')")
    assert done.returncode == 1
    assert [(r["error_type"], r["level"], r["logger"]) for r in records] == [
        ("ValueError", "CRITICAL", "visigate.uncaught")
    ]
    assert "ValueError: the end" in done.stderr, "the interpreter's own hook is called too"


def test_the_exception_that_ends_a_thread_is_on_disk_with_the_threads_name(tmp_path: Path) -> None:
    done, records = run(
        tmp_path,
        """
        import threading
        install_hooks()
        def work(): raise OSError("gone")
        thread = threading.Thread(target=work, name="frame-watch"); thread.start(); thread.join()
        """,
    )
    assert done.returncode == 0
    assert [(r["error_type"], r["thread"], r["function"]) for r in records] == [("OSError", "frame-watch", "work")]
    assert "frame-watch" in records[0]["message"]
    assert "Exception in thread frame-watch" in done.stderr


def test_an_exception_in_a_destructor_is_on_disk(tmp_path: Path) -> None:
    done, records = run(
        tmp_path,
        """
        install_hooks()
        class Camera:
            def __repr__(self): raise RuntimeError("not whole any more")
            def __del__(self): raise KeyError("stream")
        Camera()
        """,
    )
    assert [(r["error_type"], r["level"]) for r in records] == [("KeyError", "ERROR")]
    assert "KeyError" in done.stderr


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("kind", ["target", "subclass"])
def test_the_exception_that_ends_a_multiprocessing_child_is_on_disk(tmp_path: Path, method: str, kind: str) -> None:
    done, records = run(
        tmp_path,
        f"""
        import multiprocessing
        def work(): raise RuntimeError("in the child")
        context = multiprocessing.get_context({method!r})
        class Worker(context.Process):
            def run(self): work()
        if __name__ == "__main__":
            install_hooks(prepare)
            child = Worker(name="trainer") if {kind!r} == "subclass" else context.Process(target=work, name="trainer")
            child.start(); child.join()
            print("exitcode", child.exitcode, "run" in vars(child))
        """,
    )
    assert done.stdout == "exitcode 1 False\n", done.stderr
    assert [(r["error_type"], r["process"], r["function"]) for r in records] == [("RuntimeError", "trainer", "work")]


def test_what_a_child_only_exits_with_is_no_error(tmp_path: Path) -> None:
    done, records = run(
        tmp_path,
        """
        import multiprocessing, sys
        if __name__ == "__main__":
            install_hooks()
            child = multiprocessing.get_context("fork").Process(target=sys.exit, args=(3,))
            child.start(); child.join()
            print(child.exitcode)
        """,
    )
    assert (done.stdout, records) == ("3\n", [])


@pytest.mark.parametrize("kind", ["KeyboardInterrupt", "SystemExit"])
def test_an_interrupt_or_an_exit_is_no_error(tmp_path: Path, kind: str) -> None:
    _, records = run(
        tmp_path,
        f"""
        import threading
        install_hooks()
        thread = threading.Thread(target=exit); thread.start(); thread.join()
        raise {kind}
        """,
    )
    assert records == []


def test_an_interrupt_that_ends_a_thread_which_gets_none_is_an_error(tmp_path: Path) -> None:
    _, records = run(
        tmp_path,
        """
        import threading
        install_hooks()
        def work(): raise KeyboardInterrupt
        thread = threading.Thread(target=work, name="grabber"); thread.start(); thread.join()
        """,
    )
    assert [(r["error_type"], r["thread"], r["function"]) for r in records] == [
        ("KeyboardInterrupt", "grabber", "work")
    ]


def test_what_asyncio_reports_arrives_through_its_logger(tmp_path: Path) -> None:
    _, records = run(
        tmp_path,
        """
        import asyncio, gc
        install_hooks()
        async def work(): raise ConnectionError("stream ended")
        async def main():
            task = asyncio.create_task(work(), name="stream")
            await asyncio.sleep(0)
            del task
            gc.collect()
        asyncio.run(main())
        """,
    )
    assert [(r["error_type"], r["logger"]) for r in records] == [("ConnectionError", "asyncio")]


def test_hooks_that_were_there_before_are_called_with_the_same_and_put_back(tmp_path: Path) -> None:
    done, records = run(
        tmp_path,
        """
        import threading
        def mine(kind, value, traceback): print("mine", value)
        def mine_in_thread(args): print("mine in thread", args.exc_value)
        sys.excepthook, threading.excepthook = mine, mine_in_thread
        install_hooks(); install_hooks()
        def work(): raise ValueError(1)
        thread = threading.Thread(target=work); thread.start(); thread.join()
        uninstall_hooks(); uninstall_hooks()
        print(sys.excepthook is mine, threading.excepthook is mine_in_thread)
        install_hooks()
        raise ValueError(2)
        """,
    )
    assert done.stdout == "mine in thread 1\nTrue True\nmine 2\n"
    assert len(records) == 2


def test_a_hook_put_over_ours_is_left_alone_and_ours_is_silent(tmp_path: Path) -> None:
    done, records = run(
        tmp_path,
        """
        install_hooks()
        ours = sys.excepthook
        def over(*args): print("over"); ours(*args)
        sys.excepthook = over
        uninstall_hooks()
        raise ValueError
        """,
    )
    assert done.stdout == "over\n"
    assert records == []


def test_the_last_error_before_a_kill_is_on_disk(tmp_path: Path) -> None:
    done, records = run(
        tmp_path,
        """
        import os, signal
        try: 1 / 0
        except ZeroDivisionError: logging.getLogger("visigate").exception("last words")
        os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    assert done.returncode == -9
    assert [r["message"] for r in records] == ["last words"]


def test_a_raw_fork_logs_into_the_same_file(tmp_path: Path) -> None:
    _, records = run(
        tmp_path,
        """
        import os
        if os.fork() == 0:
            try: 1 / 0
            except ZeroDivisionError: logging.getLogger("visigate").exception("child")
            os._exit(0)
        os.wait()
        logging.getLogger("visigate").error("parent")
        """,
    )
    assert [r["message"] for r in records] == ["child", "parent"]
    assert len({r["event_id"] for r in records} | {str(os.getpid())}) == 3
