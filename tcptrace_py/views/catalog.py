"""The catalog: every word and every column that a user can meet, with its meaning and its equivalents elsewhere.

Made from the declarations in `vocabulary`, `errors` and `tables.schema`; says nothing of its own.
"""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, NamedTuple

from tcptrace_py.errors import EXIT_MEANING, UsageError
from tcptrace_py.options import BOUNDS, FIXED, Bound
from tcptrace_py.tables.audit import AUDITED_CONNECTIONS, AUDITED_FLOWS
from tcptrace_py.tables.disagreements import DISAGREEMENTS
from tcptrace_py.tables.on_demand import ON_DEMAND
from tcptrace_py.tables.parity import VIEWS
from tcptrace_py.tables.schema import SCHEMA_VERSION, TABLES, Column
from tcptrace_py.views.ink import Line, Part, line
from tcptrace_py.views.where import nearest
from tcptrace_py.vocabulary import (
    ANOMALIES,
    EVIDENCE_MEANING,
    HANDSHAKE_MEANING,
    ROLES_MEANING,
    SEVERITY_MEANING,
    STATE_MEANING,
    STEP_MEANING,
    TEARDOWN_MEANING,
    UNUSED_MEANING,
    Anomaly,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class Entry(NamedTuple):
    """One word: the section it stands in, its meaning, and what else is known of it."""

    section: str
    name: str
    meaning: str
    facts: dict[str, str]


PLAIN_WORDS: dict[str, dict[str, str]] = {
    "handshake": {str(word): meaning for word, meaning in HANDSHAKE_MEANING.items()},
    "teardown": {str(word): meaning for word, meaning in TEARDOWN_MEANING.items()},
    "roles_from": {str(word): meaning for word, meaning in ROLES_MEANING.items()},
    "severity": {word.name: meaning for word, meaning in SEVERITY_MEANING.items()},
    "unused": {word.name: meaning for word, meaning in UNUSED_MEANING.items()},
    "exit": {str(int(code)): meaning for code, meaning in EXIT_MEANING.items()},
}
SECTIONS = {
    "state": "States of an endpoint (RFC 9293 section 3.3.2)",
    "step": "Steps of handshake and teardown",
    "handshake": "How a connection was opened",
    "teardown": "How a connection was closed",
    "roles_from": "What told client from server",
    "severity": "Severities",
    "anomaly": "Findings",
    "evidence": "Evidence that decides what a segment is",
    "unused": "Why a packet was not used",
    "bound": "Bounds on memory and time (`--limit NAME=NUMBER`)",
    "exit": "Exit codes",
    **{table: f"Table `{table}`" for table in TABLES},
    "population": "Table `population` (`tcpflows states`)",
    "standing": "Table `standing` (`tcpflows states --at`)",
    "throughput": "Table `throughput` (the graph of that name in `tcpflows report`)",
    "disagreements": "Disagreements with other programs (`tcpflows compare-tools`)",
    "audited_connections": "What a table of flows did to connections (`tcpflows audit`)",
    "audited_flows": "What each row of a table of flows is (`tcpflows audit --table flows`)",
    **{view: f"View `{view}` (`--schema {view}`)" for view in VIEWS},
}
AUDITED = {"audited_connections": AUDITED_CONNECTIONS, "audited_flows": AUDITED_FLOWS}
FACTS = (
    "default",
    "when reached",
    "marks",
    "severity",
    "source",
    "one direction",
    "type",
    "unit",
    "values",
    "tshark",
    "Zeek",
    "tcptrace",
)


def entries() -> Iterator[Entry]:
    """Everything, section by section."""
    yield from (Entry("state", state.name, meaning, {}) for state, meaning in STATE_MEANING.items())
    for step, (meaning, source) in STEP_MEANING.items():
        yield Entry("step", step.name, meaning, {"source": source})
    for evidence, (meaning, source) in EVIDENCE_MEANING.items():
        if source:
            yield Entry("evidence", evidence.name, meaning, {"source": source})
    for section, words in PLAIN_WORDS.items():
        for word, meaning in words.items():
            yield Entry(section, word, meaning, {})
    yield from (Entry("bound", bound.name, bound.meaning, _bound_facts(bound)) for bound in BOUNDS)
    yield from (Entry("bound", bound.name, bound.meaning, _bound_facts(bound)) for bound in FIXED.values())
    for anomaly in ANOMALIES:
        yield Entry("anomaly", anomaly.name, anomaly.condition, _anomaly_facts(anomaly))
    views = {name: view.columns for name, view in VIEWS.items()}
    tables = {**TABLES, **ON_DEMAND, "disagreements": DISAGREEMENTS, **AUDITED, **views}
    for table, columns in tables.items():
        for column in columns:
            yield Entry(table, column.name, column.meaning, _column_facts(column))


def _bound_facts(bound: Bound) -> dict[str, str]:
    how = "fixed" if bound.name in FIXED else "default"
    return _known({how: str(bound.default), "when reached": bound.reached, "marks": bound.mark})


def _anomaly_facts(anomaly: Anomaly) -> dict[str, str]:
    facts = {
        "severity": anomaly.severity.name,
        "source": anomaly.source,
        "one direction": "enough" if anomaly.one_sided else "",
    }
    return _known(facts | _elsewhere(anomaly))


def _column_facts(column: Column) -> dict[str, str]:
    values = "" if column.words in {"anomaly", ""} else ", ".join(column.values)
    facts = {
        "type": column.type + (", may be null" if column.nullable else ""),
        "unit": column.unit,
        "values": values or (column.words and "the names of findings"),
    }
    return _known(facts | _elsewhere(column))


def _elsewhere(declared: Anomaly | Column) -> dict[str, str]:
    return {"tshark": declared.tshark, "Zeek": declared.zeek, "tcptrace": declared.tcptrace}


def _known(facts: dict[str, str]) -> dict[str, str]:
    return {name: fact for name, fact in facts.items() if fact}


def found(name: str | None) -> list[Entry]:
    """The entries of that name or section; all without a name."""
    known = list(entries())
    if name is None:
        return known
    wanted = name.replace("-", "_").casefold()
    hits = [entry for entry in known if wanted in {entry.name.casefold(), entry.section}]
    if not hits:
        names = {entry.name for entry in known} | set(SECTIONS)
        raise UsageError(f"the catalog has no {name!r}{nearest(name, names)}")
    return hits


def as_lines(chosen: list[Entry], width: int) -> Iterator[Line]:
    """Entries for reading on a terminal; the facts too where they are few."""
    short = len(chosen) > 3  # noqa: PLR2004 - more would not fit a screen with all their facts
    section = ""
    for entry in chosen:
        if entry.section != section:
            if section:
                yield []
            section = entry.section
            yield line(Part(SECTIONS[section].replace("`", ""), "heading"))
        style = entry.facts.get("severity") or (entry.name if section == "severity" else "")
        yield line("  ", Part(entry.name, style))
        facts = [] if short else [f"{name}: {fact}" for name, fact in entry.facts.items()]
        for text in (entry.meaning, *facts):
            yield from (line("      ", row) for row in textwrap.wrap(text, max(width - 6, 20)))


def as_json(chosen: list[Entry]) -> str:
    """Entries as one JSON document."""
    return json.dumps(
        {"schema_version": SCHEMA_VERSION, "catalog": [entry._asdict() for entry in chosen]},
        indent=1,
        ensure_ascii=False,
    )


def as_markdown(chosen: list[Entry]) -> str:
    """Entries as a reference page."""
    pages = ["# Reference\n\nEvery word and every column, generated by `tcpflows catalog --format markdown`.\n"]
    for section, title in SECTIONS.items():
        rows = [entry for entry in chosen if entry.section == section]
        if rows:
            pages.append(f"## {title}\n\n" + "\n".join(_markdown_table(rows)) + "\n")
    return "\n".join(pages)


def _markdown_table(rows: list[Entry]) -> Iterator[str]:
    facts = [name for name in FACTS if any(name in entry.facts for entry in rows)]
    head = ["name", "meaning", *facts]
    yield _row(head)
    yield _row(["---"] * len(head))
    for entry in rows:
        yield _row([f"`{entry.name}`", entry.meaning, *(entry.facts.get(name, "") for name in facts)])


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
