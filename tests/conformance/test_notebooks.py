"""The notebooks run, and show what their text says.  CI also executes them in a kernel."""

import runpy
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def test_handshake_and_teardown(monkeypatch, capsys):
    monkeypatch.chdir(NOTEBOOKS)
    shown = runpy.run_path(str(NOTEBOOKS / "handshake_and_teardown.py"))
    assert shown["opening"]["steps"].map(list).to_list() == [["handshake_1"], ["handshake_2"], ["handshake_3"]]
    assert shown["handshake_holds"]
    assert shown["closing"]["steps"].map(list).to_list() == [[f"teardown_{step}"] for step in (1, 2, 3, 4)]
    assert shown["closing"]["client_state"].to_list() == ["FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT", "TIME_WAIT"]
    assert shown["shorter"]["steps"].map(list).to_list() == [
        ["teardown_1"],
        ["teardown_2", "teardown_3"],
        ["teardown_4"],
    ]
    last = shown["states"].set_index(["endpoint", "state"]).loc[("server", "CLOSED")]
    assert last.isna().to_dict() == {"entered_frame": False, "proved_frame": True, "left_frame": True}
    assert "handshake_1 ✓" in capsys.readouterr().out
