"""``tcpflows show`` on real captures: its forms, where they go, what it refuses."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tcptrace_py as tt
from tcptrace_py.views.cli import app

CAPTURE = str(Path(__file__).parent.parent / "fixtures" / "zero_window.pcap")

pytestmark = pytest.mark.usefixtures("without_advice")


def show(*args, columns="100"):
    done = CliRunner().invoke(app, ["show", CAPTURE, "0", *args], prog_name="tcpflows", env={"COLUMNS": columns})
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("form", ["text", "svg", "html"])
def test_the_command_and_python_draw_the_same(form, tmp_path):
    conn = tt.analyze(CAPTURE)[0]
    assert show("--format", form) == (0, conn.ladder(form), "")
    assert show("--format", form, "--all") == (0, conn.ladder(form, unfold=True), "")
    target = tmp_path / "ladder"
    assert show("--format", form, "-o", str(target)) == (0, "", "")
    assert target.read_text(encoding="utf-8") == conn.ladder(form)


@pytest.mark.parametrize(("name", "form"), [("a.SVG", "svg"), ("a.html", "html"), ("a.htm", "html"), ("a.txt", "text")])
def test_the_name_of_the_output_tells_the_form(name, form, tmp_path):
    show("-o", str(tmp_path / name))
    assert (tmp_path / name).read_text(encoding="utf-8") == tt.analyze(CAPTURE)[0].ladder(form)


def test_a_terminal_narrower_than_80_columns_gets_80():
    assert show(columns="40")[1] == show(columns="80")[1]


def test_ascii_in_a_file(tmp_path):
    show("--ascii", "-o", str(tmp_path / "a.txt"))
    assert (tmp_path / "a.txt").read_text(encoding="utf-8").isascii()


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["-o", "a.pdf"], 2, "a.pdf: say with --format what to write: text, svg, html"),
        (["--format", "svg", "--ascii"], 2, "--ascii is about text, not svg"),
        (["--format", "svg", "-o", CAPTURE], 2, f"{CAPTURE} is the capture itself"),
        (["-o", "/no/such/folder/a.svg"], 5, "cannot write /no/such/folder/a.svg: No such file or directory"),
    ],
)
def test_what_is_refused(args, code, message):
    assert show(*args) == (code, "", f"tcpflows: {message}\n")


LOADED = """
import sys
from tcptrace_py.views.cli import app
try:
    app({args})
except SystemExit:
    pass
print(*(name for name in sys.modules if name.startswith(("tcptrace_py.views.ladder", "tcptrace_py.views.story"))))
"""


@pytest.mark.parametrize("args", [["--help"], ["show", "--help"], ["explain", "--help"], ["analyze", CAPTURE]])
def test_help_and_analysis_load_neither_ladder_nor_story(args):
    done = subprocess.run([sys.executable, "-c", LOADED.format(args=args)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""
