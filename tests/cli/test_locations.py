"""Where the details are looked for."""

from pathlib import Path

import pytest

from visigate_logging.cli import locations, main
from visigate_logging.cli.locations import at_a_glance, find_config, find_log


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in ("VISIGATE_LOG", "VISIGATE_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def test_the_environment_goes_before_the_configuration(tmp_path, monkeypatch):
    (tmp_path / "logging.yaml").write_text(
        "handlers: {d: {class: visigate_logging.JsonFileHandler, filename: a.jsonl}}"
    )
    monkeypatch.setenv("VISIGATE_LOG", "/elsewhere/e.jsonl")
    assert find_log(tmp_path) == Path("/elsewhere/e.jsonl")


@pytest.mark.parametrize("key", ["class", "()"])
@pytest.mark.parametrize("home", ["visigate_logging", "visigate_logging.handlers.json_file"])
def test_the_json_file_handler_of_logging_yaml_names_the_log(tmp_path, key, home):
    (tmp_path / "logging.yaml").write_text(
        "version: 1\nhandlers:\n"
        "  text: {class: logging.FileHandler, filename: error.log}\n"
        "  own: {class: gate.none_such.Handler, filename: own.jsonl}\n"
        f"  details: {{'{key}': {home}.JsonFileHandler, filename: log/a.log}}\n"
    )
    assert find_log(tmp_path) == tmp_path / "log/a.log"


def written(handler):
    return f"version: 1\nhandlers:\n  other: {{class: a.B}}\n  details:\n{handler}root: {{level: INFO}}\n"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ((Path(__file__).parents[2] / "logging.yaml").read_text("utf-8"), "logs/errors/details.jsonl"),
        (written("    class: visigate_logging.JsonFileHandler  # ours\n    filename: a/b.jsonl\n"), "a/b.jsonl"),
        (
            written("    filename: a/b.jsonl\n    # JsonFileHandler\n    class: visigate_logging.JsonFileHandler\n"),
            "a/b.jsonl",
        ),
        (written("    class: visigate_logging.JsonFileHandler\n    filename: '${LOGS}/b.jsonl'\n"), None),
        (written("    class: visigate_logging.JsonFileHandler\n    filename: {a: b.jsonl}\n"), None),
        (written("    class: gate.JsonFileHandler\n    filename: a/b.jsonl\n"), None),
        (written("    class: visigate_logging.JsonFileHandler\n") + "filename: b.jsonl\n", None),
        (written("    class: &x visigate_logging.JsonFileHandler\n    filename: a/b.jsonl\n"), None),
        (2 * written("    class: visigate_logging.JsonFileHandler\n    filename: a/b.jsonl\n"), None),
        ("\x00\xff", None),
    ],
)
def test_what_is_seen_at_a_glance_is_what_reading_the_file_finds(tmp_path, monkeypatch, text, seen):
    path = tmp_path / "logging.yaml"
    path.write_text(text)
    assert at_a_glance(path) == seen
    if seen:
        monkeypatch.setattr(locations, "at_a_glance", lambda _path: None)
        assert find_log(tmp_path) == tmp_path / seen


@pytest.mark.parametrize("key", ["class", "()"])
def test_a_class_of_the_application_names_the_log_by_its_ending_and_is_not_imported(tmp_path, key):
    (tmp_path / "logging.yaml").write_text(
        "version: 1\nhandlers:\n  text: {class: logging.FileHandler, filename: error.log}\n"
        f"  details: {{'{key}': gate.none_such.Handler, filename: log/a.jsonl}}\n"
    )
    assert find_log(tmp_path) == tmp_path / "log/a.jsonl"


def test_a_part_of_the_name_may_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("GATE", "north")
    (tmp_path / "logging.yaml").write_text(
        "handlers: {d: {class: visigate_logging.JsonFileHandler, filename: '${LOGS:-log}/${GATE}.jsonl'}}"
    )
    assert find_log(tmp_path) == tmp_path / "log/north.jsonl"


@pytest.mark.parametrize("text", [None, "", "handlers: []", "handlers: {a: 1}", "a: [", "\x00", "version: 1"])
def test_without_a_usable_configuration_the_default_holds(tmp_path, text):
    if text is not None:
        (tmp_path / "logging.yaml").write_text(text)
    assert find_log(tmp_path) == tmp_path / "logs/errors/details.jsonl"


def test_the_configuration_is_found_by_the_environment_here_above_or_for_the_system(tmp_path, monkeypatch):
    below = tmp_path / "gate/logs"
    below.mkdir(parents=True)
    assert find_config(below) == below / "logging.yaml"
    system = tmp_path / "etc.yaml"
    system.touch()
    monkeypatch.setattr("visigate_logging.cli.locations.SYSTEM", system)
    monkeypatch.setattr("visigate_logging.host.trust.exposure", lambda path, users: None)
    assert find_config(below) == system
    above = tmp_path / "logging.yaml"
    above.write_text("handlers: {d: {class: visigate_logging.JsonFileHandler, filename: a/b.jsonl}}")
    assert (find_config(below), find_log(below)) == (above, tmp_path / "a/b.jsonl")
    here = below / "logging.yaml"
    here.touch()
    assert find_config(below) == here
    monkeypatch.setenv("VISIGATE_CONFIG", "elsewhere.yaml")
    assert find_config(below) == Path("elsewhere.yaml")


def test_a_configuration_above_that_another_user_could_change_is_passed_over_and_named(tmp_path, capsys):
    below = tmp_path / "gate"
    below.mkdir()
    (tmp_path / "logging.yaml").touch()
    (tmp_path / "logging.yaml").chmod(0o666)
    assert find_config(below) == below / "logging.yaml"
    assert f"{tmp_path / 'logging.yaml'} is passed over" in capsys.readouterr().err


def test_relative_paths_of_a_configuration_that_is_found_count_from_where_it_is(tmp_path, monkeypatch, capsys):
    (tmp_path / "logging.yaml").write_text(
        "version: 1\nhandlers:\n  mail: {class: visigate_logging.ThrottledSMTPHandler, mailhost: localhost,"
        " toaddrs: [a@example.org], state_dir: here/state}\nroot: {handlers: [mail]}\n"
    )
    refused = tmp_path / "here/state/outbox/mail/refused"
    refused.mkdir(parents=True)
    (refused / "1.eml").write_bytes(b"Subject: the barrier\n\nis stuck\n")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert main(["mail", "outbox"]) == 0
    assert "the barrier" in capsys.readouterr().out
    assert Path.cwd() == tmp_path / "below"
    main(["mail", "outbox", "--config", "../logging.yaml"])  # named: as in the gate
    assert "the barrier" not in capsys.readouterr().out


def test_a_configuration_that_the_environment_names_and_that_is_not_there_is_said(monkeypatch, capsys):
    monkeypatch.setenv("VISIGATE_CONFIG", "nowhere.yaml")
    main(["recent"])
    assert "nowhere.yaml, which VISIGATE_CONFIG names, is not there" in capsys.readouterr().err
