"""README.md and docs/ say what is so: generated parts are fresh, examples run, options and links exist."""

import doctest
import os
import re
import shlex
import shutil
import subprocess

import pytest
import typer

import tcptrace_py as tt
from scripts import documents
from tcptrace_py.tracker.states import TRANSITIONS
from tcptrace_py.views.cli import app
from tcptrace_py.vocabulary import State

README = (documents.ROOT / "README.md").read_text("utf-8")
PAGES = [path.read_text("utf-8") for path in documents.documents()]
SHELL = "\n".join(re.findall(r"```sh\n(.*?)```", "\n".join(PAGES), re.DOTALL))
TYPED = [line.partition("  #")[0].partition(" || ")[0] for line in SHELL.splitlines() if "tcpflows" in line]


def names(paths):
    return [str(path.relative_to(documents.ROOT)) for path in paths]


@pytest.mark.parametrize("name", names(documents.documents()))
def test_generated_parts_are_fresh(name):
    text = (documents.ROOT / name).read_text("utf-8")
    assert text == documents.renewed(text), "run: python scripts/documents.py"


@pytest.mark.parametrize("name", documents.PICTURES)
def test_pictures_are_fresh(name):
    assert (documents.ROOT / name).read_text("utf-8") == documents.picture(name), "run: python scripts/documents.py"


def test_the_ladder_for_a_report_of_one_s_own():
    (example,) = re.findall(r"```python\n(.*?)```", (documents.ROOT / "docs/ladder.md").read_text("utf-8"), re.DOTALL)
    known = {"trace": tt.analyze(documents.ROOT / documents.FIXTURES / "four_way.pcap")}
    exec(compile(example.replace("trace[7]", "trace[0]"), "docs/ladder.md", "exec"), known)
    assert known["html"].startswith("<style>")
    assert "teardown_4 ✓" in known["html"]


def test_a_generated_part_that_was_edited_is_made_anew():
    stale = (
        "a\n<!-- generated: exit-codes -->\nby hand\n<!-- end -->\nb\n<!-- generated: elsewhere -->\nkept\n<!-- end -->"
    )
    fresh = documents.renewed(stale)
    assert "by hand" not in fresh
    assert "| 3 | read in part; the results are valid up to the damage |" in fresh
    assert fresh.endswith("b\n<!-- generated: elsewhere -->\nkept\n<!-- end -->")


def test_the_python_session_runs(monkeypatch):
    monkeypatch.chdir(documents.ROOT)
    session = "".join(re.findall(r"```python\n(>>>.*?)```", README, re.DOTALL))
    parsed = doctest.DocTestParser().get_doctest(session, {}, "README.md", "README.md", 0)
    assert doctest.DocTestRunner().run(parsed) == doctest.TestResults(failed=0, attempted=4)


def test_the_longer_example_runs(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(import.*?)```", README, re.DOTALL)
    capture = repr(str(documents.ROOT / documents.FIXTURES / "four_way.pcap"))
    names_replaced = example.replace('"capture.pcap.zst"', capture).replace('"huge.pcap"', capture)
    exec(compile(names_replaced.replace("trace[7]", "trace[0]"), "README.md", "exec"))
    told = capsys.readouterr().out
    assert "handshake_1 ✓" in told
    assert told.endswith("\n0 four_way\n")
    assert len(list(tmp_path.glob("results/*.parquet"))) == 5


def test_two_commands_set_everything_up():
    assert re.findall(r"<!-- command: (\w+) -->", README) == ["run", "tests"]
    assert " -m pytest " in documents.command("tests")
    capture = documents.command("run").split()[-1]
    assert (documents.ROOT / capture).stat().st_size > 0


SESSIONS = [name for name in names(documents.documents()) if ">>>" in (documents.ROOT / name).read_text("utf-8")]


@pytest.mark.parametrize("name", SESSIONS)
def test_python_sessions_in_documents_run(monkeypatch, name):
    monkeypatch.chdir(documents.ROOT)
    text = (documents.ROOT / name).read_text("utf-8")
    session = "".join(re.findall(r"```python\n(>>>.*?)```", text, re.DOTALL))
    parsed = doctest.DocTestParser().get_doctest(session, {}, name, name, 0)
    done = doctest.DocTestRunner().run(parsed)
    assert done.failed == 0
    assert done.attempted > 0


def test_the_site_leads_to_every_page():
    listed = set(re.findall(r"[\w/-]+\.md", (documents.ROOT / "mkdocs.yml").read_text("utf-8")))
    pages = {str(path.relative_to(documents.ROOT / "docs")) for path in list(documents.documents())[1:]}
    assert listed == pages


@pytest.mark.skipif(not shutil.which("man"), reason="no man here")
def test_the_man_page_is_one():
    page = documents.ROOT / "man/tcpflows.1"
    command = ["man", "--warnings", "-l", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"MANWIDTH": "80"})
    assert done.stderr == ""
    assert "tcpflows - what happened on every TCP connection in a capture" in done.stdout
    assert "tcpflows show [OPTIONS] {CAPTURE} {ID}" in done.stdout


def test_an_unknown_command_is_refused():
    with pytest.raises(SystemExit, match=r"README\.md has no command 'nothing'"):
        documents.command("nothing")


@pytest.mark.parametrize("line", TYPED)
def test_commands_and_options_exist(line):
    known = typer.main.get_command(app).commands
    words = shlex.split(line)
    at = max(i for i, word in enumerate(words) if word.endswith("tcpflows"))
    options = {name for parameter in known[words[at + 1]].params for name in parameter.opts}
    assert [word for word in words[at + 2 :] if re.match(r"--?\w", word) and word not in options] == []


@pytest.mark.parametrize("name", names(documents.documents()))
def test_links_lead_somewhere(name):
    path = documents.ROOT / name
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)[^)]*\)", path.read_text("utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_the_state_diagram_has_every_transition():
    diagram = documents.state_diagram()
    drawn = re.findall(r"^    (\w+) --> (\w+): (.+)$", diagram, re.MULTILINE)
    assert sum(len(given.split(" / ")) for _, _, given in drawn) == sum(
        len(row) for state, row in TRANSITIONS.items() if state is not State.UNKNOWN
    )
    assert ("SYN_RCVD", "ESTABLISHED", "got ACK of SYN / got SYN-ACK") in drawn
    assert ("LAST_ACK", "CLOSED", "got ACK of FIN") in drawn
