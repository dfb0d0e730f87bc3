"""The tests run against what they are meant to run against."""

import ast
import os
from pathlib import Path

import pytest

import tcptrace_py
from tcptrace_py.analysis import compiled

ROOT = Path(tcptrace_py.__file__).parent.parent
SOURCES = next(
    ast.literal_eval(node.value)
    for node in ast.parse((ROOT / "setup.py").read_text("utf-8")).body
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MODULES"
)
"""What is compiled, and of which files it is made."""


def libraries() -> dict[str, Path]:
    built = {name: list(ROOT.glob(f"{name[:-3]}.*.so")) for name in SOURCES}
    return {name: found[0] for name, found in built.items() if found}


@pytest.mark.skipif("TCPTRACE_PY_EXPECT" not in os.environ, reason="TCPTRACE_PY_EXPECT does not say what is expected")
def test_the_package_is_compiled_or_not_as_expected():
    assert ("compiled" if compiled() else "interpreted") == os.environ["TCPTRACE_PY_EXPECT"]


def with_all_it_imports(sources: list[str]) -> set[Path]:
    """These files and those of the package whose numbers they take over: compiled, these are constants."""
    found: set[Path] = set()
    waiting = [ROOT / source for source in sources]
    while waiting:
        path = waiting.pop()
        if path in found or not path.is_file():
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tcptrace_py"):
                at = ROOT.joinpath(*node.module.split("."))
                waiting += [at.with_suffix(".py"), *(at / f"{name.name}.py" for name in node.names)]
    return found


def test_no_compiled_module_is_older_than_its_source():
    stale = [
        f"{library.name} of {source.relative_to(ROOT)}"
        for name, library in libraries().items()
        for source in with_all_it_imports(SOURCES[name])
        if library.stat().st_mtime < source.stat().st_mtime
    ]
    assert stale == [], "a stale .so hides the edited .py: pip install -e . again"


def test_all_modules_are_compiled_or_none():
    built = list(libraries())
    assert built in ([], list(SOURCES))
    assert bool(built) == compiled()
    assert sorted(path.name for path in ROOT.glob("tcptrace_py/**/*.so")) == sorted(
        path.name for path in libraries().values()
    )


def test_every_file_of_compiled_code_is_listed():
    ours = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("tcptrace_py/*/_[a-z]*.py")}
    assert ours == {source for sources in SOURCES.values() for source in sources}
