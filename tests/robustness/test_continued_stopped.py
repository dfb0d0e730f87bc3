"""A run that goes on with a set, killed anywhere, and the one that comes after it.

TCPTRACE_PY_KILLS sets at how many points it is killed, four times over (usually 20).
"""

import contextlib
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

import tcptrace_py as tt
from tests.batches import batch, command, contents, run
from tests.robustness.test_batch_stopped import KILLS, no_part_is_half
from tests.rotated import cut

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures/port_reuse.pcap"
ALL = ["--checkpoint", "-j", "1", "-t", "connections,timeline,states,events,features"]


def held(dataset):
    """What the dataset holds; of a state only that it is there: how objects are written depends on who shares them."""
    return {path: data if not path.endswith(".state") else b"" for path, data in contents(dataset).items()}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The files of a set, the dataset after the first run, and what it holds after the second."""
    folder = tmp_path_factory.mktemp("goes_on")
    names, _ = cut(FIXTURE, folder / "ring", 2)
    first, second = folder / "first", folder / "second"
    tables = ALL[-1].split(",")
    batch(names[:1], first, checkpoint=True, tables=tables)
    shutil.copytree(first, second)
    batch(names, second, checkpoint=True, tables=tables)
    return names, first, held(second)


def test_killed_at_any_point_and_run_again(tmp_path, runs):
    names, first, whole = runs
    rng = random.Random(7)
    began = time.monotonic()
    shutil.copytree(first, tmp_path / "0")
    assert run(*names, "-o", tmp_path / "0", *ALL)[0] == 0
    took = time.monotonic() - began
    assert held(tmp_path / "0") == whole
    midway = 0
    for number in range(1, KILLS // 4 + 1):
        out = tmp_path / str(number)
        shutil.copytree(first, out)
        process = command(*names, "-o", out, *ALL, start_new_session=True)
        time.sleep(rng.uniform(0.3, 1) * took)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        no_part_is_half(out)
        stopped = held(out)
        midway += stopped != whole and stopped != held(first)
        assert len(tt.open_dataset(out).connections) > 0
        assert run(*names, "-o", out, *ALL)[0] == 0
        assert held(out) == whole
        shutil.rmtree(out)
    assert KILLS < 100 or midway, "no kill came while it was writing"
