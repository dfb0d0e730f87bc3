"""A page read back: its elements, tables as lists of cells, what its scripts hold.  Knows nothing of who made it."""

from __future__ import annotations

import base64
import json
import zlib
from html.parser import HTMLParser


class Page(HTMLParser):
    """Elements in order, the text of scripts and styles, and the tables."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.raw, self.tables, self.text = [], [], [], []
        self._row = self._cell = self._table = None
        self._open, self._inside = [], False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        known = dict(attributes)
        self.elements.append((tag, known))
        if tag in ("script", "style"):
            self.raw.append((tag, known, []))
            self._inside = True
        if tag == "table":
            self._open.append((self._table, self._row, self._cell))
            self._table, self._row, self._cell = {"attributes": known, "rows": []}, None, None
            self.tables.append(self._table)
        elif tag == "tr" and self._table is not None:
            self._row, self._cell = [], None
            self._table["rows"].append(self._row)
        elif tag in ("td", "th") and self._row is not None:
            self._cell = {"tag": tag, "attributes": known, "text": "", "links": []}
            self._row.append(self._cell)
        elif tag == "a" and self._cell is not None:
            self._cell["links"].append(known.get("href"))

    def handle_endtag(self, tag):
        if tag == "table":
            self._table, self._row, self._cell = self._open.pop()
        elif tag in ("td", "th", "tr"):
            self._cell = None
        elif tag in ("script", "style"):
            self._inside = False

    def handle_data(self, data):
        if self._inside:
            self.raw[-1][2].append(data)
            return
        self.text.append(data)
        if self._cell is not None:
            self._cell["text"] += data

    def table(self, **wanted):
        """The first table with these attributes (class_ for class)."""
        return next(
            table
            for table in self.tables
            if all(table["attributes"].get(name.rstrip("_")) == value for name, value in wanted.items())
        )

    def grid(self, *names):
        """The rows of the first table whose head has these names, as dictionaries of texts."""
        for table in self.tables:
            head = [cell["text"].strip() for cell in table["rows"][0]] if table["rows"] else []
            if all(name in head for name in names):
                return [
                    dict(zip(head, [cell["text"].strip() for cell in row], strict=False)) for row in table["rows"][1:]
                ]
        raise AssertionError(f"no table with {names}")

    def scripts(self, kind):
        """Attributes and text of the scripts, or styles, of that type (None: the ordinary one)."""
        return [
            (known, "".join(text)) for tag, known, text in self.raw if tag == "script" and known.get("type") == kind
        ]

    def held(self, name):
        """The data of the graphs of that name, and its columns, unpacked the slow way."""
        (text,) = [text for known, text in self.scripts("application/json") if known["id"] == name]
        held = json.loads(text)
        data, at, columns = zlib.decompress(base64.b64decode(held["packed"])), 0, {}
        for column, rows, planes in held["columns"]:
            value, values = 0, []
            for row in range(rows):
                folded = sum(data[at + plane * rows + row] << 8 * plane for plane in range(planes))
                value += -(folded + 1) // 2 if folded % 2 else folded // 2
                values.append(value)
            columns[column] = values
            at += rows * planes
        assert at == len(data)
        return held, columns
