"""Results of rows in files: JSONL, CSV or Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from agentctl.agent.wire import JSONValue
from agentctl.errors import ConfigurationError
from agentctl.packages import PARQUET, install_command
from agentctl.storage import replace_file

from .table import TableFormat, cell_text, table_format

_OWN = ("id", "outcome", "exit_code", "final_output", "cost_usd", "attempts", "seconds", "trace_id", "error")
"""The columns of a CSV file before those of the input, which are `row.NAME` there."""

Result = dict[str, JSONValue]


def export(results: Iterable[Result], path: Path) -> int:
    """Write results to a file in the format of its name, all or nothing; return how many.

    Raises:
        OptionError: the name has no known format.
        ConfigurationError: pyarrow is missing.
        OSError: the file cannot be written.
    """
    write = _WRITERS[table_format(path)]
    counted = _Counted(results)
    with replace_file(path) as file:
        write(counted, file)
    return counted.number


def result_line(result: Result) -> str:
    """Return a result as a line of JSONL."""
    return json.dumps(result, ensure_ascii=False) + "\n"


class _Counted:
    def __init__(self, results: Iterable[Result]) -> None:
        self._results = results
        self.number = 0

    def __iter__(self) -> Iterator[Result]:
        for result in self._results:
            self.number += 1
            yield result


def _write_jsonl(results: Iterable[Result], file: BinaryIO) -> None:
    for result in results:
        file.write(result_line(result).encode("utf-8", "backslashreplace"))


def _write_csv(results: Iterable[Result], file: BinaryIO, delimiter: str = ",") -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
    writer, columns = csv.writer(text, delimiter=delimiter), list[str]()
    for result in results:
        row = result["row"]
        assert isinstance(row, dict)
        if not columns:
            columns = list(row)
            writer.writerow([*_OWN, *(f"row.{column}" for column in columns)])
        writer.writerow([*(cell_text(result[name]) for name in _OWN), *(cell_text(row.get(c)) for c in columns)])
    text.detach()


def _write_tsv(results: Iterable[Result], file: BinaryIO) -> None:
    _write_csv(results, file, "\t")


def _write_parquet(results: Iterable[Result], file: BinaryIO) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigurationError(f"Parquet needs pyarrow: `{install_command(PARQUET)}`") from error
    names = {"exit_code": pyarrow.int32(), "attempts": pyarrow.int32()}
    numbers = {"cost_usd": pyarrow.float64(), "seconds": pyarrow.float64()}
    kinds = {name: {**names, **numbers}.get(name, pyarrow.string()) for name in (*_OWN, "row", "usage")}
    schema = pyarrow.schema(list(kinds.items()))
    with parquet.ParquetWriter(file, schema) as writer:
        chunk = list[dict[str, Any]]()
        for result in results:
            chunk.append({name: _cell(result[name], name in names or name in numbers) for name in kinds})
            if len(chunk) == 1000:
                writer.write_table(pyarrow.Table.from_pylist(chunk, schema))
                chunk = []
        writer.write_table(pyarrow.Table.from_pylist(chunk, schema))


def _cell(value: JSONValue, is_number: bool) -> Any:
    return value if is_number or value is None else cell_text(value)


_WRITERS: dict[TableFormat, Callable[[Iterable[Result], BinaryIO], None]] = {
    "jsonl": _write_jsonl,
    "csv": _write_csv,
    "tsv": _write_tsv,
    "parquet": _write_parquet,
}
