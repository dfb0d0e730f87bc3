"""The table of disagreements with other programs, declared; `peers` finds its rows."""

from __future__ import annotations

from tcptrace_py.tables.schema import Column

DISAGREEMENTS = (
    Column("capture", "label", "", "File that both read"),
    Column("tool", "label", "", "tshark or tcptrace"),
    Column("frame", "uint64", "", "Frame; null for a counter of a connection", nullable=True),
    Column("conn_id", "uint32", "", "Our connection; null where we have none", nullable=True),
    Column("direction", "label", "", "c2s or s2c; null for a whole connection", words="direction", nullable=True),
    Column("label", "label", "", "What they disagree on: tshark's name of a flag or field, or our name of a counter"),
    Column("ours", "text", "", "What we say; null for nothing (round trips in ns)", nullable=True),
    Column("theirs", "text", "", "What the tool says; null for nothing", nullable=True),
    Column("rule", "text", "", "Rule that explains it (docs/disagreements.md); null where none does", nullable=True),
    Column("basis", "label", "", "Kind of evidence that decided our label", words="evidence", nullable=True),
    Column("evidence", "text", "", "Our findings on the segment in words, or the numbers that it was judged by"),
    Column("reason", "text", "", "Why we say what we say, by the rule", nullable=True),
)
