"""Ladders read back out of their drawings, and what the timeline says they must show; computed apart from the program.

A drawing becomes a list: a segment as a dict (frame, seconds, way, label, client, server, notes), a fold as a list of
such dicts, or the text that tells of it.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

RUNG = re.compile(
    r"^ *(?P<frame>\d+(?:\.\d+)?)  (?P<seconds>[ \d.-]*)  +(?P<client>[A-Z_\d]+|│) "
    r"(?:(?P<right>\S.*?) ─*▶|◀─* (?P<left>\S.*?)) (?P<server>[A-Z][A-Z_\d]+|│)(?: +(?P<notes>\S.*))?$"
)
MARKS = {True: "✓", False: "✗", None: "?"}
SVG = "{http://www.w3.org/2000/svg}"


def expected(rows):
    """What a ladder must show of each row of the timeline."""
    start = next((row["time"] for row in rows if row["time"] is not None), None)
    digits = 9 if any(row["time"] is not None and row["time"] % 1000 for row in rows) else 6
    return [one(row, start, digits) for row in rows]


def one(row, start, digits):
    raw = "S" in row["flags"]
    seq, ack = (row["seq"], row["ack"]) if raw else (row["rel_seq"], row["rel_ack"])
    label = row["flags"] or "none"
    label += f" seq {seq}" if seq is not None else ""
    label += f" ack {ack}" if ack is not None else ""
    label += f" len {row['payload_bytes']}" if row["payload_bytes"] else ""
    seconds = ""
    if row["time"] is not None:
        ns = row["time"] - start
        seconds = f"{'-' if ns < 0 else ''}{abs(ns) // 10**9}.{abs(ns) % 10**9:09d}"[: None if digits == 9 else -3]
    steps = [f"{step} {MARKS[ok]}" for step, ok in zip(row["steps"], row["steps_ok"], strict=True)]
    return {
        "frame": str(row["frame"]) + (f".{row['part']}" if row["part"] else ""),
        "seconds": seconds,
        "way": row["direction"],
        "label": label,
        "client": row["client_state"],
        "server": row["server_state"],
        "notes": [*steps, *row["anomalies"]],
    }


# -- text -------------------------------------------------------------------------------------------------------------


def of_text(text):
    """The segments of a drawing of 300 columns, where all notes stand beside their rung."""
    shown, states = [], {"client": "", "server": ""}
    for line in text.splitlines():
        found = RUNG.match(line)
        if not found:
            continue
        states |= {end: found[end] for end in states if found[end] != "│"}
        shown.append(
            {
                "frame": found["frame"],
                "seconds": found["seconds"].strip(),
                "way": "c2s" if found["right"] else "s2c",
                "label": found["right"] or found["left"],
                "notes": [note for note in re.split(r"  +", (found["notes"] or "")) if note],
                **states,
                "moved": [end for end in states if found[end] != "│"],
            }
        )
    return shown


def of_folds(text):
    """What a drawing says in the place of each folded run."""
    told, inside = [], False
    for line in text.splitlines():
        if "⋮" in line:
            told.append("")
            inside = True
        inside = inside and not RUNG.match(line)
        if inside:
            told[-1] += line + "  "
    return told


# -- HTML -------------------------------------------------------------------------------------------------------------


class Table(HTMLParser):
    """Rows of cells (class, rowspan, pieces of text), those of an inner table in the cell that holds it."""

    def __init__(self):
        super().__init__()
        self.rows, self.stack, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "tr":
            self.stack.append([])
        elif tag == "td":
            cell = {"class": given.get("class", ""), "span": int(given.get("rowspan", 1)), "text": [], "rows": []}
            self.stack[-1].append(cell)
            self.open.append(cell)

    def handle_endtag(self, tag):
        if tag == "td":
            self.open.pop()
        elif tag == "tr":
            row = self.stack.pop()
            (self.open[-1]["rows"] if self.open else self.rows).append(row)

    def handle_data(self, data):
        if self.open and data.strip():
            self.open[-1]["text"].append(data.strip())


def of_html(html):
    """The segments and folds of a page, each segment with the states whose cells span its row."""
    parser = Table()
    parser.feed(html)
    shown, standing = [], {"client": ("", 0), "server": ("", 0)}
    for row in (row for row in parser.rows if row):
        bands = [cell for cell in row if cell["class"].startswith("tf-state")]
        moved = [end for end in ("client", "server") if standing[end][1] == 0 and bands]
        for end in moved:
            cell = bands.pop(0)
            standing[end] = (cell["text"][0], cell["span"])
        assert not bands, "two states of one end in a row"
        segment = next(cell for cell in row if cell["class"] == "tf-segment")
        if segment["rows"]:
            shown.append([html_segment(inner) | states(standing) for inner in segment["rows"]])
        elif row[0]["text"]:
            shown.append(html_segment(row) | states(standing) | {"moved": moved})
        standing = {end: (state, max(left - 1, 0)) for end, (state, left) in standing.items()}
    return shown


def states(standing):
    return {end: state for end, (state, _) in standing.items()}


def html_segment(row):
    frame, time = row[:2]
    segment = next(cell for cell in row if cell["class"] == "tf-segment")
    notes = [text for cell in row if cell["class"] == "tf-notes" for text in cell["text"]]
    return {
        "frame": frame["text"][0],
        "seconds": "".join(time["text"]),
        "way": "c2s" if segment["text"][0] == "→ client to server:" else "s2c",
        "label": segment["text"][1],
        "notes": notes + segment["text"][2:],
    }


# -- SVG --------------------------------------------------------------------------------------------------------------


def of_svg(svg):
    """The segments of a picture: their texts by place, the states by the band beside them, and what is spoken."""
    root = ET.fromstring(svg)
    bands = [band for group in root.iter(f"{SVG}g") if (band := svg_band(group))]
    left = min(band["x"] for band in bands)
    shown = []
    for group in root.iter(f"{SVG}g"):
        title = group.find(f"{SVG}title")
        if title is None or not title.text.startswith("Frame "):
            continue
        top = float(re.search(r"translate\(0 ([\d.]+)\)", group.get("transform"))[1])
        arrow = next(path for path in group.iter(f"{SVG}path") if path.get("class") == "tf-rung")
        tail, high, head, low = map(float, re.findall(r"-?[\d.]+", arrow.get("d")))
        texts = [text.text or "" for text in group.findall(f"{SVG}text")]
        ends = {"client": high if tail < head else low, "server": low if tail < head else high}
        beside = {
            end: next(
                band["state"]
                for band in bands
                if (band["x"] == left) == (end == "client") and band["y"] <= top + y < band["y"] + band["height"]
            )
            for end, y in ends.items()
        }
        shown.append(
            {
                "frame": texts[0],
                "seconds": texts[1],
                "way": "c2s" if tail < head else "s2c",
                "label": texts[2],
                "notes": [text.text for inner in group.findall(f"{SVG}g") for text in inner if text.text.strip()],
                **beside,
                "spoken": title.text,
            }
        )
    return shown


def svg_band(group):
    title, rect = group.find(f"{SVG}title"), group.find(f"{SVG}rect")
    if title is None or rect is None:
        return None
    return {"state": title.text} | {name: float(rect.get(name)) for name in ("x", "y", "height")}


# -- what is asked of a connection ------------------------------------------------------------------------------------


def assert_shown(conn):
    """Unfolded, every drawing shows every segment of the timeline, and states begin where the timeline changes."""
    rows = conn.rows()
    want = expected(rows)
    begins = [
        [end for end in ("client", "server") if not i or row[end] != want[i - 1][end]] for i, row in enumerate(want)
    ]
    text, html = of_text(conn.ladder(width=300, unfold=True)), of_html(conn.ladder("html", unfold=True))
    assert [row.pop("moved") for row in text] == begins
    assert [row.pop("moved") for row in html] == begins
    assert text == want
    assert html == want
    svg = of_svg(conn.ladder("svg", unfold=True))
    spoken = [row.pop("spoken") for row in svg]
    assert svg == want
    for row, said in zip(want, spoken, strict=True):
        assert said.startswith(f"Frame {row['frame']}")
        assert f": {row['label']}; client {row['client']}, server {row['server']}" in said
        assert all(note.split()[0] in said for note in row["notes"])


def assert_folded(conn):
    """Folded, the segments that are shown and those inside folds are all of them, and folds tell their sums."""
    rows = conn.rows()
    shown = of_html(conn.ladder("html"))
    inside = [one for row in shown for one in (row if isinstance(row, list) else [row])]
    for row in inside:
        row.pop("moved", None)
    assert inside == expected(rows)
    told = of_folds(conn.ladder(width=300))
    folds = [row for row in shown if isinstance(row, list)]
    by_frame = {one["frame"]: row for one, row in zip(expected(rows), rows, strict=True)}
    assert len(told) == len(folds)
    for said, fold in zip(told, folds, strict=True):
        of_fold = [by_frame[one["frame"]] for one in fold]
        assert f"⋮ {len(fold):,} segments" in said
        with_data = sum(1 for row in of_fold if row["payload_bytes"])
        assert (f"{with_data} with data" in said) == (0 < with_data < len(fold))
        findings = [name for row in of_fold for name in row["anomalies"]]
        for name in set(findings):
            assert f"{findings.count(name):,} {name}" in said
        for way, sign in (("c2s", "{} ▶"), ("s2c", "◀ {}")):
            octets = sum(row["payload_bytes"] or 0 for row in of_fold if row["direction"] == way)
            assert not octets or sign.format(in_three_digits(octets)) in said


def in_three_digits(octets):
    """1204 as 1.2 kB."""
    if octets < 1000:
        return f"{octets} B"
    return f"{octets / 1000:.3g} kB" if octets < 999_500 else f"{octets / 1e6:.3g} MB"
