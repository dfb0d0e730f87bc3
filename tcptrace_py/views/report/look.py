"""How the report looks and answers: its style and scripts, and the policy that lets these run and nothing else."""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib import resources

from tcptrace_py.views.ladder.html import CSS

LIBRARY = "uPlot 1.6.32 (MIT licence, copyright Leon Sorokin)"
SCRIPTS = ("vendor/uPlot.iife.min.js", "unpack.js", "graphs.js", "group.js")
FOR_A_PAGE = ("table.js", "page.js")
STYLES = ("vendor/uPlot.min.css", "report.css")


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(*name.split("/")).read_text("utf-8")


@functools.cache
def style() -> str:
    """Everything that stands in the page's one style element."""
    return "\n".join([*map(_text, STYLES), CSS])


@functools.cache
def script(*more: str) -> str:
    """Everything that stands in the page's one script element; `more` are files behind those that draw."""
    library, *ours = map(_text, (*SCRIPTS, *more))
    return f'{library}\n(() => {{\n"use strict";\n{"".join(ours)}}})();\n'


def _digest(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def policy(styled: str, scripted: str) -> str:
    """The Content-Security-Policy: this style, this script if there is one, and nothing from anywhere."""
    script_too = f"script-src {_digest(scripted)}; " if scripted else ""
    return f"default-src 'none'; style-src {_digest(styled)}; {script_too}base-uri 'none'; form-action 'none'"


def document(title: str, body: str, *more: str) -> str:
    """A whole page; `title` and `body` are HTML, `more` are the scripts of its own; none without any."""
    styled, scripted = f"\n{style()}\n", f"\n{script(*more)}" if more else ""
    last = f"<script>{scripted}</script>\n" if scripted else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy(styled, scripted)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{styled}</style>\n</head>\n"
        f"<body>\n{body}{last}</body>\n</html>\n"
    )
