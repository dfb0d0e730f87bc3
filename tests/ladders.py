"""The ladder of every scenario as text, through the command that a user types; one file each in tests/golden/ladders.

Of the probes in the reference folder, which are not ours to keep, there are digests, in tests/golden/probes.json.

python -m tests.ladders            says which ladders differ from their file, and how
python -m tests.ladders --update   the same, and writes them: read the differences, they are the change
python -m tests.ladders FILE       the ladders of a capture as they are compared
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

from typer.testing import CliRunner

import tcptrace_py as tt
from tcptrace_py.views.cli import app
from tests import seg
from tests.corpus import CORPUS

FOLDER = Path(__file__).parent / "scenarios"
GOLDEN = Path(__file__).parent / "golden" / "ladders"
SCENARIOS = sorted(str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.rglob("*.seg"))
PROBES = sorted((CORPUS / "probes").glob("*.pcap*"))
DIGESTS = Path(__file__).parent / "golden" / "probes.json"
WIDTH = "110"


def capture_of(name: str, folder: Path) -> tuple[Path, list[str]]:
    """The scenario as a capture, and the options of reading that it asks for."""
    script = seg.parse((FOLDER / f"{name}.seg").read_text(encoding="utf-8"))
    path = seg.write(script, folder / f"{name.replace('/', '-')}.pcap")
    return path, [f"--{option}" for option in script.asked]


def drawn(name: str, folder: Path) -> str:
    """What ``tcpflows show`` says of each connection of the scenario."""
    return of_capture(*capture_of(name, folder))


def of_capture(path: Path, options: list[str]) -> str:
    """The same for a capture."""
    said = []
    for conn_id in range(len(tt.analyze(path))):
        done = CliRunner().invoke(
            app, ["show", str(path), str(conn_id), *options], prog_name="tcpflows", env={"COLUMNS": WIDTH}
        )
        if done.exit_code:
            raise RuntimeError(f"{path}: exit code {done.exit_code}: {done.stderr}")
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


def digests() -> dict[str, str]:
    """SHA-256 of the ladders of every probe, without its path."""
    return {path.name: hashlib.sha256(of_capture(path, ["-q"]).encode()).hexdigest() for path in PROBES}


def main(arguments: list[str]) -> int:
    """Do what the module's docstring promises."""
    changed = 0
    if arguments and arguments != ["--update"]:
        sys.stdout.write(of_capture(Path(arguments[0]), ["-q"]))
        return 0
    if PROBES and (now := digests()) != (before := json.loads(DIGESTS.read_text()) if DIGESTS.exists() else {}):
        changed += 1
        sys.stdout.write(f"probes: {', '.join(sorted(n for n in now if now[n] != before.get(n)))}\n\n")
        if "--update" in arguments:
            DIGESTS.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
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
