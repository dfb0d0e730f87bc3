"""Look for inputs that raise: python -m tests.fuzz TARGET [SECONDS [FOLDER]]

Needs atheris, and nothing compiled in the tree (an uncompiled module can be watched, a compiled one cannot).  Begins
with `corpus/TARGET` and spoilt captures; what is found stays in FOLDER (default: fuzz-TARGET).

python -m tests.fuzz keep TARGET FOLDER      adds to the corpus what reaches code that nothing in it reaches
"""

from __future__ import annotations

import random
import sys
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).parent / "corpus"
PACKAGE = str(Path(__file__).resolve().parents[2] / "tcptrace_py")
MOST_FILES, MOST_BYTES = 50, 4096  # of a target, of a file
SEEDS = 300


def watched():
    """The targets, with every module of the package instrumented."""
    import atheris

    with atheris.instrument_imports(include=["tcptrace_py"]):
        from tests.fuzz.targets import TARGETS
    return TARGETS


def seeds(target):
    """Something to begin with, of our own."""
    from tests.fuzz.own import spoilt_of_ours

    chance = random.Random(target)
    return [spoilt_of_ours(target, chance) for _ in range(SEEDS)]


def search(target, seconds, folder):
    """Run atheris, which ends the process."""
    import atheris

    run = watched()[target]
    (HERE / target).mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    for data in seeds(target):
        (folder / sha256(data).hexdigest()[:16]).write_bytes(data)
    options = [f"-max_total_time={seconds}", f"-max_len={MOST_BYTES}", "-timeout=20", "-rss_limit_mb=1024"]
    atheris.Setup(["fuzz", str(folder), str(HERE / target), *options], run)
    atheris.Fuzz()


def arcs(run, data):
    """The steps from line to line, within the package, of one run."""
    seen = set()

    def local(frame, event, _argument):
        if event == "line":
            seen.add((frame.f_code.co_filename, last.get(frame), frame.f_lineno))
            last[frame] = frame.f_lineno
        return local

    last = {}
    sys.settrace(lambda frame, _event, _argument: local if frame.f_code.co_filename.startswith(PACKAGE) else None)
    try:
        run(data)
    finally:
        sys.settrace(None)
    return seen


def keep(target, folder):
    """Copy the smallest inputs that take steps which no smaller one takes."""
    from tests.fuzz.targets import TARGETS

    own = HERE / target
    own.mkdir(parents=True, exist_ok=True)
    there = sorted(own.iterdir())
    reached = set().union(*(arcs(TARGETS[target], path.read_bytes()) for path in there))
    kept = len(there)
    for data in sorted({path.read_bytes() for path in folder.iterdir()}, key=lambda data: (len(data), data)):
        new = arcs(TARGETS[target], data) - reached if len(data) <= MOST_BYTES else set()
        if new and kept < MOST_FILES:
            reached |= new
            kept += 1
            (own / sha256(data).hexdigest()[:16]).write_bytes(data)
    sys.stdout.write(f"{target}: {kept} files, {len(reached)} steps\n")


def main(arguments):
    match arguments:
        case ["keep", target, folder]:
            keep(target, Path(folder))
        case [target, *rest]:
            search(target, int(rest[0]) if rest else 600, Path(rest[1] if len(rest) > 1 else f"fuzz-{target}"))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
