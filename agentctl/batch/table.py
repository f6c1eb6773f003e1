"""Tables of rows: JSONL, CSV, TSV and Parquet, read row by row, checked first, and selected."""

from __future__ import annotations

import csv
import hashlib
import json
import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

from agentctl._dataclass import dataclass
from agentctl.agent.json_values import plain
from agentctl.agent.wire import JSONValue, decode_json
from agentctl.errors import ConfigurationError, OptionError
from agentctl.grammar import count
from agentctl.packages import PARQUET, install_command

from .row import RowInput

TableFormat = Literal["jsonl", "csv", "tsv", "parquet"]

_FORMATS: dict[str, TableFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
}
_MOST_PROBLEMS = 5
"""The number of invalid rows that a message names."""

_LARGEST_CELL = 64 * 1024 * 1024
"""Bytes of the largest cell of a CSV file."""

_SEED = 20
"""The seed of `--sample`: the same sample each time, so that a batch can go on."""


def table_format(path: Path) -> TableFormat:
    """Return the format of a file by its name.

    Raises:
        OptionError: the name has none.
    """
    found = _FORMATS.get(path.suffix.lower())
    if found is None:
        raise OptionError(f"{path} is of no known format; name it .jsonl, .csv, .tsv or .parquet")
    return found


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of `--where`: a column has a value, or contains a match of a regular expression."""

    column: str
    value: str
    is_pattern: bool

    @classmethod
    def of(cls, text: str) -> Condition:
        """Return the condition in `COLUMN=VALUE` or `COLUMN~REGEX`; else raise `ValueError`."""
        match = re.match(r"([^=~]+)([=~])(.*)", text, re.DOTALL)
        if match is None:
            raise ValueError(f"{text!r} is not COLUMN=VALUE or COLUMN~REGEX")
        try:
            re.compile(match[3] if match[2] == "~" else "")
        except re.error as error:
            raise ValueError(f"{match[3]!r} is no regular expression: {error}") from error
        return cls(match[1], match[3], match[2] == "~")

    def holds(self, row: dict[str, JSONValue]) -> bool:
        """Return whether a row meets the condition."""
        if self.column not in row:
            return False
        text = cell_text(row[self.column])
        return re.search(self.value, text) is not None if self.is_pattern else text == self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The rows to take of a table."""

    where: tuple[Condition, ...] = ()
    offset: int = 0
    limit: int | None = None
    sample: int | None = None
    """The number of rows to take at random."""
    id_field: str | None = None
    """The column with the id of a row; None numbers the rows from 1."""
    skip_invalid: bool = False

    @property
    def text(self) -> str:
        """The selection as text, for the identity of a batch."""
        where = [[each.column, each.value, each.is_pattern] for each in self.where]
        return json.dumps([where, self.offset, self.limit, self.sample, self.id_field, self.skip_invalid])


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """The outcome of the check of a table, before anything is sent."""

    total: int
    """The number of selected rows."""
    digest: str
    """The digest of the selected rows."""
    columns: frozenset[str]
    """The columns of the first row."""
    problems: tuple[str, ...] = ()
    """The invalid rows that are skipped, with their lines."""
    needed: frozenset[str] = frozenset()
    """The columns that each row must have."""
    chosen: frozenset[int] | None = field(default=None, repr=False)
    """The places of the sample."""


class RowTable:
    """A table in a file, or rows that a program has; it can be read several times."""

    def __init__(self, source: Callable[[], Iterator[tuple[int, Any]]], name: str) -> None:
        """Use a function that yields rows with their line numbers; an invalid one is an exception."""
        self._source = source
        self.name = name

    @classmethod
    def of_file(cls, path: Path, kind: TableFormat | None = None, name: str | None = None) -> RowTable:
        """Return the table in a file.

        Raises:
            OptionError: its format is not known.
            ConfigurationError: it cannot be read.
        """
        kind = table_format(path) if kind is None else kind
        if not path.is_file():
            raise ConfigurationError("is not a file" if path.exists() else "does not exist", file=path)
        return cls(lambda: _READERS[kind](path), name or path.name)

    def survey(self, selection: Selection, needed: frozenset[str] = frozenset()) -> Survey:
        """Read all rows, and return what they are; each must have the columns that are needed.

        Raises:
            ConfigurationError: rows are invalid, and not to be skipped; or the file cannot be read.
        """
        problems, digest, total, columns = list[str](), hashlib.sha256(), 0, frozenset[str]()
        seen: set[int] = set()
        number = 0
        chosen = None
        if selection.sample is not None:
            size = sum(1 for _ in self._select(selection, []))
            chosen = frozenset(random.Random(_SEED).sample(range(size), min(selection.sample, size)))  # noqa: S311
        for line, row in self._select(selection, problems):
            number += 1
            if chosen is not None and number - 1 not in chosen:
                continue
            identifier = _id_of(row, line, selection)
            if identifier is None:
                problems.append(f"line {line} has no {selection.id_field!r}")
                continue
            if not needed <= row.keys():
                problems.append(f"line {line} has no column {min(needed - row.keys())!r}")
                continue
            mark = hash(identifier)
            if mark in seen and selection.id_field is not None:
                problems.append(f"line {line} has the id {identifier!r} of an earlier row")
                continue
            seen.add(mark)
            digest.update(json.dumps([identifier, row], sort_keys=True).encode())
            columns = columns or frozenset(row)
            total += 1
        if problems and not selection.skip_invalid:
            raise ConfigurationError(f"{_describe(problems)}; correct them, or pass --skip-invalid", key=None)
        return Survey(total=total, digest=digest.hexdigest(), columns=columns, problems=tuple(problems), chosen=chosen)

    def rows(self, selection: Selection, survey: Survey) -> Iterator[RowInput]:
        """Yield the selected rows, without those that are invalid."""
        seen: set[int] = set()
        for number, (line, row) in enumerate(self._select(selection, [])):
            if survey.chosen is not None and number not in survey.chosen:
                continue
            identifier = _id_of(row, line, selection)
            if (
                identifier is None
                or not survey.needed <= row.keys()
                or (selection.id_field is not None and hash(identifier) in seen)
            ):
                continue
            seen.add(hash(identifier))
            yield RowInput(id=identifier, row=row)

    def _select(self, selection: Selection, problems: list[str]) -> Iterator[tuple[int, dict[str, JSONValue]]]:
        """Yield the rows that match, from the offset to the limit, with their lines."""
        matching = 0
        for line, row in self._source():
            if isinstance(row, Exception):
                problems.append(f"line {line} {row}")
                continue
            if not all(condition.holds(row) for condition in selection.where):
                continue
            matching += 1
            if matching <= selection.offset:
                continue
            if selection.limit is not None and matching > selection.offset + selection.limit:
                return
            yield line, row


def table_of(rows: Iterable[dict[str, Any]], name: str = "rows") -> RowTable:
    """Return the table of rows that a program has."""
    kept = [plain(row) for row in rows]

    def read() -> Iterator[tuple[int, Any]]:
        for number, row in enumerate(kept, 1):
            yield number, row if isinstance(row, dict) else ValueError("is no mapping")

    return RowTable(read, name)


def cell_text(value: JSONValue) -> str:
    """Return the value of a column as text: a string as it is, anything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _id_of(row: dict[str, JSONValue], line: int, selection: Selection) -> str | None:
    if selection.id_field is None:
        return str(line)
    return cell_text(row.get(selection.id_field)) or None


def _describe(problems: list[str]) -> str:
    shown = "; ".join(problems[:_MOST_PROBLEMS])
    more = len(problems) - _MOST_PROBLEMS
    what = "1 row is" if len(problems) == 1 else f"{len(problems):,} rows are"
    return f"{what} invalid: {shown}{f'; and {more:,} more' if more > 0 else ''}"


def _read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = decode_json(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
            except (ValueError, RecursionError) as error:
                yield number, ValueError(f"is not JSON: {error}")
                continue
            yield number, row if isinstance(row, dict) else ValueError("is no JSON object")


def _read_csv(path: Path, delimiter: str = ",") -> Iterator[tuple[int, Any]]:
    csv.field_size_limit(_LARGEST_CELL)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            header = next(reader, None)
            if header is None:
                return
            if len(set(header)) < len(header):
                raise ConfigurationError("two columns have the same name", file=path)
            for row in reader:
                if not row:
                    continue
                if len(row) != len(header):
                    yield reader.line_num, ValueError(f"has {count(len(row), 'cell')}, and the header {len(header)}")
                else:
                    yield reader.line_num, dict(zip(header, row, strict=True))
        except csv.Error as error:
            yield reader.line_num, ValueError(f"is not valid CSV: {error}")
        except UnicodeDecodeError as error:
            yield reader.line_num + 1, ValueError(f"is not UTF-8: {error.reason}")


def _read_tsv(path: Path) -> Iterator[tuple[int, Any]]:
    return _read_csv(path, "\t")


def _read_parquet(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigurationError(f"Parquet needs pyarrow: `{install_command(PARQUET)}`", file=path) from error
    number = 0
    with parquet.ParquetFile(path) as file:
        for piece in file.iter_batches():
            for row in piece.to_pylist():
                number += 1
                yield number, plain(row)


_READERS: dict[TableFormat, Callable[[Path], Iterator[tuple[int, Any]]]] = {
    "jsonl": _read_jsonl,
    "csv": _read_csv,
    "tsv": _read_tsv,
    "parquet": _read_parquet,
}
