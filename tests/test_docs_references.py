"""What the documents refer to is there."""

import configparser
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page):
    text = page.read_text("utf-8")
    tests = {ROOT / name for name in re.findall(r"`((?:tests|examples|benchmarks)/[\w/.]+)`", text)}
    links = {page.parent / name for name in re.findall(r"\]\((?!\w+:|#)([^)#]+)", text)}
    assert [str(path) for path in tests | links if not path.exists()] == []


def test_the_licence_of_every_package_that_an_installation_can_need_is_listed():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = {
        name: text for name, text in setup["options.extras_require"].items() if name not in {"test", "bench", "docs"}
    }
    text = (ROOT / "docs" / "security.md").read_text("utf-8").lower()
    for wanted in (setup["options"]["install_requires"], *extras.values()):
        for name in re.findall(r"^\s*([\w.-]+)", wanted, flags=re.MULTILINE):
            assert name.lower() in text, name


def test_the_site_has_each_page():
    named = re.findall(r": ([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), flags=re.MULTILINE)
    assert sorted(named) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


def test_the_tests_that_promises_lead_to_are_there():
    named = re.findall(r"`(tests/[\w/.]+)::(\w+)`", (ROOT / "docs" / "design.md").read_text("utf-8"))
    assert len(named) > 30
    for path, name in named:
        assert f"def {name}(" in (ROOT / path).read_text("utf-8"), name


def test_the_modules_that_the_design_names_are_there():
    text = (ROOT / "docs" / "design.md").read_text("utf-8")
    package = ROOT / "visigate_logging"
    rooms = {path.name for path in package.iterdir() if path.is_dir()}
    named = {
        name
        for name in re.findall(r"`([a-z_]+(?:/[a-z_]+)*/?(?:\.py)?)`", text)
        if "/" in name or name.endswith(".py")
    }
    named = {name for name in named if "/" not in name or name.partition("/")[0] in rooms}
    assert len(named) > 30
    assert {
        name for name in named if not any(package.rglob(name.rstrip("/"))) and not (package / f"{name}.py").exists()
    } == set()
