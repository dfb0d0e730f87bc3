"""Spoilt captures through everything: each is a result or a `TraceError`, the tables agree, and stderr is silent.

TCPTRACE_PY_MUTANTS sets how many; a failure names the seed, and `mutant(seed)` makes the same bytes again.
`scripts/mutants.py` does this by the thousand, beside capinfos.
"""

from __future__ import annotations

import io
import os

import pytest
from typer.testing import CliRunner

import tcptrace_py as tt
from scripts.table_digest import digests
from tcptrace_py.errors import ExitCode
from tcptrace_py.views.cli import app
from tests.agreement import UNCAPPED, contradictions
from tests.spoiling import mutant

HOW_MANY = int(os.environ.get("TCPTRACE_PY_MUTANTS", "500"))
FIRST_SEED = int(os.environ.get("TCPTRACE_PY_SEED", "20261122"))
SEEDS = range(FIRST_SEED, FIRST_SEED + HOW_MANY)


def verdict(seed):
    """What is wrong with the result of one spoilt capture."""
    kept = ["connections", "states", "events", "timeline"]
    try:
        trace = tt.analyze(io.BytesIO(mutant(seed).data), tables=kept, verify_checksums=seed % 3 == 0, limits=UNCAPPED)
    except tt.TraceError:
        return []
    return contradictions(trace)


@pytest.mark.parametrize("tenth", range(10))
def test_tables_of_spoilt_captures_agree(tenth, capfd):
    wrong = {seed: found for seed in SEEDS[tenth::10] if (found := verdict(seed))}
    assert wrong == {}
    assert capfd.readouterr().err == ""


def test_batches_do_not_matter_to_spoilt_captures():
    names = ["connections", "states", "events", "timeline"]
    for seed in SEEDS[::10]:
        data = mutant(seed).data
        made = [digests_of(data, names, batch_size) for batch_size in (1, 5, 4096)]
        assert made[0] == made[1] == made[2], seed


def digests_of(data, names, batch_size):
    from scripts.table_digest import digest

    try:
        trace = tt.analyze(io.BytesIO(data), tables=names, batch_size=batch_size, verify_checksums=False)
    except tt.TraceError as error:
        return str(error)
    return {name: digest(trace.arrow(name)) for name in names}


COMMANDS = [
    ["analyze"],
    ["analyze", "--format", "ndjson", "--table", "timeline"],
    ["analyze", "--format", "csv", "--table", "events"],
    ["analyze", "--format", "json", "--table", "states"],
    ["show"],
]
ORDINARY = {ExitCode.OK, ExitCode.PARTIAL, ExitCode.UNREADABLE, ExitCode.USAGE}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands_on_spoilt_captures(command, tmp_path):
    path = tmp_path / "spoilt.pcap"
    for seed in SEEDS[::25]:
        path.write_bytes(mutant(seed).data)
        args = [*command, str(path), *(["0"] if command == ["show"] else [])]
        result = CliRunner().invoke(app, args)
        assert result.exit_code in ORDINARY, (seed, result.output)
        assert result.exception is None or isinstance(result.exception, SystemExit), seed
        assert "Traceback" not in result.stderr, seed


def test_two_readings_of_spoilt_captures(tmp_path):
    """The digest of a file, whose timeline is made by a second reading, and of the same bytes read once."""
    path = tmp_path / "spoilt.pcap"
    for seed in SEEDS[::20]:
        data = mutant(seed).data
        path.write_bytes(data)
        once = digests_of(data, ["connections", "states", "events", "timeline"], 4096)
        if isinstance(once, dict):
            twice_ = digests(str(path), verify_checksums=False)
            assert {name: twice_[name] for name in once} == once, seed
