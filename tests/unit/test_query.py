"""``tcpflows query``: answers, their forms, what is refused, and what a reader never sees."""

import csv
import dataclasses
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import tcptrace_py as tt
from tcptrace_py.dataset.finished import finished
from tcptrace_py.dataset.manifest import name_for
from tcptrace_py.dataset.questions import QUESTIONS
from tcptrace_py.dataset.store import Store
from tcptrace_py.errors import ChangedError
from tcptrace_py.tables.schema import SCHEMA_VERSION
from tcptrace_py.views.cli import app
from tests.answers import Known, answer, comparable, rows_of
from tests.batches import FIXTURES, ROOT, batch, folder_of

pytest.importorskip("duckdb")
GOLDEN = Path(__file__).parents[1] / "golden" / "questions.txt"
SOFT = {"threshold_ms": 20, "threshold_s": 0.1, "within_s": 60}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """All fixtures in a dataset with every table."""
    folder = folder_of(tmp_path_factory.mktemp("query") / "in", sorted(path.stem for path in FIXTURES.glob("*.pcap")))
    batch(folder, folder.parent / "out", tables=["connections", "states", "events", "timeline"])
    return folder.parent / "out"


def tcpflows(*args):
    """Exit code, standard output, standard error."""
    result = CliRunner().invoke(app, ["query", *map(str, args)], prog_name="tcpflows")
    return result.exit_code, result.stdout, result.stderr


def refused(*args):
    """The one line with which it is refused, and the exit code."""
    code, out, err = tcpflows(*args)
    assert out == ""
    assert err.count("\n") == 1, err
    return code, err.removeprefix("tcpflows: ").removesuffix("\n")


def softly(name):
    """The question's settings, as softened for captures of a second."""
    settings = QUESTIONS[name].values({})
    return settings | {setting: SOFT[setting] for setting in settings.keys() & SOFT.keys()}


def test_the_questions_have_the_answers_that_were_read_by_a_person(made):
    told = []
    for name in QUESTIONS:
        settings = [f"--set={key}={value}" for key, value in (softly(name) | {"rows": 4}).items()]
        settings = [each for each in settings if "$rows" in QUESTIONS[name].sql or "rows=" not in each]
        code, out, err = tcpflows(made, "--ask", name, *settings, "--format", "csv")
        assert (code, err) == (0, "")
        told.append(f"{name} {' '.join(settings)}".strip() + "\n" + out.replace(f"{made.parent / 'in'}/", ""))
    assert "\n".join(told) == GOLDEN.read_text("utf-8")


@pytest.mark.parametrize("name", QUESTIONS)
def test_loops_over_the_rows_give_the_same_answers(made, name):
    known = Known(sorted(str(path) for path in (made.parent / "in").iterdir()))
    from tcptrace_py.dataset.query import query

    ours = rows_of(query(made, QUESTIONS[name].sql, softly(name)))
    assert comparable(ours) == comparable(answer(known, name, **softly(name)))


def test_nanoseconds_stay_exact_in_every_form(made, tmp_path):
    sql = """SELECT start, max(time) AS last FROM connections JOIN timeline USING (capture, conn_id)
        WHERE capture LIKE '%four_way%' GROUP BY ALL"""
    exact = {"start": 1795386181995976679, "last": 1795386182132103535}
    trace = tt.analyze(FIXTURES / "four_way.pcap")
    assert trace.connections["start"][0].value == exact["start"]
    for form in ("parquet", "arrow"):
        path = tmp_path / f"x.{form}"
        assert tcpflows(made, sql, "-o", path)[0] == 0
        table = pq.read_table(path) if form == "parquet" else pa.ipc.open_file(path).read_all()
        assert table.schema.types == [pa.timestamp("ns", "UTC")] * 2
        assert rows_of(table) == [exact]
    text = {"start": "2026-11-22T22:23:01.995976679Z", "last": "2026-11-22T22:23:02.132103535Z"}
    assert json.loads(tcpflows(made, sql, "-f", "ndjson")[1]) == text
    assert json.loads(tcpflows(made, sql, "-f", "json")[1]) == {"schema_version": SCHEMA_VERSION, "answer": [text]}
    assert list(csv.DictReader(io.StringIO(tcpflows(made, sql, "-f", "csv")[1]))) == [text]
    assert tcpflows(made, sql)[1].splitlines()[1].split("  ")[0] == "2026-11-22 22:23:01.995976679"


def test_columns_of_any_type_and_name_can_be_written(made, tmp_path):
    sql = """SELECT 1 AS "a,""b", 2 AS x, 3 AS x, 4 AS x_2, sum(i) AS s, DATE '2026-01-02' AS d,
        INTERVAL 2 DAY AS i, {'k': [1]} AS st, '\\x01\\xff'::BLOB AS b, [[1], [2]] AS l, NULL AS n,
        1.50::DECIMAL(4, 2) AS m, TIMESTAMP '2500-01-01' AS far, 0.1 + 0.2::DOUBLE AS f_ns FROM range(5) t(i)"""
    code, out, err = tcpflows(made, sql, "-f", "ndjson")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        'a,"b': 1,
        "x": 2,
        "x_3": 3,
        "x_2": 4,
        "s": 10,
        "d": "2026-01-02",
        "i": "2 days",
        "st": '{"k": [1]}',
        "b": "01ff",
        "l": "[[1], [2]]",
        "n": None,
        "m": 1.5,
        "far": "2500-01-01 00:00:00",
        "f_ns": 0.1 + 0.2,
    }
    (row,) = csv.DictReader(io.StringIO(tcpflows(made, sql, "-f", "csv")[1]))
    assert (row['a,"b'], row["l"], row["n"]) == ("1", "[[1], [2]]", "")
    assert tcpflows(made, sql)[0] == 0
    assert tcpflows(made, sql, "-o", tmp_path / "x.parquet")[0] == 0
    assert pq.read_table(tmp_path / "x.parquet").to_pylist()[0]["st"] == {"k": [1]}


def test_no_rows_are_an_answer(made, tmp_path):
    assert tcpflows(made, "FROM events WHERE code = $code", "--set", "code=rst_forged", "-f", "csv") == (
        0,
        "capture,conn_id,frame,time,code,severity,evidence,basis,sentence\n",
        "",
    )
    assert tcpflows(made, "FROM events WHERE false", "-o", tmp_path / "none.parquet")[0] == 0
    assert pq.read_table(tmp_path / "none.parquet").num_rows == 0


def test_the_questions_are_listed_without_a_dataset():
    for words in ([], ["--ask", "list"]):
        code, out, _ = tcpflows(*words)
        assert code == 0
        assert re.findall(r"^  (\S+)$", out, re.MULTILINE) == list(QUESTIONS)
        assert "--set threshold_ms=200" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["selec 1"], 'query: Parser Error: syntax error at or near "selec"'),
        (["FROM conections"], 'Table with name conections does not exist!; Did you mean "connections"?'),
        (["SELECT nothing FROM events"], "query: Binder Error: Referenced column"),
        (["SELECT 1; SELECT 2"], "query: one statement that reads, as in SELECT ... FROM connections"),
        ([" -- nothing"], "query: one statement that reads"),
        (["SELECT $a"], "Values were not provided for the following parameters: a"),
        (["SELECT 'x'::INT"], "query: Conversion Error: Could not convert string 'x' to INT32"),
        (["--ask", "who"], "there is no question 'who'; there are slow-handshakes, "),
        (["--ask", "findings", "--set", "rows=1"], "findings: there is no setting 'rows'; it has none"),
        (["--ask", "top-talkers", "--set", "rows=a"], "top-talkers: rows is a number, not 'a'"),
        (["--ask", "top-talkers", "--set", "rows"], "--set: 'rows' is not NAME=VALUE"),
        (["--ask", "findings", "-o", "x.txt"], "x.txt: say with --format what to write"),
        (["FROM events", "--ask", "findings"], "either a question by name or SQL, not both"),
    ],
)
def test_what_makes_no_sense_is_one_line(made, words, told):
    code, line = refused(made, *words)
    assert code == 2
    assert told in line


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE x (a INT)",
        "DROP VIEW connections",
        "COPY connections TO '{made}/connections/x.csv'",
        "COPY (SELECT 1) TO '{made}/../x.csv'",
        "EXPORT DATABASE '{made}/x'",
        "ATTACH '{made}/x.db'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{made}/captures/x'",
        "SET threads = 1",
        "INSTALL httpfs",
        "SELECT * FROM '{made}/../in/four_way.pcap'",
        "FROM read_text('{made}/manifest/*')",
        "FROM read_csv('/etc/passwd')",
        "FROM glob('{made}/manifest/*')",
        "FROM frame",
    ],
)
def test_nothing_is_written_and_nothing_else_is_read(made, sql):
    frame = pa.table({"a": [1]})  # a variable of the program is no table
    assert frame.num_rows == 1
    before = sorted(made.parent.rglob("*"))
    code, _ = refused(made, sql.format(made=made))
    assert code in (2, 4)
    assert sorted(made.parent.rglob("*")) == before


def test_places_that_are_no_dataset(tmp_path):
    assert refused(tmp_path / "x", "SELECT 1") == (4, f"{tmp_path}/x: no dataset: there is no such folder")
    assert refused(tmp_path, "SELECT 1") == (
        4,
        f"{tmp_path}: no dataset: it has no manifest; make one with tcpflows batch",
    )
    (tmp_path / "manifest").mkdir()
    assert refused(tmp_path, "SELECT 1") == (4, f"{tmp_path}: nothing is finished in this dataset yet")
    assert refused("--ask", "findings") == (2, "which dataset?  tcpflows query DATASET --ask findings")


def test_duckdb_is_named_when_it_is_absent(made, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    assert refused(made, "SELECT 1") == (2, "query needs DuckDB: pip install 'tcptrace_py[query]'")


@pytest.mark.parametrize(("stop", "code", "told"), [("SIGINT", 130, "tcpflows: interrupted\n"), ("SIGTERM", 143, "")])
def test_a_long_query_is_stopped_by_a_signal(made, tmp_path, stop, code, told):
    endless = "SELECT sum(a.range * b.range) FROM range(100000000) a, range(1000000) b WHERE a.range % 7 = b.range % 3"
    program = [sys.executable, "-m", "tcptrace_py", "query", str(made), endless]
    env = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]])}
    process = subprocess.Popen(program, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.iterdir()):  # the folder for what does not fit into memory
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(getattr(signal, stop))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (code, "", told)
    assert not list(tmp_path.iterdir())


def test_where_no_file_can_be_written(made, monkeypatch):
    def refuse(**_):
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    assert tcpflows(made, "SELECT count(*) AS n FROM connections", "-f", "csv") == (0, "n\n28\n", "")


@pytest.fixture
def copy(made, tmp_path):
    """A dataset of one's own, under a name full of traps."""
    place = tmp_path / "it's [a] 'name' *?"
    shutil.copytree(made, place)
    return place


def test_only_what_the_manifest_tells_of_is_read(copy, made):
    counted = "SELECT count(*) AS n FROM connections"
    assert tcpflows(copy, counted, "-f", "csv")[1] == "n\n28\n"
    name = name_for(str(made.parent / "in" / "four_way.pcap"))
    (copy / "manifest" / f"{name}.json").unlink()  # it is being replaced
    (copy / "connections" / f"{name}.parquet").write_bytes(b"half of it")
    (copy / "connections" / ".tcpflows-1-2.tmp").write_bytes(b"not yet")
    (copy / "connections" / "mine.parquet").write_bytes(b"a user's own")
    assert tcpflows(copy, counted, "-f", "csv")[1] == "n\n27\n"


@pytest.mark.parametrize("which", [0, -1])
def test_a_damaged_part_is_named(copy, which):
    """The first part is looked into when the views are made, the others when they are read."""
    path = sorted((copy / "events").glob("*.parquet"))[which]
    path.write_bytes(b"no parquet")
    code, line = refused(copy, "FROM events")
    assert code == 4
    assert str(path) in line
    path.unlink()
    assert refused(copy, "FROM events")[0] == 4


def test_versions_that_have_other_columns_are_refused(copy):
    path = next((copy / "manifest").glob("*four_way*"))
    row = json.loads(path.read_text())
    for version, told in [
        (SCHEMA_VERSION + 1, f"made by a later version of tcptrace_py (schema {SCHEMA_VERSION + 1}"),
        (SCHEMA_VERSION - 1, "bring it up to date with tcpflows compact --migrate"),
    ]:
        row["settings"]["schema_version"] = version
        path.write_text(json.dumps(row))
        code, line = refused(copy, "SELECT 1")
        assert code == 4
        assert told in line


def test_a_batch_beside_does_no_harm(copy, made):
    """A capture that changes between two tables of one answer: the answer is given again, from one state of things."""
    from tcptrace_py.dataset import finished as module

    store, name = Store(copy), name_for(str(made.parent / "in" / "four_way.pcap"))
    asked = []

    def read(now):
        asked.append(len(now.rows))
        if len(asked) == 1:
            row = store.row(name)
            store.begin(name, ())  # a batch replaces it...
            if len(asked) == 1:
                with pytest.raises(FileNotFoundError):
                    [Path(part).stat() for part in now.parts("connections")[0]]
            store.finish(dataclasses.replace(row, rows={}))
            raise OSError("a part has gone")
        return now

    now = module.read_at_once(copy, read)
    assert asked == [25, 24]
    assert now.still_stands()

    def always(now):
        path = store.path("manifest", now.rows[0].name)
        data = path.read_bytes()
        path.unlink()
        path.with_suffix(".x").write_bytes(data)
        path.with_suffix(".x").rename(path)
        return now

    with pytest.raises(ChangedError, match="changed while it was read, 10 times; ask again"):
        module.read_at_once(copy, always)
    assert finished(copy).still_stands()
