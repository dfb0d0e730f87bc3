"""The declarations of the tables: complete, consistent, cheap to load, and the same in Arrow."""

import subprocess
import sys

import pytest

from tcptrace_py.tables.schema import TABLES, WORDS, arrow_schema, flag_letters
from tcptrace_py.vocabulary import ANOMALIES, BY_NAME, SEGMENT_ANOMALIES, State, Unused

COLUMNS = [(table, column) for table, columns in TABLES.items() for column in columns]
KINDS = {
    *("bool", "uint8", "uint16", "uint32", "uint64", "int64", "float64"),
    *("time", "label", "text", "binary16", "labels", "numbers", "bools"),
}


def test_the_five_tables_in_the_order_of_the_design():
    assert list(TABLES) == ["captures", "connections", "timeline", "states", "events"]


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=lambda value: getattr(value, "name", value))
def test_a_column_is_declared_in_full(table, column):
    assert column.type in KINDS
    assert column.name.islower()
    assert column.name.isidentifier()
    assert len(column.meaning) > 8
    assert "SIDE" not in column.meaning
    assert "PEER" not in column.meaning
    assert not column.meaning.endswith(".")
    assert column.name.endswith("_ns") == (column.unit == "ns")


@pytest.mark.parametrize("table", TABLES)
def test_names_are_unique(table):
    names = [column.name for column in TABLES[table]]
    assert len(names) == len(set(names))


def test_every_reason_for_not_using_a_packet_has_its_column():
    names = [column.name for column in TABLES["captures"] if column.name.startswith("unused_")]
    assert names == [f"unused_{reason.name}" for reason in Unused]


def test_both_directions_of_a_connection_have_the_same_columns():
    names = [column.name for column in TABLES["connections"]]
    up, down = ([name[4:] for name in names if name.startswith(way)] for way in ("c2s_", "s2c_"))
    assert up == down
    assert len(up) == 37


def test_a_stored_label_is_the_number_in_the_vocabulary():
    assert [WORDS["state"].index(state.name) for state in State] == [int(state) for state in State]
    assert WORDS["anomaly"] == tuple(BY_NAME)


def test_arrow_types():
    schema = arrow_schema("timeline")
    assert schema.names == [column.name for column in TABLES["timeline"]]
    types = {name: str(schema.field(name).type) for name in schema.names}
    assert types["time"] == "timestamp[ns, tz=UTC]"
    assert types["client_state"] == "dictionary<values=string, indices=int8, ordered=0>"
    assert types["capture"] == "dictionary<values=string, indices=int16, ordered=0>"
    assert types["steps"] == "list<item: string>"
    assert types["steps_ok"] == "list<item: bool>"
    assert types["frame"] == "uint64"
    assert str(arrow_schema("connections").field("client_addr").type) == "fixed_size_binary[16]"
    assert schema.field("ack").nullable
    assert not schema.field("frame").nullable


def test_the_schema_says_its_version():
    assert arrow_schema("events").metadata == {
        b"tcptrace_py.table": b"events",
        b"tcptrace_py.schema_version": b"1",
    }


def test_some_columns_of_a_table():
    assert arrow_schema("states", ["state", "conn_id"]).names == ["state", "conn_id"]


@pytest.mark.parametrize(
    ("raw", "letters"),
    [(0, ""), (0x02, "S"), (0x12, "SA"), (0x18, "PA"), (0x11, "FA"), (0x14, "RA"), (0xC2, "SEC"), (0x1FF, "FSRPAUECN")],
)
def test_flags_as_letters(raw, letters):
    assert flag_letters(raw) == letters


def test_the_declarations_load_nothing_heavy():
    code = "import sys, tcptrace_py.tables.schema; print(sorted({'numpy', 'pandas', 'pyarrow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_codes_of_segment_anomalies_are_their_places():
    assert [anomaly.code for anomaly in ANOMALIES if anomaly.code < SEGMENT_ANOMALIES] == list(range(64))
