"""The rooms of the package import one way, as docs/design.md has it."""

import ast
import re
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "visigate_logging"

BELOW_ALL = {"exceptions", "host", "options"}
"""What every other room may import."""

MAY_IMPORT: dict[str, set[str]] = {
    "_version": set(),
    "exceptions": set(),
    "hooks": {"lifecycle"} | BELOW_ALL,
    "host": {"exceptions"},
    "options": {"exceptions"},
    "detail": BELOW_ALL,
    "formatters": {"detail"} | BELOW_ALL,
    "present": {"detail", "triage"} | BELOW_ALL,
    "delivery": {"detail", "present", "triage"} | BELOW_ALL,
    "recovery": {"detail"} | BELOW_ALL,
    "lifecycle": {"detail"} | BELOW_ALL,
    "forward": {"detail", "_version"} | BELOW_ALL,
    "handlers": {"formatters", "detail", "delivery", "recovery", "forward", "retention"} | BELOW_ALL,
    "insight": set(),
    "triage": BELOW_ALL,
    "retention": BELOW_ALL,
    "store": {"detail", "insight", "triage"} | BELOW_ALL,
    "config": {"detail", "hooks", "lifecycle"} | BELOW_ALL,
    "migrate": {"config", "store", "delivery", "handlers", "recovery", "detail"} | BELOW_ALL,
    "health": {
        "_version",
        "config",
        "lifecycle",
        "store",
        "delivery",
        "recovery",
        "forward",
        "handlers",
        "detail",
        "present",
        "triage",
    }
    | BELOW_ALL,
    "fleet": {"detail", "forward", "handlers", "lifecycle", "store"} | BELOW_ALL,
    "rehearsal": {"config", "delivery", "detail", "forward", "handlers", "recovery"} | BELOW_ALL,
    "web": {"detail", "fleet", "health", "store", "insight", "present", "triage"} | BELOW_ALL,
}
HEAVY = {
    "smtplib",
    "ssl",
    "sqlite3",
    "flask",
    "multiprocessing",
    "waitress",
    "apsw",
    "email",
    "http",
    "urllib",
}

# Imported inside functions themselves.
LATE = [["delivery", "channels", "session"], ["delivery", "channels", "cures"]]

FILES = sorted(PACKAGE.rglob("*.py"))


def dotted(path: Path) -> list[str]:
    parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
    return parts[:-1] if parts[-1] == "__init__" else parts


def own_imports(path: Path) -> set[str]:
    """Dotted names, below the package, of the modules of ours that a file imports anywhere in it."""
    found: set[str] = set()
    package = dotted(path) if path.name == "__init__.py" else dotted(path)[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            stem = ".".join(["visigate_logging", *base, *([node.module] if node.module else [])])
            names = [stem] if node.module else [f"{stem}.{a.name}" for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
            if names == ["visigate_logging"]:
                names = [f"visigate_logging.{a.name}" for a in node.names]
        else:
            continue
        found |= {
            n.removeprefix("visigate_logging").lstrip(".") for n in names if n.split(".")[0] == "visigate_logging"
        }
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_only_what_the_table_allows(path: Path) -> None:
    room = (dotted(path) or ["__init__"])[0]
    if room in {"__init__", "cli", "__main__"}:
        return
    for name in own_imports(path):
        target = name.split(".")[0]
        assert target == room or target in MAY_IMPORT[room], f"{path} imports {name or 'the package itself'}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "handlers").glob("*.py")), ids=lambda p: p.name)
def test_handlers_do_not_import_each_other_except_their_base(path: Path) -> None:
    inside = {n for n in own_imports(path) if n.startswith("handlers")}
    told = {"handlers.throttled"}
    bases = {"json_file.py": {"handlers.rotating"}, "smtp.py": told, "notification.py": told}
    assert inside <= bases.get(path.name, set())


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_imports_the_command_line_or_the_pages(path: Path) -> None:
    room = (dotted(path) or ["__init__"])[0]
    if room == "__init__":
        return
    for name in own_imports(path):
        target = name.split(".")[0]
        assert target != "cli" or room in {"cli", "__main__"}
        assert target != "web" or room in {"web", "cli"}


def test_there_is_no_circle_between_modules() -> None:
    names = {".".join(dotted(p)): p for p in FILES}
    graph = {name: {n for n in own_imports(path) if n in names and n != name} for name, path in names.items() if name}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail, name])
        if name in done:
            return
        for target in graph.get(name, set()):
            visit(target, (*trail, name))
        done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if dotted(p)[:1] not in (["store"], ["web"], ["cli"], ["recovery"]) and dotted(p) not in LATE],
    ids=lambda p: str(p.relative_to(PACKAGE)),
)
def test_heavy_libraries_are_imported_only_inside_functions(path: Path) -> None:
    for node in ast.parse(path.read_text("utf-8")).body:
        names = []
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        assert not {n.split(".")[0] for n in names} & HEAVY, f"{path}: {names}"


@pytest.mark.parametrize(
    "path", [p for p in FILES if dotted(p)[:1] != ["host"]], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_locks_durable_writes_and_texts_of_utc_are_made_in_host_alone(path: Path) -> None:
    assert not re.search(
        r"\bflock\(|\bf(data)?sync\(|\bgmtime\(|\+00:00|\bUTC\)\.(strftime|isoformat)", path.read_text()
    )


def test_every_room_of_the_table_is_known() -> None:
    rooms = {(dotted(p) or ["__init__"])[0] for p in FILES} - {"__init__", "__main__", "cli"}
    assert rooms <= set(MAY_IMPORT), sys.modules.get("visigate_logging")
