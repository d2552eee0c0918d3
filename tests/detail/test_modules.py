"""Names of modules are alike whether they run or are imported, and tell whose code it is."""

import importlib.machinery
import json
import site
from pathlib import Path
from typing import Any

import pytest

from visigate_logging.detail.modules import imported_name, in_app_test


def run_as(name: str) -> Any:
    return importlib.machinery.ModuleSpec(name, None)


@pytest.mark.parametrize(
    ("namespace", "name"),
    [
        ({"__name__": "gate.camera"}, "gate.camera"),
        ({"__name__": "__main__", "__spec__": run_as("gate.camera"), "__file__": "/gate/camera.py"}, "gate.camera"),
        ({"__name__": "__mp_main__", "__spec__": None, "__file__": "/gate/camera.py"}, "camera"),
        ({"__name__": "__main__"}, "__main__"),
        ({"__name__": 5}, ""),
        ({}, ""),
    ],
)
def test_a_module_has_the_name_it_would_be_imported_by(namespace: dict[str, Any], name: str) -> None:
    assert imported_name(namespace) == name


def test_a_script_inside_a_package_is_named_with_the_package(tmp_path: Path) -> None:
    inside = tmp_path / "gate" / "web"
    inside.mkdir(parents=True)
    for folder in (inside, inside.parent):
        (folder / "__init__.py").touch()
    assert imported_name({"__name__": "__main__", "__file__": str(inside / "pages.py")}) == "gate.web.pages"


@pytest.mark.parametrize(
    ("file", "own"),
    [
        (json.__file__, False),
        (f"{site.getsitepackages()[0]}/flask/app.py", False),
        ("/usr/lib/python3/dist-packages/cv2/__init__.py", False),
        ("<frozen importlib._bootstrap>", False),
        ("/gate/camera.py", True),
        ("<string>", True),
    ],
)
def test_what_is_neither_of_the_library_nor_installed_is_the_applications_own(file: str, own: bool) -> None:
    assert in_app_test(())(file, "any") is own


def test_modules_that_are_named_are_the_applications_own_with_those_below() -> None:
    in_app = in_app_test(("gate", "recogniser.core"))
    assert in_app("/x/site-packages/gate/a.py", "gate.a")
    assert in_app("", "recogniser.core")
    assert not in_app("/gate/a.py", "gateway")
    assert not in_app("/gate/a.py", "recogniser")
