"""The catalogs of the story's messages: what is to be translated is read from the sources and from the vocabulary.

python scripts/messages.py             add new messages to every catalog, drop those that are gone; then translate
python scripts/messages.py --new LANG  begin a catalog for another language
python scripts/messages.py --check     say what is missing, untranslated or wrong, and fail if anything is
"""

from __future__ import annotations

import ast
import re
import sys
from string import Formatter
from typing import TYPE_CHECKING

from tcptrace_py.views.story.language import FOLDER, entries
from tcptrace_py.vocabulary import ANOMALIES, EVIDENCE_MEANING, STATE_MEANING, STEP_MEANING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STORY = FOLDER.parent
CALLS = {"tell": 1, "tell_n": 2, "forms": 2, "say": 1, "N_": 1, "Said": 1}
"""Functions that take a message, or both of its forms."""

HEADER = """\
msgid ""
msgstr ""
"Language: {name}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"
"""


def messages() -> dict[str, str]:
    """Every message, plural forms joined by NUL, and where it stands."""
    found: dict[str, str] = {}
    for path in sorted(STORY.glob("*.py")):
        for message in _in_source(path):
            found.setdefault(message, path.name)
    for message, where in _in_vocabulary():
        found.setdefault(message, where)
    return found


def _in_source(path: Path) -> Iterator[str]:
    calls = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))
    for node in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        texts = [arg.value for arg in node.args[: CALLS.get(name, 0)] if isinstance(arg, ast.Constant)]
        if texts:
            yield "\0".join(texts)


def _in_vocabulary() -> Iterator[tuple[str, str]]:
    for state, meaning in STATE_MEANING.items():
        yield meaning, f"state {state.name}"
    for evidence, (meaning, _) in EVIDENCE_MEANING.items():
        yield meaning, f"evidence {evidence.name}"
    for anomaly in ANOMALIES:
        yield anomaly.condition, f"finding {anomaly.name}"
        yield anomaly.sentence, f"finding {anomaly.name}, its event"
        for basis, sentence in anomaly.by_basis:
            yield sentence, f"finding {anomaly.name}, its event, by {basis}"
    for step, (_, source) in STEP_MEANING.items():
        yield source, f"source of step {step.name}"
    for anomaly in ANOMALIES:
        yield anomaly.source, f"source of finding {anomaly.name}"


def catalog(name: str) -> dict[str, str]:
    """The translations of a language."""
    return dict(entries((FOLDER / f"{name}.po").read_text("utf-8")))


def written(header: str, found: dict[str, str], translated: dict[str, str]) -> str:
    """A catalog with every message, those without translation empty."""
    blocks = [header.rstrip()]
    for message, where in found.items():
        one, _, many = message.partition("\0")
        lines = [f"#: {where}", f"msgid {_quoted(one)}"]
        forms = translated.get(message, "").split("\0")
        if many:
            lines.append(f"msgid_plural {_quoted(many)}")
            lines += [f"msgstr[{i}] {_quoted(form)}" for i, form in enumerate(forms)]
        else:
            lines.append(f"msgstr {_quoted(forms[0])}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def wrong(name: str) -> Iterator[str]:
    """What is missing from a catalog, no longer asked for, or says other things than the message."""
    found, translated = messages(), catalog(name)
    plurals = int(re.search(r"nplurals=(\d)", translated[""])[1])  # type: ignore[index]
    for message, where in found.items():
        text = translated.get(message)
        if text is None:
            yield f"{name}: {where}: not translated: {message!r}"
            continue
        forms = text.split("\0")
        if "\0" in message and len(forms) != plurals:
            yield f"{name}: {where}: {len(forms)} forms instead of {plurals}: {message!r}"
        yield from (
            f"{name}: {where}: other values than in {message!r}: {form!r}"
            for form in forms
            if placeholders(form) != placeholders(message.split("\0")[-1])
        )
    yield from (f"{name}: no longer a message: {message!r}" for message in translated.keys() - found.keys() - {""})


def placeholders(text: str) -> set[str]:
    """The names of the values in a message."""
    return {field for _, field, _, _ in Formatter().parse(text) if field}


def main(arguments: list[str]) -> int:
    """Do what the module's docstring promises."""
    if arguments[:1] == ["--new"]:
        path = FOLDER / f"{arguments[1]}.po"
        if path.exists():
            raise SystemExit(f"{path} is there already")
        path.write_text(written(HEADER.format(name=arguments[1]), messages(), {}), "utf-8")
        return 0
    names = sorted(path.stem for path in FOLDER.glob("*.po"))
    if "--check" in arguments:
        complaints = [text for name in names for text in wrong(name)]
        print(*complaints, sep="\n", end="\n" * bool(complaints))
        return 1 if complaints else 0
    for name in names:
        path = FOLDER / f"{name}.po"
        header = path.read_text("utf-8").split("\n\n")[0]
        path.write_text(written(header, messages(), catalog(name)), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
