"""The generated parts of README.md and docs/, and the pictures there: made here, never by hand; a test compares.

python scripts/documents.py                  write them anew
python scripts/documents.py --check          say which are out of date, and fail if any is
python scripts/documents.py --command NAME   print the shell command that README.md gives under this name
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = "tests/fixtures"
BLOCK = re.compile(r"(<!-- generated: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
COMMAND = r"<!-- command: {name} -->\n```sh\n(?P<command>.*?)\n```"


def terminal(*arguments: str) -> str:
    """What a reader sees who types this command in the checkout."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "COLUMNS": "106"}
    program = [sys.executable, "-m", "tcptrace_py"]
    done = subprocess.run(
        [*program, *arguments], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    )
    return f"```console\n$ {' '.join(['tcpflows', *arguments])}\n{done.stdout.decode().rstrip()}\n```"


def state_diagram() -> str:
    """The endpoint's machine as mermaid text, from the table that the tracker runs on."""
    from tcptrace_py.tracker.states import TRANSITIONS
    from tcptrace_py.vocabulary import State

    lines = ["```mermaid", "stateDiagram-v2"]
    for state, row in TRANSITIONS.items():
        by_target = defaultdict(list)
        for given, target in row.items():
            by_target[target].append(_in_words(given.name))
        lines += [
            f"    {state.name} --> {target.name}: {' / '.join(given)}"
            for target, given in by_target.items()
            if state is not State.UNKNOWN
        ]
    picked_up = (f"{_in_words(given.name)} → {target.name}" for given, target in TRANSITIONS[State.UNKNOWN].items())
    return "\n".join([*lines, "```", "", f"From UNKNOWN (the capture begins in the middle): {', '.join(picked_up)}."])


def _in_words(name: str) -> str:
    """``GOT_ACK_OF_SYN`` as ``got ACK of SYN``."""
    words = name.replace("SYN_ACK", "SYN-ACK").replace("GOT", "got").replace("SENT", "sent").replace("OF", "of")
    return words.replace("_", " ").replace("RST PASSIVE", "RST as passive opener")


def exit_codes() -> str:
    """The exit codes, as a table."""
    from tcptrace_py.errors import EXIT_MEANING

    rows = [f"| {code.value} | {meaning} |" for code, meaning in EXIT_MEANING.items()]
    return "\n".join(["| code | meaning |", "|---|---|", *rows])


def bounds() -> str:
    """Every bound, as it is declared."""
    from tcptrace_py.options import BOUNDS, FIXED

    rows = [
        (f"`{bound.name}`", f"{bound.default:,}", bound.meaning, bound.reached, bound.mark and f"`{bound.mark}`")
        for bound in BOUNDS
    ]
    fixed = [(f"{bound.name}", f"{bound.default:,}", bound.meaning, bound.reached, "") for bound in FIXED.values()]
    return _table(("bound", "default", "on how many", "beyond it", "mark"), [*rows, *fixed])


def tshark_rules() -> str:
    """Every rule that explains a difference with tshark, as the classifier has it."""
    from tcptrace_py.peers.rules import RULES

    givers = {"ours": "we", "tshark": "tshark", "either": "either"}
    rows = [
        (
            f"`{rule.name}`",
            _labels(rule.labels),
            givers[rule.side],
            rule.condition,
            rule.we,
            rule.they,
            rule.source,
        )
        for rule in RULES
    ]
    return _table(("rule", "label", "given by", "condition", "why we say what we say", "tshark", "source"), rows)


def _labels(names: tuple[str, ...]) -> str:
    from tcptrace_py.peers.rules import ANY

    return (
        ", ".join([*(name for name in names if name not in ANY), "any"]) if set(ANY) <= {*names} else ", ".join(names)
    )


def tcptrace_rules() -> str:
    """The same for tcptrace's counters."""
    from tcptrace_py.peers.counter_rules import COUNTER_RULES, COUNTERS

    rows = [
        (
            f"`{rule.name}`",
            "any" if rule.counters == tuple(COUNTERS) else ", ".join(rule.counters),
            rule.condition,
            rule.we,
            rule.they,
        )
        for rule in COUNTER_RULES
    ]
    return _table(("rule", "counter", "condition", "why we say what we say", "tcptrace"), rows)


def questions() -> str:
    """Every question that is known by name, with its SQL."""
    from tcptrace_py.dataset.questions import QUESTIONS

    parts = []
    for each in QUESTIONS.values():
        parts.append(f"### {each.name}\n\n{each.tells}.\n")
        parts += [f"* `--set {one.name}={one.default}`: {one.meaning}" for one in each.settings]
        parts.append(f"\n```sql\n{each.sql}\n```\n")
    return "\n".join(parts).rstrip()


def cic_differences() -> str:
    """Where CICFlowMeter's program does something else than its columns are defined as."""
    from tcptrace_py.tables.views_cic import COLUMNS, DIFFERENCES

    by_reason: dict[str, list[str]] = defaultdict(list)
    for column in COLUMNS:
        if column.name in DIFFERENCES:
            by_reason[DIFFERENCES[column.name]].append(f"`{column.name}`")
    return _table(("columns", "CICFlowMeter's program"), [(", ".join(names), why) for why, names in by_reason.items()])


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


MAKERS: dict[str, Callable[[], str]] = {
    "show": lambda: terminal("show", f"{FIXTURES}/four_way.pcap", "0"),
    "explain": lambda: terminal("explain", f"{FIXTURES}/three_segment.pcap", "0"),
    "explain-zh": lambda: terminal("explain", f"{FIXTURES}/three_segment.pcap", "0", "--lang", "zh"),
    "analyze": lambda: terminal("analyze", f"{FIXTURES}/loss_bulk.pcap"),
    "tutorial-show": lambda: terminal("show", "docs/examples/handshake.txt", "0"),
    "tutorial-explain": lambda: terminal("explain", "docs/examples/handshake.txt", "0"),
    "tutorial-states": lambda: terminal("analyze", f"{FIXTURES}/four_way.pcap", "--table", "states"),
    "state-diagram": state_diagram,
    "exit-codes": exit_codes,
    "bounds": bounds,
    "tshark-rules": tshark_rules,
    "tcptrace-rules": tcptrace_rules,
    "questions": questions,
    "cic-differences": cic_differences,
}


PICTURES = {
    "docs/pictures/ladder-four-way.svg": f"{FIXTURES}/four_way.pcap",
    "docs/pictures/ladder-zero-window.svg": f"{FIXTURES}/zero_window.pcap",
}
"""Pictures, and the captures whose connection 0 they show."""


def picture(name: str) -> str:
    """A ladder, as ``tcpflows show --format svg`` draws it."""
    import tcptrace_py as tt

    return tt.analyze(ROOT / PICTURES[name])[0].ladder("svg")


def whole_files() -> Iterator[tuple[Path, str]]:
    """Files of which nothing is written by hand."""
    from scripts import manual
    from tcptrace_py.views.catalog import as_markdown, found

    yield ROOT / "docs/reference.md", as_markdown(found(None))
    yield ROOT / "docs/commands.md", manual.markdown()
    yield ROOT / "man/tcpflows.1", manual.man_page()


def made() -> Iterator[tuple[Path, str]]:
    """Every file that is made here, or has parts that are, as it should be."""
    for path in documents():
        yield path, renewed(path.read_text("utf-8"))
    for name in PICTURES:
        yield ROOT / name, picture(name)
    yield from whole_files()


def documents() -> Iterator[Path]:
    """Files that may have generated parts."""
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").rglob("*.md"))


def renewed(text: str) -> str:
    """The same text, every generated part made anew; a part that nobody here makes stays as it is."""

    def renew(part: re.Match[str]) -> str:
        maker = MAKERS.get(part["name"])
        return f"{part[1]}{maker()}\n{part[3]}" if maker else part[0]

    return BLOCK.sub(renew, text)


def command(name: str) -> str:
    """The command that README.md gives under this name."""
    found = re.search(COMMAND.format(name=re.escape(name)), (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    if found is None:
        raise SystemExit(f"README.md has no command {name!r}")
    return found["command"]


def main(arguments: list[str]) -> int:
    """Do what the module's docstring promises."""
    if arguments[:1] == ["--command"]:
        print(command(arguments[1]))
        return 0
    stale = 0
    for path, new in made():
        if not path.exists() or new != path.read_text("utf-8"):
            stale += 1
            print(f"{path.relative_to(ROOT)}: {'out of date' if '--check' in arguments else 'written'}")
            if "--check" not in arguments:
                path.write_text(new, "utf-8")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))
