"""What a story must say of a connection, and must not: computed from the tables, apart from the program."""

from __future__ import annotations

from tcptrace_py.views.story.language import Language
from tcptrace_py.views.story.said import Instant, Said, Span

STEP = "step {number} {verdict}"  # its number is part of the step's name


def parts(said):
    """A sentence and all that is inside it."""
    yield said
    for value in said.values.values():
        if isinstance(value, Said):
            yield from parts(value)


def all_said(told_sections):
    for section in told_sections:
        yield from parts(section.heading)
        for paragraph in section.paragraphs:
            for said in (*paragraph.said, *([paragraph.mark] if paragraph.mark else [])):
                yield from parts(said)


def numbers(said):
    """Every number in a sentence, as the column has it."""
    for value in said.values.values():
        if isinstance(value, Span | Instant):
            yield value.ns
        elif isinstance(value, int):
            yield value
    if said.plural:
        yield said.number


def foreign_numbers(conn, sections):
    """The numbers in a story that are no column of the connection."""
    table = [conn.record, *conn.rows()]
    for kind in ("events", "states"):
        rows = conn.trace.arrow(kind)
        for name in [field.name for field in rows.schema if str(field.type).startswith("timestamp")]:
            rows = rows.drop_columns([name])
        table += rows.to_pylist()
    known = {value for row in table for value in row.values() if isinstance(value, int)}
    found = {number for said in all_said(sections) if said.message != STEP for number in numbers(said)}
    return found - known


def untold(conn, sections):
    """Steps, findings and changes of states that a story leaves out."""
    language = Language()
    said = list(all_said(sections))
    text = "\n".join(language.sentence(one) for one in said)
    missing = {row["frame"] for row in conn.rows() if row["steps"] and f"frame {row['frame']}" not in text}
    missing |= {name for name in conn.record["findings"] if name not in text}
    states = [one.values["state"] for section in sections[:-1] for one in all_said([section]) if "state" in one.values]
    before = {}
    for row in conn.rows():
        for end in ("client_state", "server_state"):
            if row[end] != before.get(end) and row[end] not in states:
                missing.add((row["frame"], end))
            before[end] = row[end]
    return missing
