"""The export: everything, exactly, read back with nothing of ours, and harmless in a spreadsheet."""

import csv
import hashlib
import json
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.core.events import Quote
from engine.core.facts import AnyFact, OperatorActed
from store import parquet
from store.desk import Store
from store.export import FORMULA, INPUTS, LEFT_OUT, Exported, ExportFailed, export
from store.parquet import NoParquet
from tests.store.making import T0, batch, desk, one_of_each, quotes, run_started

EVIL = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "'=1", 'a"b,c\nd;=1', "plain", "")


@pytest.fixture
def store(tmp_path: Path) -> Any:
    store = desk(tmp_path)
    facts: list[tuple[int, AnyFact]] = [(1, fact) for _, fact in one_of_each(1)]
    facts += [(1, OperatorActed(T0, "pause", "tui", "ann", text, True, "RUNNING", "PAUSED")) for text in EVIL]
    store.journal.commit(batch(1, [run_started()], facts, snapshot=b"s")).result()
    store.journal.commit(batch(2, 40)).result()
    store.record_report("run-1", '{"net_pnl": "1.5"}').result()
    store.sign_head("report").result()
    yield store
    store.close()


def tables_of(store: Store) -> dict[str, int]:
    connection = sqlite3.connect(store.path)
    names = [n for (n,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    counts = {n: connection.execute(f"SELECT count(*) FROM {n}").fetchone()[0] for n in names if n not in LEFT_OUT}
    connection.close()
    return counts


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def row_values(store: Store, sql: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(store.path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("format_", ["csv", "jsonl"])
def test_every_table_is_written_whole_and_nothing_is_dropped_silently(
    store: Store, tmp_path: Path, format_: Any
) -> None:
    made = export(store.path, tmp_path / "out", format_)
    assert {table.name: table.rows for table in made.tables} == tables_of(store)
    assert set(made.left_out) == {*LEFT_OUT, INPUTS}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*(t.file for t in made.tables), "schema.json"}
    read = read_csv if format_ == "csv" else read_jsonl
    for table in made.tables:
        path = tmp_path / "out" / table.file
        assert len(read(path)) == table.rows
        assert hashlib.sha256(path.read_bytes()).hexdigest() == table.sha256
        assert path.stat().st_mode & 0o777 == 0o600
    assert msgspec.json.decode((tmp_path / "out" / "schema.json").read_bytes(), type=Exported) == made


def test_every_value_is_of_the_type_the_schema_says(store: Store, tmp_path: Path) -> None:
    made = export(store.path, tmp_path / "out", "jsonl", [*tables_of(store), INPUTS])
    seen: set[tuple[str, str]] = set()
    for table in made.tables:
        for row in read_jsonl(tmp_path / "out" / table.file):
            assert list(row) == [column.name for column in table.columns]
            for column in table.columns:
                value = row[column.name]
                if value is None:
                    assert column.nullable, (table.name, column)
                    continue
                seen.add((table.name, column.type))
                assert isinstance(value, int if column.type == "integer" else str), (table.name, column)
                if column.type == "decimal":
                    assert Decimal(value).is_finite()
    assert {("trades", "decimal"), ("journal", "hex"), (INPUTS, "integer"), ("signals", "text")} <= seen


def test_no_column_of_numbers_is_called_a_text(store: Store, tmp_path: Path) -> None:
    """A new table whose money is not known as such would be exported as text: this names it."""
    made = export(store.path, tmp_path / "out", "jsonl")
    texts_of_digits = {("desk", "schema"), ("operator_acts", "text")}
    texts_of_digits |= {("discrepancy_changes", side) for side in ("ours", "theirs")}  # quantities, states, words
    for table in made.tables:
        rows = read_jsonl(tmp_path / "out" / table.file)
        for column in table.columns:
            values = [row[column.name] for row in rows if row[column.name] not in (None, "")]
            if column.type == "text" and (table.name, column.name) not in texts_of_digits:
                assert not values or not all(is_number(value) for value in values), (table.name, column.name)


def is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except ArithmeticError:
        return False


def test_sums_are_those_of_the_database_to_the_last_digit(store: Store, tmp_path: Path) -> None:
    export(store.path, tmp_path / "out", "csv")
    fills = read_csv(tmp_path / "out" / "fills.csv")
    wanted = sum(Decimal(fee) for (fee,) in row_values(store, "SELECT fee FROM fills"))
    assert sum(Decimal(fill["fee"]) for fill in fills) == wanted
    (trade,) = read_csv(tmp_path / "out" / "trades.csv")
    assert (trade["pnl"], trade["duration_ns"]) == ("197.6", str(int(trade["exit_ns"]) - int(trade["entry_ns"])))


def test_no_cell_of_a_csv_file_is_a_formula_and_every_text_can_be_had_back(store: Store, tmp_path: Path) -> None:
    export(store.path, tmp_path / "out", "csv")
    for path in (tmp_path / "out").glob("*.csv"):
        for row in read_csv(path):
            for cell in row.values():
                assert not cell.startswith(FORMULA) or is_number(cell), (path.name, cell)
    texts = [row["text"] for row in read_csv(tmp_path / "out" / "operator_acts.csv")]
    assert [text.removeprefix("'") for text in texts][-len(EVIL) :] == list(EVIL)
    assert [text for text in texts if text.startswith("'")] == [f"'{text}" for text in EVIL[:9]]


def test_a_missing_value_and_an_empty_text_are_not_the_same(store: Store, tmp_path: Path) -> None:
    export(store.path, tmp_path / "out", "csv")
    line = (tmp_path / "out" / "operator_acts.csv").read_text(encoding="utf-8").splitlines()[-1]
    assert '"ann","",1,' in line
    (run,) = read_csv(tmp_path / "out" / "runs.csv")
    assert run["ended_ns"] == ""


def test_the_inputs_are_every_event_in_its_place(store: Store, tmp_path: Path) -> None:
    export(store.path, tmp_path / "out", "jsonl", [INPUTS])
    rows = read_jsonl(tmp_path / "out" / "inputs.jsonl")
    assert [row["seq"] for row in rows] == list(range(1, 42))
    assert [row["type"] for row in rows] == ["RunStarted", *["Quote"] * 40]
    assert [Quote(**json.loads(row["event"])) for row in rows[1:]] == quotes(2, 40)
    assert (rows[5]["symbol"], rows[6]["symbol"], rows[5]["run"]) == ("BTCUSDT", "ETHUSDT", 1)


def test_the_journal_as_exported_is_the_journal(store: Store, tmp_path: Path) -> None:
    from base64 import b64decode

    from store.chain import Row, genesis, row_hash

    made = export(store.path, tmp_path / "out", "jsonl", ["journal", "desk"])
    (stamp,) = read_jsonl(tmp_path / "out" / "desk.jsonl")
    head = genesis(stamp["desk_id"], stamp["env"])
    for row in read_jsonl(tmp_path / "out" / "journal.jsonl"):
        hash_ = row.pop("hash")
        body = b64decode(row["body"]) if row["kind"] == "block" else row["body"]
        head = row_hash(head, Row(**{**row, "body": body}))
        assert head.hex() == hash_
    assert (made.head, made.last_row) == (head.hex(), row_values(store, "SELECT max(id) FROM journal")[0][0])


def test_what_cannot_be_written_leaves_what_was_there(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    export(store.path, out, "csv", ["trades"])
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    monkeypatch.setattr("store.export._digest", lambda path: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(ExportFailed, match=r"trades\.csv: No space"):
        export(store.path, out, "csv", ["trades"])
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_an_unknown_table_is_refused_with_the_list(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match=r"no table tradez; there are amends, .*, inputs"):
        export(store.path, tmp_path / "out", "csv", ["tradez"])
    assert not (tmp_path / "out").exists()


def test_without_the_library_parquet_says_how_to_get_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(parquet, "import_module", missing)
    with pytest.raises(NoParquet, match=r"pip install 'nightdesk\[parquet\]'"):
        export(store.path, tmp_path / "out", "parquet")
    assert not (tmp_path / "out").exists()


def test_parquet_has_the_same_rows_with_exact_numbers(store: Store, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="the extra nightdesk[parquet] is not installed")
    made = export(store.path, tmp_path / "out", "parquet", [*tables_of(store), INPUTS])
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*(t.file for t in made.tables), "schema.json"}
    export(store.path, tmp_path / "lines", "jsonl", [*tables_of(store), INPUTS])
    for table in made.tables:
        found = duckdb.sql(f"SELECT * FROM read_parquet('{tmp_path / 'out' / table.file}')")
        wanted = read_jsonl(tmp_path / "lines" / f"{table.name}.jsonl")
        assert found.columns == [column.name for column in table.columns]
        got = [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
        for column in table.columns:
            if column.type == "decimal":
                for row in wanted:
                    row[column.name] = None if row[column.name] is None else Decimal(row[column.name])
        assert got == wanted, table.name
