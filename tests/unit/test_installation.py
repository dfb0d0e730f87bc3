"""The tests run against what they are meant to run against."""

import os
import re
from pathlib import Path

import pytest

import tcptrace_py
from tcptrace_py.analysis import compiled

PACKAGE = Path(tcptrace_py.__file__).parent


@pytest.mark.skipif("TCPTRACE_PY_EXPECT" not in os.environ, reason="TCPTRACE_PY_EXPECT does not say what is expected")
def test_the_package_is_compiled_or_not_as_expected():
    assert ("compiled" if compiled() else "interpreted") == os.environ["TCPTRACE_PY_EXPECT"]


def test_no_compiled_module_is_older_than_its_source():
    built = [(library, library.parent / f"{library.name.partition('.')[0]}.py") for library in PACKAGE.rglob("*.so")]
    stale = [library.name for library, source in built if library.stat().st_mtime < source.stat().st_mtime]
    assert stale == [], "a stale .so hides the edited .py: pip install -e . again"


def test_all_modules_are_compiled_or_none():
    setup = (PACKAGE.parent / "setup.py").read_text("utf-8")
    listed = re.findall(r'"(tcptrace_py/.+?\.py)"', setup)
    built = [name for name in listed if list(PACKAGE.parent.glob(f"{name[:-3]}.*.so"))]
    assert built in ([], listed)
    assert (len(listed) > 5, bool(built)) == (True, compiled())
