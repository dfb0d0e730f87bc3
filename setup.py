"""The compiled part: the same .py files, compiled where there is a compiler, interpreted where there is none.

The files of the tracker become one module, `tracker/_joined`, since a C compiler cannot inline a call into another
module, and a segment takes some twenty calls (see docs/decisions/0008-one-module-for-the-tracker.md).
"""

import ast
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from setuptools import Extension, setup

COMPILED = [
    "tcptrace_py/capture/_scan.py",
    "tcptrace_py/decode/_batch.py",
    "tcptrace_py/decode/_decode.py",
    "tcptrace_py/flows/_table.py",
]
TRACKER = [  # in this order: each knows those before it
    "tcptrace_py/tracker/_recovery.py",
    "tcptrace_py/tracker/_state.py",
    "tcptrace_py/tracker/_rings.py",
    "tcptrace_py/tracker/_segment.py",
    "tcptrace_py/tracker/_evidence.py",
    "tcptrace_py/tracker/_sequence.py",
    "tcptrace_py/tracker/_follow.py",
    "tcptrace_py/tracker/_resets.py",
    "tcptrace_py/tracker/_lives.py",
    "tcptrace_py/tracker/_copies.py",
    "tcptrace_py/tracker/_departed.py",
    "tcptrace_py/tracker/_track.py",
]
JOINED = Path("tcptrace_py/tracker/_joined.py")  # under build/; its .pxd is in the tree


def statements(path: str) -> Iterator[tuple[ast.stmt, str]]:
    """The statements of a file, with their lines."""
    text = Path(path).read_text(encoding="utf-8")
    lines = text.splitlines()
    for node in ast.parse(text).body:
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
        yield node, "\n".join(lines[first - 1 : node.end_lineno])


def joined(paths: list[str]) -> str:
    """One source of many: without their imports of each other, and a constant that several have but once."""
    said: dict[str, str] = {}
    parts = ["from __future__ import annotations", "import cython"]
    for path in paths:
        parts.append(f"\n# {path}\n")
        for node, source in statements(path):
            if isinstance(node, ast.Expr | ast.Try | ast.If) or getattr(node, "module", "") == "__future__":
                continue  # the docstring; `import cython` or its shim; what only an uncompiled file imports
            name = getattr(node, "name", "") or (ast.unparse(node.targets[0]) if isinstance(node, ast.Assign) else "")
            if name and said.setdefault(name, source) is not source:
                if said[name] != source:
                    raise ValueError(f"{path}: {name} means something else in a file before it")
                continue
            parts.append(source)
    return "\n".join(parts) + "\n"


def sources() -> list[Extension]:
    """One extension a module; the joined source is written first."""
    made = "build" / JOINED
    made.parent.mkdir(parents=True, exist_ok=True)
    made.write_text(joined(TRACKER), encoding="utf-8")
    shutil.copy(JOINED.with_suffix(".pxd"), made.with_suffix(".pxd"))
    modules = {path[: -len(".py")].replace("/", "."): path for path in COMPILED}
    modules[".".join(JOINED.with_suffix("").parts)] = str(made)
    flags = [
        *os.environ.get("TCPTRACE_PY_CFLAGS", "-O3 -g0").split(),
        "-ffp-contract=off",
    ]  # scripts/asan.sh has others
    return [Extension(name, [path], extra_compile_args=flags) for name, path in modules.items()]


def extensions() -> list[Extension]:
    """The compiled modules, optional unless TCPTRACE_PY_REQUIRE_COMPILED is 1."""
    try:
        from Cython.Build import cythonize
    except ModuleNotFoundError:
        return []
    directives = {"language_level": 3, "cdivision": True, "wraparound": False, "initializedcheck": False}
    found = cythonize(sources(), build_dir="build/cython", compiler_directives=directives)
    for extension in found:  # after cythonize(), which drops Extension(optional=True)
        extension.optional = os.environ.get("TCPTRACE_PY_REQUIRE_COMPILED") != "1"
    return found


setup(ext_modules=extensions())
