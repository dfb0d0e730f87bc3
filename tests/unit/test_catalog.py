"""The catalog: everything declared is in it, and the reference page in the docs is the one it makes."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tcptrace_py.errors import ExitCode
from tcptrace_py.tables.schema import TABLES, WORDS
from tcptrace_py.views.catalog import SECTIONS, entries
from tcptrace_py.views.cli import app
from tcptrace_py.vocabulary import ANOMALIES

REFERENCE = Path(__file__).parent.parent.parent / "docs" / "reference.md"


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def catalog(*args):
    result = CliRunner().invoke(app, ["catalog", *args])
    return result.exit_code, result.stdout, result.stderr


def test_a_finding():
    assert catalog("duplicate_ack") == (
        0,
        """\
Findings
  duplicate_ack
      Data outstanding, no payload, SYN, FIN or RST, ack and window unchanged;
      or new SACK blocks and no more
      severity: note
      source: RFC 5681 section 2
      tshark: tcp.analysis.duplicate_ack
      tcptrace: dup acks
""",
        "",
    )


def test_a_column_that_two_tables_have():
    _, text, _ = catalog("window_raw")
    assert text == (
        "Table timeline\n"
        "  window_raw\n"
        "      Window as it stands in the header\n"
        "      type: uint16, may be null\n"
        "      tshark: tcp.window_size_value\n"
    )
    _, text, _ = catalog("community_id")
    assert "Zeek: community_id" in text


def test_names_are_found_however_they_are_written():
    assert catalog("TIME-WAIT") == catalog("time_wait") == catalog("TIME_WAIT")


def test_a_section():
    _, text, _ = catalog("severity")
    assert text.startswith("Severities\n  info\n      worth knowing, nothing wrong\n")
    _, text, _ = catalog("states")
    assert [row.strip() for row in text.splitlines() if row.startswith("  ") and row[2] != " "] == [
        column.name for column in TABLES["states"]
    ]


def test_an_unknown_name():
    code, out, err = catalog("duplicate_akc")
    assert (code, out) == (2, "")
    assert err.startswith("tcpflows: the catalog has no 'duplicate_akc'; did you mean duplicate_ack or ")


def test_json_has_everything_that_is_declared():
    document = json.loads(catalog("--format", "json")[1])
    known = {(entry["section"], entry["name"]) for entry in document["catalog"]}
    assert {("anomaly", anomaly.name) for anomaly in ANOMALIES} <= known
    assert {(table, column.name) for table, columns in TABLES.items() for column in columns} <= known
    assert {("exit", str(int(code))) for code in ExitCode} <= known
    for section in ("state", "step", "handshake", "teardown", "severity"):
        assert [name for where, name in sorted(known) if where == section] == sorted(WORDS[section])
    assert len(known) == len(document["catalog"])


def test_every_entry_has_a_meaning_and_a_section():
    for entry in entries():
        assert entry.meaning
        assert entry.section in SECTIONS


def test_the_reference_page_is_up_to_date():
    code, text, _ = catalog("--format", "markdown")
    assert code == 0
    assert REFERENCE.read_text(encoding="utf-8") == text, (
        f"make it again: tcpflows catalog --format markdown > docs{os.sep}reference.md"
    )


def test_the_reference_page_is_made_of_whole_tables():
    _, text, _ = catalog("--format", "markdown")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    for table in text.split("\n## ")[1:]:
        widths = {line.replace("\\|", "").count("|") for line in table.splitlines() if line.startswith("|")}
        assert len(widths) == 1
    assert len(rows) == len(list(entries())) + 2 * len(SECTIONS)
