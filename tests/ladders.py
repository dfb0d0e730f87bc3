"""The ladder of every scenario as text, through the command that a user types; one file each in tests/golden/ladders.

python -m tests.ladders            says which ladders differ from their file, and how
python -m tests.ladders --update   the same, and writes them: read the differences, they are the change
"""

from __future__ import annotations

import difflib
import os
import sys
import tempfile
from pathlib import Path

from typer.testing import CliRunner

import tcptrace_py as tt
from tcptrace_py.views.cli import app
from tests import seg

FOLDER = Path(__file__).parent / "scenarios"
GOLDEN = Path(__file__).parent / "golden" / "ladders"
SCENARIOS = sorted(str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.rglob("*.seg"))
WIDTH = "110"


def capture_of(name: str, folder: Path) -> tuple[Path, list[str]]:
    """The scenario as a capture, and the options of reading that it asks for."""
    script = seg.parse((FOLDER / f"{name}.seg").read_text(encoding="utf-8"))
    path = seg.write(script, folder / f"{name.replace('/', '-')}.pcap")
    return path, [f"--{option}" for option in script.asked]


def drawn(name: str, folder: Path) -> str:
    """What ``tcpflows show`` says of each connection of the scenario."""
    path, options = capture_of(name, folder)
    said = []
    for conn_id in range(len(tt.analyze(path))):
        done = CliRunner().invoke(
            app, ["show", str(path), str(conn_id), *options], prog_name="tcpflows", env={"COLUMNS": WIDTH}
        )
        if done.exit_code:
            raise RuntimeError(f"{name}: exit code {done.exit_code}: {done.stderr}")
        said.append(done.stdout)
    return "\n".join(said)


def kept(name: str) -> str:
    """The text of the repository, empty if there is none."""
    path = GOLDEN / f"{name}.txt"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def difference(name: str, now: str) -> str:
    """How a ladder differs from its file."""
    return "\n".join(
        difflib.unified_diff(kept(name).splitlines(), now.splitlines(), f"{name}.txt", "now", lineterm="", n=2)
    )


def main(arguments: list[str]) -> int:
    """Do what the module's docstring promises."""
    changed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in SCENARIOS:
            now = drawn(name, Path(folder))
            if now == kept(name):
                continue
            changed += 1
            sys.stdout.write(difference(name, now) + "\n\n")
            if "--update" in arguments:
                path = GOLDEN / f"{name}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(now, encoding="utf-8")
    return 1 if changed and "--update" not in arguments else 0


if __name__ == "__main__":
    os.environ["COLUMNS"] = WIDTH
    sys.exit(main(sys.argv[1:]))
