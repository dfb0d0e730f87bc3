"""Where the reference captures lie, for the tests that compare with them; those skip where the folder is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tcptrace_py.analysis import compiled

FOLDER = os.environ.get("TCPTRACE_PY_CORPUS", Path(__file__).resolve().parents[2] / "shared")
CORPUS = Path(os.path.abspath(FOLDER))  # noqa: PTH100 - as a batch names it: links stay


slow_interpreted = pytest.mark.skipif(
    not compiled(), reason="takes minutes where nothing is compiled, and says nothing that the compiled run does not"
)


def needs(name: str) -> list[pytest.MarkDecorator]:
    """Marks for a test module that uses one folder of the corpus."""
    absent = pytest.mark.skipif(not (CORPUS / name).is_dir(), reason=f"no reference folder {CORPUS / name}")
    return [pytest.mark.corpus, absent]
