"""What several modules of these tests ask for."""

import pytest


@pytest.fixture
def without_advice(monkeypatch):
    """Uncompiled, the command says so on standard error; here it keeps that to itself."""
    monkeypatch.setattr("tcptrace_py.analysis.compiled", lambda: True)
