"""Imports point one way: a room knows only the rooms to its left, and the ground floor under all of them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "tcptrace_py"
ROOMS = ("capture", "decode", "flows", "tracker", "peers", "tables", "dataset", "views")
GROUND = {"vocabulary", "anomalies", "columns", "errors", "options", "_cython_shim"}
JOINERS = {"pipeline", "summary", "connection", "trace", "live", "suspended", "analysis", "comparison", "flow_audit"}
"""Modules that join the rooms: all of them but `dataset` and `views`, which stand on top."""

MODULES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / PACKAGE).rglob("*.py"))
COMPILED_MAY_IMPORT = {"__future__", "cython", "numpy", "array", "heapq", "sys", "typing", PACKAGE}


def compiled() -> list[str]:
    """The files of compiled modules, as setup.py has them, without running it."""
    (modules,) = (
        ast.literal_eval(node.value)
        for node in ast.parse((ROOT / "setup.py").read_text()).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MODULES"
    )
    return [path for paths in modules.values() for path in paths]


def imports(module: str) -> list[tuple[str, bool]]:
    """What a module imports at run time, whole names, and whether late (inside a function)."""
    found = []

    def walk(node: ast.AST, late: bool) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            found.extend((alias.name, late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise AssertionError(f"{module} imports relatively")
            found.extend((f"{node.module}.{alias.name}", late) for alias in node.names)
        inside = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            walk(child, inside)

    walk(ast.parse((ROOT / module).read_text()), late=False)
    return found


def of_ours(module: str) -> list[tuple[str, bool]]:
    """The first name below the package of each import of ours."""
    parts = ((name.split("."), late) for name, late in imports(module))
    return [(words[1] if len(words) > 1 else "", late) for words, late in parts if words[0] == PACKAGE]


def room(module: str) -> str:
    below = Path(module).relative_to(PACKAGE)
    return below.parts[0] if len(below.parts) > 1 else below.stem


@pytest.mark.parametrize("module", [m for m in MODULES if room(m) in ROOMS])
def test_a_room_imports_only_rooms_to_its_left(module):
    here = ROOMS.index(room(module))
    allowed = GROUND | set(ROOMS[: here + 1])
    wrong = {name for name, late in of_ours(module) if name not in allowed and not (room(module) == "views" and late)}
    if room(module) in {"dataset", "views"}:  # a batch and the command line call analyze(), and ask for the version
        wrong -= JOINERS | {"", "__version__"}
    assert wrong == set()


@pytest.mark.parametrize("module", [m for m in MODULES if room(m) in GROUND])
def test_the_ground_floor_stands_on_itself(module):
    assert {name for name, _ in of_ours(module)} <= GROUND


@pytest.mark.parametrize("module", [m for m in MODULES if room(m) in JOINERS])
def test_what_joins_the_rooms_knows_views_only_late(module):
    assert {name for name, late in of_ours(module) if name == "views" and not late} == set()


@pytest.mark.parametrize("module", compiled())
def test_a_compiled_module_imports_only_rules_and_numbers(module):
    assert {name.split(".")[0] for name, _ in imports(module)} - COMPILED_MAY_IMPORT == set()
    assert {name for name, late in imports(module) if late} <= {"numpy"}


def test_compiled_modules_are_named_by_an_underscore_and_all_exist():
    assert compiled()
    for module in compiled():
        assert Path(module).name.startswith("_")
        assert (ROOT / module).is_file()


def test_every_module_stands_in_a_room():
    known = set(ROOMS) | GROUND | JOINERS | {"__init__", "__main__"}
    assert {room(module) for module in MODULES} - known == set()
