"""Tables of rows: the formats that are read, what is invalid, and what is selected."""

import json
from pathlib import Path
from typing import Any

import pytest

from agentctl.batch.export import export
from agentctl.batch.table import Condition, RowTable, Selection, table_of
from agentctl.batch.template import columns_of, fill_row
from agentctl.errors import ConfigurationError, OptionError


def rows_of(path: Path, **selection: Any) -> list[tuple[str, dict[str, Any]]]:
    table, chosen = RowTable.of_file(path), Selection(**selection)
    return [(row.id, row.row) for row in table.rows(chosen, table.survey(chosen))]


def test_a_csv_file_as_spreadsheets_write_it(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes('\ufeffname;n,text\r\na,"two\r\nlines, and ""quotes"""\r\n\r\nb,\r\n'.encode())
    assert rows_of(path) == [
        ("3", {"name;n": "a", "text": 'two\r\nlines, and "quotes"'}),
        ("5", {"name;n": "b", "text": ""}),
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("a,b\n1\n", "line 2 has 1 cell, and the header 2"),
        ('a,b\n1,"2\n', "line 2 is not valid CSV"),
        ("a,a\n1,2\n", "two columns have the same name"),
    ],
)
def test_an_invalid_csv_file(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "in.csv"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=problem):
        rows_of(path)


def test_a_csv_file_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"a,b\n1,\xe4\n")
    with pytest.raises(ConfigurationError, match="is not UTF-8"):
        rows_of(path)


def test_a_tsv_file(tmp_path: Path) -> None:
    path = tmp_path / "in.tsv"
    path.write_text("a\tb\n1\t2,3\n")
    assert rows_of(path) == [("2", {"a": "1", "b": "2,3"})]


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('\ufeff{"id": 7, "deep": {"a": [1, null]}}\n\n{"id": "x"}', encoding="utf-8")
    assert rows_of(path, id_field="id") == [("7", {"id": 7, "deep": {"a": [1, None]}}), ("x", {"id": "x"})]


def test_many_problems_are_summed_up(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("no\n" * 9 + '{"a": 1}\n')
    with pytest.raises(ConfigurationError, match=r"9 rows are invalid: line 1 .*; and 4 more; correct them"):
        rows_of(path)
    assert rows_of(path, skip_invalid=True) == [("10", {"a": 1})]


def test_a_selection(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps({"n": n, "kind": "ab"[n % 2]}) + "\n" for n in range(20)))
    where = (Condition.of("kind=a"), Condition.of("n~^1"))
    assert [row["n"] for _, row in rows_of(path, where=where)] == [10, 12, 14, 16, 18]
    assert [row["n"] for _, row in rows_of(path, where=where, offset=1, limit=2)] == [12, 14]
    sample = rows_of(path, sample=5)
    assert len(sample) == 5
    assert rows_of(path, sample=5) == sample
    assert len(rows_of(path, sample=50)) == 20


@pytest.mark.parametrize("text", ["kind", "=a", "n~["])
def test_an_invalid_condition(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not COLUMN=VALUE|is no regular expression"):
        Condition.of(text)


def test_the_digest_is_of_the_rows(tmp_path: Path) -> None:
    first, second = table_of([{"a": 1, "b": 2}]), table_of([{"b": 2, "a": 1}])
    assert first.survey(Selection()).digest == second.survey(Selection()).digest
    assert first.survey(Selection()).digest != table_of([{"a": 1, "b": 3}]).survey(Selection()).digest


def test_prompts_are_filled_from_columns() -> None:
    row = {"first name": "Ada", "n": 3, "none": None, "data": {"a": 1}}
    assert fill_row("Hi {{first name}}, {{ n }}{{none}} {{data}} {x}", row) == 'Hi Ada, 3 {"a": 1} {x}'
    assert fill_row(None, {"text": "only"}) == "only"
    assert fill_row(None, {"a": 1, "b": "c"}) == '{"a": 1, "b": "c"}'
    assert columns_of("{{a}} {{ b c }}") == {"a", "b c"}
    with pytest.raises(OptionError, match="no column 'x'; it has 'a'"):
        fill_row("{{x}}", {"a": 1})


def test_parquet_in_and_out(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    arrow = pytest.importorskip("pyarrow")
    path = tmp_path / "in.parquet"
    parquet.write_table(arrow.Table.from_pylist([{"a": 1, "b": "x"}, {"a": 2, "b": None}]), path)
    assert rows_of(path) == [("1", {"a": 1, "b": "x"}), ("2", {"a": 2, "b": None})]
    result = {
        "id": "1", "row": {"a": 1}, "outcome": "completed", "exit_code": 0, "final_output": {"k": "v"}, "usage": None,
        "cost_usd": 0.5, "attempts": 1, "seconds": 1.5, "trace_id": None, "error": None,
    }  # fmt: skip
    assert export([result], tmp_path / "out.parquet") == 1
    (found,) = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert (found["final_output"], found["cost_usd"], found["row"]) == ('{"k": "v"}', 0.5, '{"a": 1}')


def test_parquet_without_pyarrow_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / "in.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(ConfigurationError, match=r"Parquet needs pyarrow: `.*install.*pyarrow"):
        rows_of(path)


def test_a_file_of_no_known_format(tmp_path: Path) -> None:
    (tmp_path / "in.xlsx").write_bytes(b"PK")
    with pytest.raises(OptionError, match="is of no known format"):
        rows_of(tmp_path / "in.xlsx")
    with pytest.raises(ConfigurationError, match="does not exist"):
        rows_of(tmp_path / "gone.csv")
