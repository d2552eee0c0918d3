"""Reading a configuration file."""

import pytest

from visigate_logging.config.check import examine
from visigate_logging.config.load import read
from visigate_logging.exceptions import ConfigurationError


@pytest.fixture
def source(tmp_path):
    def make(text):
        path = tmp_path / "logging.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read(path)

    return make


@pytest.fixture
def problem(source):
    def only(text):
        found = source(text)
        assert len(found.problems) == 1, found.problems
        assert found.values == {}
        return found.told(found.problems[0]).removeprefix(f"{found.path}:")

    return only


def test_each_value_knows_where_it_stands(source):
    found = source("version: 1\nhandlers:\n  mail:\n    toaddrs: [a@b.c,\n      d@e.f]\n")
    assert found.place(("handlers", "mail", "toaddrs", 1)) == (5, 7)
    assert found.place(("handlers", "mail", "toaddrs")) == (4, 5)


def test_what_is_not_there_stands_where_the_next_above_it_does(source):
    assert source("a:\n  b: 1\n").place(("a", "c", "d")) == (1, 1)


def test_a_value_comes_from_the_environment(source, monkeypatch):
    monkeypatch.setenv("GATE_HOST", "mail.example.org")
    assert source("a: smtp://${GATE_HOST}/").values == {"a": "smtp://mail.example.org/"}


@pytest.mark.parametrize(("set_to", "value"), [(None, "localhost"), ("", "localhost"), ("elsewhere", "elsewhere")])
def test_a_default_stands_in_for_what_is_not_set_or_empty(source, monkeypatch, set_to, value):
    monkeypatch.delenv("GATE_HOST", raising=False)
    if set_to is not None:
        monkeypatch.setenv("GATE_HOST", set_to)
    assert source("a: ${GATE_HOST:-localhost}").values == {"a": value}


def test_without_quotes_a_filled_in_value_is_read_as_yaml_and_in_quotes_it_stays_text(source, monkeypatch):
    monkeypatch.setenv("GATE_PORT", "587")
    assert source('a: ${GATE_PORT}\nb: "${GATE_PORT}"').values == {"a": 587, "b": "587"}


def test_what_comes_from_the_environment_is_a_value_and_never_yaml(source, monkeypatch):
    monkeypatch.setenv("GATE", "x\nroot: {level: DEBUG} # &a *b")
    assert source("a: ${GATE}").values == {"a": "x\nroot: {level: DEBUG} # &a *b"}


def test_a_variable_that_is_missing_is_named_with_its_line(problem, monkeypatch):
    monkeypatch.delenv("GATE_NONE", raising=False)
    assert problem("version: 1\na:\n  b: ${GATE_NONE}") == (
        "3:3: a.b: the environment has no GATE_NONE: set it, or write ${GATE_NONE:-default}"
    )


def test_fields_of_a_format_are_no_variables_and_a_doubled_sign_escapes(source):
    assert source("a: ${message}\nb: $${HOME}").values == {"a": "${message}", "b": "${HOME}"}


def test_a_value_comes_from_a_file_without_its_last_newline(source, tmp_path):
    (tmp_path / "secret").write_text("0123\n")
    found = source(f"a: file:{tmp_path}/secret\nb: file:///etc/passwd")
    assert found.values == {"a": "0123", "b": "file:///etc/passwd"}
    assert found.replaced == {("a",): f"file:{tmp_path}/secret"}


def test_a_file_for_a_value_that_cannot_be_read_is_named(problem):
    assert problem("a: file:/none/such") == "1:1: a: /none/such cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1, 2", "this is not YAML"),
        ("a:\n\t- b", "2:1: this is not YAML"),
        ("a: *none", "1:4: this is not YAML: found undefined alias"),
        ("a: !!python/object/apply:os.system [id]", "1:4: this is not YAML: could not determine a constructor"),
        ("- a", "1:1: a mapping with version, handlers and root is wanted"),
        ("", "1:1: a mapping with version, handlers and root is wanted"),
        (b"a: \xff\xfe", "this is not YAML"),
        ("a: 1\nb:\n  c: 1\n  c: 2", "4:3: b.c: is here twice"),
        ("a: &x [*x]", "an alias to what it stands in"),
        ("a: 2026-13-45", "a value cannot be"),
        ("a: " + "[" * 5000, "1:"),
        ("a: " + "[" * 900 + "]" * 900, "nested more than 50 levels deep"),
        ("? [a]\n: b", "1:"),
    ],
)
def test_what_cannot_be_read_is_a_problem_with_its_place(problem, text, expected):
    assert expected in problem(text)


def test_aliases_that_multiply_are_stopped(problem):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]" for i in range(1, 20)]
    assert "more than 20000 values" in problem("\n".join(lines))


def test_aliases_and_merged_keys_are_as_in_yaml(source):
    found = source("x: &x {level: INFO}\nroot:\n  <<: *x\n  handlers: []\n")
    assert found.values["root"] == {"level": "INFO", "handlers": []}
    assert not found.problems


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none\.yaml cannot be read: No such file"):
        read(tmp_path / "none.yaml")


def test_a_mapping_in_place_of_a_path_is_told_where_it_belongs() -> None:
    with pytest.raises(ConfigurationError, match=r"path of a YAML file is wanted; logging\.config\.dictConfig takes"):
        read({"version": 1})  # type: ignore[arg-type] -- the mistake


def test_the_hash_is_of_the_content(source):
    assert source("a: 1").hash == source("a: 1").hash != source("a: 1 ").hash


def test_the_target_of_a_forwarder_is_no_name_of_a_handler_and_that_of_a_memory_handler_is(source):
    handlers = "  out: {class: visigate_logging.ForwardHandler, target: {http: {url: 'http://127.0.0.1:9/'}}}\n"
    forwarded = source(f"version: 1\nhandlers:\n{handlers}")
    examine(forwarded)
    assert forwarded.errors == []
    memory = source("version: 1\nhandlers:\n  m: {class: logging.handlers.MemoryHandler, capacity: 5, target: out}\n")
    examine(memory)
    assert [problem.key for problem in memory.errors] == ["handlers.m.target"]
