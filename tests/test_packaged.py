"""Wheel and sdist hold what is needed: installed into an empty environment, the gate's first error is seen."""

import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FIRST_ERROR = """
import logging, visigate_logging
visigate_logging.configure("logging.yaml")
try:
    {}["AB 123"]
except KeyError as e:
    logging.getLogger("VisiGate.database").error(f"Error getting vehicle: {e}")
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the sdist, and the wheel that was built from it."""
    place = tmp_path_factory.mktemp("built")
    script = f"import setuptools.build_meta as b; b.build_sdist({str(place)!r})"
    source = place / "source"
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/images")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_symlink():
                (source / name).symlink_to((ROOT / name).readlink())
            else:
                (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run([sys.executable, "-c", script], cwd=source, capture_output=True, check=True)
    (sdist,) = place.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(place / "unpacked", filter="data")
    (unpacked,) = (place / "unpacked").iterdir()
    script = f"import setuptools.build_meta as b; b.build_wheel({str(place)!r})"
    subprocess.run([sys.executable, "-c", script], cwd=unpacked, capture_output=True, check=True)
    return place


def test_the_wheel_has_the_configuration_templates_and_types(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        shipped = archive.read("visigate_logging/logging.yaml")
    assert shipped == (ROOT / "logging.yaml").read_bytes()
    for name in ("py.typed", "web/templates/visigate_errors/layout.html", "migrate/error_handler.py"):
        assert f"visigate_logging/{name}" in names
    assert any(name.startswith("visigate_logging/web/static/") for name in names)
    package = {str(path.relative_to(ROOT)) for path in (ROOT / "visigate_logging").rglob("*.py")}
    assert package <= names


@pytest.mark.stress
def test_from_the_wheel_to_the_first_error_with_the_base_install_alone(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    bin_ = tmp_path / "venv/bin"
    subprocess.run([bin_ / "python", "-m", "pip", "install", "-q", str(wheel)], check=True, capture_output=True)
    for command in ([bin_ / "visigate-errors", "init", "--yes"], [bin_ / "python", "-c", FIRST_ERROR]):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    shown = subprocess.run(
        [bin_ / "visigate-errors", "recent", "--json"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    (record,) = json.loads(shown.stdout)
    assert (record["error_type"], record["category"], record["handled"]) == ("KeyError", "database", True)
