"""The ladder as HTML, readable without script, without style and by ear: a table, its folds opened by ``<details>``.

For a page of your own, a report or a notebook: `CSS` once in its head, and for each connection
``fragment(lay_out(connection.record, connection.rows(), at_most=1000))``, which needs nothing else and may stand there
many times (no ids, no script).  `page(ladder)` is a whole document.

A state is one cell over all the rows for which an end was in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcptrace_py.views.ladder.layout import Fold, Ladder, Rung
from tcptrace_py.views.ladder.look import COLOURS, MONOSPACE, escaped
from tcptrace_py.views.ladder.words import (
    DAMAGED,
    PHASE,
    UNICODE,
    about_the_whole,
    ends,
    facts,
    finding_meanings,
    found_in,
    marks,
    notes,
    paused,
    seconds,
    step_meanings,
    title,
    told,
)
from tcptrace_py.vocabulary import BY_NAME, STEP_MEANING, Severity, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tcptrace_py.views.ink import Part

CSS = f"""{COLOURS}\
.tf-ladder {{ background: var(--tf-paper); color: var(--tf-ink); margin: 0; padding: 1em; max-width: 72em;
  overflow-x: auto; font: 13px/1.35 {MONOSPACE}; text-align: left; }}
.tf-ladder figcaption {{ margin-bottom: .8em; }} .tf-ladder p, .tf-ladder dl {{ margin: .15em 0; }}
.tf-ladder p {{ white-space: pre-wrap; }}
.tf-ladder table {{ border-collapse: collapse; width: 100%; margin: 0; color: inherit; font: inherit; border: 0; }}
.tf-ladder :is(tr, th, td) {{ background: none; border: 0; padding: .2em .5em; vertical-align: top; text-align: left; }}
.tf-ladder th {{ font-weight: bold; }} .tf-ladder th small {{ font: inherit; color: var(--tf-faint); display: block; }}
.tf-ladder .tf-number {{ text-align: right; white-space: nowrap; width: 1%; color: var(--tf-faint); }}
.tf-ladder td.tf-state {{ width: 8.5em; text-align: center; font-weight: bold; border: 1px solid var(--tf-line);
  border-bottom-width: 0; }}
.tf-ladder td.tf-state > span {{ position: sticky; top: .2em; }}
.tf-ladder .tf-opening {{ background: var(--tf-opening); }} .tf-ladder .tf-open {{ background: var(--tf-open); }}
.tf-ladder .tf-closing {{ background: var(--tf-closing); }} .tf-ladder .tf-waiting {{ background: var(--tf-waiting); }}
.tf-ladder .tf-none {{ background: var(--tf-none); }}
.tf-ladder .tf-segment {{ min-width: 20em; padding-left: 0; padding-right: 0; }}
.tf-ladder .tf-notes {{ width: 22em; }}
.tf-ladder .tf-notes span {{ margin-right: 1em; display: inline-block; white-space: nowrap; }}
.tf-ladder .tf-arrow {{ display: flex; align-items: center; gap: .6em; padding: 0 .5em; white-space: nowrap; }}
.tf-ladder .tf-arrow i {{ flex: 1; min-width: 2em; border-top: 1.5px solid; position: relative; }}
.tf-ladder .tf-arrow i::after {{ content: ""; position: absolute; top: -5px; border: 4.5px solid transparent; }}
.tf-ladder .tf-to-server i {{ margin-right: -.5em; }} .tf-ladder .tf-to-client i {{ margin-left: -.5em; }}
.tf-ladder .tf-to-server i::after {{ right: 0; border-left: 8px solid; border-right: 0; }}
.tf-ladder .tf-to-client i::after {{ left: 0; border-right: 8px solid; border-left: 0; }}
.tf-ladder .tf-pause td {{ text-align: center; color: var(--tf-faint); }}
.tf-ladder .tf-pause td.tf-segment {{ background: repeating-linear-gradient(90deg, var(--tf-line) 0 3px, transparent 3px
  8px) 0 50%/100% 1px no-repeat; }}
.tf-ladder .tf-pause span {{ background: var(--tf-paper); padding: 0 .8em; }}
.tf-ladder details {{ margin: .2em .6em; padding: .1em .5em; border: 1px dashed var(--tf-line); border-radius: 6px; }}
.tf-ladder summary {{ color: var(--tf-faint); cursor: pointer; }}
.tf-ladder :is(summary, .tf-fold div, .tf-legend p) > span {{ margin-right: 1em; display: inline-block; }}
.tf-ladder .tf-faint, .tf-ladder dd {{ color: var(--tf-faint); }} .tf-ladder .tf-info {{ color: var(--tf-info); }}
.tf-ladder .tf-note {{ color: var(--tf-note); }} .tf-ladder .tf-warning {{ color: var(--tf-warning); }}
.tf-ladder :is(.tf-error, .tf-wrong) {{ color: var(--tf-error); font-weight: bold; }}
.tf-ladder .tf-right {{ color: var(--tf-right); }}
.tf-ladder .tf-legend {{ margin: 1em 0 0; border: 0; padding: 0; }} .tf-ladder dl {{ display: grid;
  grid-template-columns: max-content 1fr; gap: .1em 1em; }} .tf-ladder dd {{ margin: 0; }}
.tf-ladder .tf-heard {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap; }}
@media print {{ .tf-ladder {{ font-size: 6.8pt; overflow: visible; padding: 0; }}
  .tf-ladder tr {{ break-inside: avoid; }} .tf-ladder thead {{ display: table-header-group; }} }}
"""
SENT = {True: ("client to server", "→"), False: ("server to client", "←")}


def page(ladder: Ladder) -> str:
    """A document of its own, with one ladder."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escaped(title(ladder))}</title>\n"
        f"<style>\n{CSS}:root {{ color-scheme: light dark; }} body {{ margin: 0; }}\n</style>\n</head>\n<body>\n"
        f"{fragment(ladder)}</body>\n</html>\n"
    )


def fragment(ladder: Ladder) -> str:
    """The ladder to be put into a page that has `CSS`: a figure with caption, table and legend."""
    client, server = ends(ladder)
    caption = [f"<p><b>{escaped(title(ladder))}</b></p>", *(f"<p>{escaped(fact)}</p>" for fact in facts(ladder))]
    caption += [f"<p>{_span(part)}</p>" for part in about_the_whole(ladder)]
    heads = '<th scope="col" class="tf-number">frame</th><th scope="col" class="tf-number">time, s</th>'
    heads += f'<th scope="col">client <small>{escaped(client)}</small></th><th scope="col">segment</th>'
    heads += f'<th scope="col">server <small>{escaped(server)}</small></th><th scope="col">steps and findings</th>'
    return (
        f'<figure class="tf-ladder" aria-label="{escaped(title(ladder))}">\n'
        f"<figcaption>{''.join(caption)}</figcaption>\n<table>\n"
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n"
        + "\n".join(_rows(ladder))
        + f"\n</tbody>\n</table>\n{_legend(ladder)}</figure>\n"
    )


def _span(part: Part, title: str = "") -> str:
    about = f' title="{escaped(title)}"' if title else ""
    return f'<span class="tf-{part.style}"{about}>{escaped(part.text)}</span>'


def _rows(ladder: Ladder) -> Iterator[str]:
    """The rows; a state's cell stands in the first of its rows and spans them all."""
    rungs = ladder.rungs
    rows = [0, *_running(_height(rung) for rung in rungs)]  # rows above each rung
    until: dict[str, list[int]] = {"client": [], "server": []}
    for side, starts in until.items():
        starts += [rows[i] + _above(rung) for i, rung in enumerate(rungs) if _begins(rung, side)]
        starts.append(rows[-1])
    for rung in rungs:
        if isinstance(rung, Fold):
            yield _fold(rung, ladder)
            continue
        if rung.pause_ns is not None:
            yield _between(paused(rung), "faint")
        if rung.gap:
            yield _between(DAMAGED, "wrong")
        client = _state(rung.client, until["client"]) if rung.client_moved else ""
        server = _state(rung.server, until["server"]) if rung.server_moved else ""
        yield (
            f'<tr><td class="tf-number">{rung.frame}</td>'
            f'<td class="tf-number">{seconds(rung.since_ns, exact=ladder.exact)}</td>{client}'
            f'<td class="tf-segment">{_arrow(rung)}</td>{server}<td class="tf-notes">{_notes(rung)}</td></tr>'
        )


def _running(numbers: Iterable[int]) -> Iterator[int]:
    total = 0
    for number in numbers:
        total += number
        yield total


def _begins(rung: Rung | Fold, side: str) -> bool:
    """Whether a state of that side begins with this rung."""
    return isinstance(rung, Rung) and bool(getattr(rung, f"{side}_moved"))


def _above(rung: Rung | Fold) -> int:
    """Rows before the segment's own."""
    return (rung.pause_ns is not None) + rung.gap if isinstance(rung, Rung) else 0


def _height(rung: Rung | Fold) -> int:
    return 1 + _above(rung)


def _state(name: str, starts: list[int]) -> str:
    """The cell of a state, as high as until the next one begins; `starts` loses its first."""
    begin = starts.pop(0)
    span = f' rowspan="{starts[0] - begin}"' if starts[0] - begin > 1 else ""
    return f'<td class="tf-state tf-{PHASE.get(name, "none")}"{span}><span>{name}</span></td>'


def _between(said: str, style: str) -> str:
    return (
        f'<tr class="tf-pause"><td></td><td></td><td class="tf-segment"><span class="tf-{style}">{said}</span></td>'
        "<td></td></tr>"
    )


def _arrow(rung: Rung) -> str:
    """The label and a line that the style draws; without style there is still a sign that says which way."""
    heard, sign = SENT[rung.to_server]
    way = "server" if rung.to_server else "client"
    label, line = f"<span>{escaped(rung.label)}</span>", '<i aria-hidden="true"></i>'
    drawn = label + line if rung.to_server else line + label
    return f'<div class="tf-arrow tf-to-{way}"><span class="tf-heard">{sign} {heard}: </span>{drawn}</div>'


def _notes(rung: Rung) -> str:
    said = []
    for part, name in zip(notes(rung, UNICODE), [*(step for step, _ in rung.steps), *rung.findings], strict=True):
        if name in BY_NAME:
            meaning = f"{Severity(BY_NAME[name].severity).name}: {BY_NAME[name].condition}"
        else:
            meaning = STEP_MEANING[Step[name]][0] if name in Step.__members__ else ""
        said.append(_span(part, meaning))
    return " ".join(said)


def _fold(fold: Fold, ladder: Ladder) -> str:
    said = " ".join(map(_span, told(fold, UNICODE)))
    inner = "".join(
        f'<tr><td class="tf-number">{rung.frame}</td>'
        f'<td class="tf-number">{seconds(rung.since_ns, exact=ladder.exact)}</td>'
        f'<td class="tf-segment">{_arrow(rung)}{_notes(rung)}</td></tr>'
        for rung in fold.rungs
    )
    table = f"<table>{inner}</table>"
    opened = f"<details><summary>{said}</summary>{table}</details>" if fold.rungs else f"<div>{said}</div>"
    found = " ".join(map(_span, found_in(fold)))
    cells = f'<td></td><td></td><td class="tf-segment">{opened}</td><td class="tf-notes">{found}</td>'
    return f'<tr class="tf-fold">{cells}</tr>'


def _legend(ladder: Ladder) -> str:
    if not ladder.rungs:
        return ""
    said = " ".join(_span(part) for part in marks(ladder, UNICODE))
    meant = [(name, "right", meaning) for name, meaning in step_meanings(ladder)]
    meant += [(name, style, f"{style}: {condition}") for name, style, condition in finding_meanings(ladder)]
    rows = "".join(
        f'<dt class="tf-{style}">{escaped(name)}</dt><dd>{escaped(meaning)}</dd>\n' for name, style, meaning in meant
    )
    return f'<details class="tf-legend" open><summary>Legend</summary><p>{said}</p>\n<dl>\n{rows}</dl></details>\n'
