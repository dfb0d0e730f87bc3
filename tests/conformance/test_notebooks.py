"""The notebooks run, and show what their text says.  CI also executes them in a kernel."""

import runpy
from pathlib import Path

import pytest

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


def test_finding_loss(monkeypatch):
    monkeypatch.chdir(NOTEBOOKS)
    shown = runpy.run_path(str(NOTEBOOKS / "finding_loss.py"))
    assert shown["quality"]["status"] == "ok"
    assert shown["lacking"] == 0
    assert shown["lost_octets"] == shown["came_again"] == 3 * 1448
    assert shown["loss"]["basis"].dropna().unique().tolist() == ["ip_id"]
    assert all(18 < delay.total_seconds() * 1000 < 25 for delay in shown["delays"])
    assert set(shown["resent"]["basis"]) == {"octets", "sack"}
    assert shown["hole"] == shown["resent_range"]
    assert len(shown["repeated"]) >= 3
    assert shown["begun"][1:] == [61, 88, 116]
    assert shown["most"][3] <= shown["most"][0] / 2
    assert shown["share"] > 0.9
    assert shown["numbers"]["c2s_retransmissions"] == 1
    sizes = shown["numbers"]["c2s_octets"], shown["sender"].connections["s2c_unique_octets"].iloc[0]
    times = shown["numbers"]["duration_ns"], shown["sender"].connections["duration_ns"].iloc[0]
    assert sizes[1] / times[1] > 20 * sizes[0] / times[0]
    assert "zero_window" in shown["page"].read_text("utf-8")


def test_the_textbook_is_in_the_first_notebook(monkeypatch):
    monkeypatch.chdir(NOTEBOOKS)
    shown = runpy.run_path(str(NOTEBOOKS / "handshake_and_teardown.py"))
    assert shown["textbook"].timeline["steps"].map(list).to_list() == [
        *([f"handshake_{step}"] for step in (1, 2, 3)),
        *([f"teardown_{step}"] for step in (1, 2, 3, 4)),
    ]
    assert shown["textbook"].timeline["steps_ok"].map(list).to_list()[1:3] == [[True], [True]]


def test_archive_as_dataset(monkeypatch):
    pytest.importorskip("duckdb")
    monkeypatch.chdir(NOTEBOOKS)
    shown = runpy.run_path(str(NOTEBOOKS / "archive_as_dataset.py"))
    assert (dict(shown["done"].counts), shown["done"].connections) == ({"ok": 25}, 28)
    assert shown["again"].files_kept == shown["again"].files
    assert shown["shapes"]["connections"].sum() == 28
    assert shown["slow"]["syn_count"].to_list()[:2] == [2, 2]
    assert shown["lost"]["resent"].is_monotonic_decreasing
    assert shown["refused"].to_pylist() == [{"client_ip": "10.9.0.1", "server_port": 80}]
    assert sum(shown["histogram"].values()) > 100
    assert shown["before"][0] == 28
    assert (shown["compaction"].before, shown["compaction"].after) == (125, 5)
    assert len(shown["features"]) == 3
    assert not shown["path"].exists()
