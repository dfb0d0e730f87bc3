"""The compiled part: the same .py files, compiled where there is a compiler, interpreted where there is none.

Two things are done to the files on their way, in copies under build/; nothing else knows of it.  Files that call each
other become one module, since a C compiler cannot inline a call into another, and a segment takes some twenty calls in
the tracker alone (docs/decisions/0008-one-module-for-the-tracker.md).  And numbers declared once become
constants of the C compiler, which would otherwise read a variable at every flag that is tested
(docs/decisions/0017-constants-of-the-compiler.md).
"""

import ast
import ctypes
import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

from setuptools import Extension, setup

MODULES = {  # each made of files in this order: each knows those before it
    "tcptrace_py/capture/_scan.py": ["tcptrace_py/capture/_scan.py"],
    "tcptrace_py/decode/_batch.py": ["tcptrace_py/decode/_batch.py"],
    "tcptrace_py/decode/_decode.py": [
        "tcptrace_py/decode/_numbers.py",
        "tcptrace_py/decode/_checksum.py",
        "tcptrace_py/decode/_options.py",
        "tcptrace_py/decode/_decode.py",
    ],
    "tcptrace_py/flows/_table.py": ["tcptrace_py/flows/_table.py"],
    "tcptrace_py/tracker/_joined.py": [
        "tcptrace_py/tracker/_recovery.py",
        "tcptrace_py/tracker/_state.py",
        "tcptrace_py/tracker/_rings.py",
        "tcptrace_py/tracker/_ledger.py",
        "tcptrace_py/tracker/_segment.py",
        "tcptrace_py/tracker/_order.py",
        "tcptrace_py/tracker/_resends.py",
        "tcptrace_py/tracker/_answers.py",
        "tcptrace_py/tracker/_sequence.py",
        "tcptrace_py/tracker/_follow.py",
        "tcptrace_py/tracker/_resets.py",
        "tcptrace_py/tracker/_lives.py",
        "tcptrace_py/tracker/_copies.py",
        "tcptrace_py/tracker/_departed.py",
        "tcptrace_py/tracker/_header.py",
        "tcptrace_py/tracker/_totals.py",
        "tcptrace_py/tracker/_roster.py",
        "tcptrace_py/tracker/_track.py",
    ],
}
MADE = Path("build/sources")
NUMBERS = {  # types of numbers that are declared once: their name in C, and what such a number is
    "uchar": ("unsigned char", ctypes.c_ubyte),
    "int": ("int", ctypes.c_int),
    "uint": ("unsigned int", ctypes.c_uint),
    "long": ("long", ctypes.c_long),
    "longlong": ("long long", ctypes.c_longlong),
    "ulonglong": ("unsigned long long", ctypes.c_ulonglong),
    "Py_ssize_t": ("Py_ssize_t", ctypes.c_ssize_t),
}


class FromSource(importlib.abc.MetaPathFinder):
    """The package's own modules from this folder and not compiled, whatever may be installed or lie beside them."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG002
        """Where the module's source is."""
        at = Path(*name.split("."))
        if at.parts[0] != "tcptrace_py":
            return None
        if at.is_dir():
            return importlib.util.spec_from_file_location(
                name, at / "__init__.py", submodule_search_locations=[str(at)]
            )
        if not at.with_suffix(".py").is_file():
            raise ModuleNotFoundError(f"no source of {name}", name=name)
        return importlib.util.spec_from_file_location(name, at.with_suffix(".py"))


def statements(path: str) -> Iterator[tuple[ast.stmt, str]]:
    """The statements of a file, with their lines."""
    text = Path(path).read_text(encoding="utf-8")
    lines = text.splitlines()
    for node in ast.parse(text).body:
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
        yield node, "\n".join(lines[first - 1 : node.end_lineno])


def number(node: ast.stmt) -> str:
    """The type of a number that the statement declares, as `NAME = cython.declare(cython.TYPE, VALUE)` does."""
    match node:
        case ast.Assign(value=ast.Call(func=ast.Attribute(attr="declare"), args=[ast.Attribute(attr=kind), _])) if (
            kind in NUMBERS
        ):
            return kind
    return ""


def joined(paths: list[str]) -> tuple[str, dict[str, str]]:
    """One source of many, and the numbers they declare (name -> type).

    Without their imports of each other; a constant that several have stands there but once.
    """
    said: dict[str, str] = {}
    numbers: dict[str, str] = {}
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
            if kind := number(node):
                numbers[name] = kind
            else:
                parts.append(source)
    return "\n".join(parts) + "\n", numbers


def constants(numbers: dict[str, str], paths: list[str], prefix: str) -> str:
    """What the .pxd says of numbers: that C has them, and as what; their values are those of the files, uncompiled."""
    values = {}
    for path in paths:
        values |= vars(importlib.import_module(".".join(Path(path).with_suffix("").parts)))
    macros, names = [], []
    for name, kind in numbers.items():
        in_c, as_c = NUMBERS[kind]
        if as_c(values[name]).value != values[name]:
            raise ValueError(f"{paths}: {name} = {values[name]} does not fit its type")
        macros.append(f"    #define {prefix}_{name} (({in_c}) {values[name]}{'ULL' if values[name] >= 0 else 'LL'})")
        names.append(f'    {in_c} {name} "{prefix}_{name}"')
    return "\n".join(["\ncdef extern from *:", '    """', *macros, '    """', *names]) + "\n"


def sources() -> list[Extension]:
    """One extension a module, its source written first."""
    flags = [
        *os.environ.get("TCPTRACE_PY_CFLAGS", "-O3 -g0 -DNDEBUG -fwrapv").split(),
        "-ffp-contract=off",
    ]  # scripts/asan.sh has others
    found = []
    for path, paths in MODULES.items():
        parts = Path(path).with_suffix("").parts
        made = MADE / path
        made.parent.mkdir(parents=True, exist_ok=True)
        for package in (made.parent, made.parent.parent):  # or Cython would prefer the .pxd files of the tree
            (package / "__init__.py").touch()
        text, numbers = joined(paths)
        made.write_text(text, encoding="utf-8")
        shape = Path(path).with_suffix(".pxd")
        known = shape.read_text(encoding="utf-8") if shape.is_file() else ""
        made.with_suffix(".pxd").write_text(known + constants(numbers, paths, "_".join(parts)), encoding="utf-8")
        found.append(Extension(".".join(parts), [str(made)], extra_compile_args=flags))
    return found


def extensions() -> list[Extension]:
    """The compiled modules, optional unless TCPTRACE_PY_REQUIRE_COMPILED is 1."""
    try:
        from Cython.Build import cythonize
    except ModuleNotFoundError:
        return []
    directives = {"language_level": 3, "cdivision": True, "wraparound": False, "initializedcheck": False}
    sys.meta_path.insert(0, FromSource())
    found = cythonize(
        sources(), build_dir="build/cython", include_path=[str(MADE), "."], compiler_directives=directives
    )
    for extension in found:  # after cythonize(), which drops Extension(optional=True)
        extension.optional = os.environ.get("TCPTRACE_PY_REQUIRE_COMPILED") != "1"
    return found


setup(ext_modules=extensions())
