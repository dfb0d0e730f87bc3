"""The compiled part: the same .py files, compiled where there is a compiler, interpreted where there is none."""

import os
from pathlib import Path

from setuptools import Extension, setup

COMPILED = [
    "tcptrace_py/capture/_scan.py",
    "tcptrace_py/decode/_batch.py",
    "tcptrace_py/decode/_decode.py",
    "tcptrace_py/flows/_table.py",
    "tcptrace_py/tracker/_recovery.py",
    "tcptrace_py/tracker/_state.py",
    "tcptrace_py/tracker/_segment.py",
    "tcptrace_py/tracker/_rings.py",
    "tcptrace_py/tracker/_evidence.py",
    "tcptrace_py/tracker/_sequence.py",
    "tcptrace_py/tracker/_follow.py",
    "tcptrace_py/tracker/_resets.py",
    "tcptrace_py/tracker/_lives.py",
    "tcptrace_py/tracker/_track.py",
]


def extensions() -> list[Extension]:
    """The compiled modules, optional unless TCPTRACE_PY_REQUIRE_COMPILED is 1."""
    try:
        from Cython.Build import cythonize
    except ModuleNotFoundError:
        return []
    sources = [
        Extension(name.replace("/", ".")[:-3], [name], extra_compile_args=["-O3", "-g0", "-ffp-contract=off"])
        for name in COMPILED
        if Path(name).exists()
    ]
    directives = {"language_level": 3, "cdivision": True, "wraparound": False, "initializedcheck": False}
    found = cythonize(sources, build_dir="build/cython", compiler_directives=directives)
    for extension in found:  # after cythonize(), which drops Extension(optional=True)
        extension.optional = os.environ.get("TCPTRACE_PY_REQUIRE_COMPILED") != "1"
    return found


setup(ext_modules=extensions())
