"""Calls out of the journal, as JSON Lines, CSV or Parquet, row by row."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import IO, Any, Literal

import msgspec

from trimtab.core import JournalEntry
from trimtab.core.errors import ConfigurationError
from trimtab.ingest.fields import Value
from trimtab.ingest.flat import BODY_COLUMNS, COLUMNS, Kind, flatten

ExportFormat = Literal["jsonl", "parquet", "csv"]

_PARQUET_ROWS = 8192
_FORMULA = re.compile(r"[=+\-@\t\r\n]|[\uff1d\uff0b\uff0d\uff20]")
_PLAIN_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")


def write_calls(entries: Iterable[JournalEntry], sink: IO[bytes], *, format: ExportFormat, bodies: bool) -> int:
    """Write calls and return how many.

    Args:
        entries: The calls; read one after the other, never all at once.
        sink: Binary file; Parquet needs no seeking.
        format: The container.
        bodies: Whether prompts and answers are written.

    Raises:
        ConfigurationError: Parquet was asked for and pyarrow is not installed.
    """
    rows = (flatten(entry, bodies=bodies) for entry in entries)
    return write_rows(rows, sink, format=format, columns=COLUMNS | BODY_COLUMNS if bodies else COLUMNS)


def write_rows(
    rows: Iterator[Mapping[str, Value]], sink: IO[bytes], *, format: ExportFormat, columns: Mapping[str, Kind]
) -> int:
    """Write rows and return how many.

    Args:
        rows: Each with a value for every column, in their order; read one after the other.
        sink: Binary file; Parquet needs no seeking.
        format: The container.
        columns: Names and kinds.

    Raises:
        ConfigurationError: Parquet was asked for and pyarrow is not installed.
    """
    if format == "jsonl":
        return _write_jsonl(rows, sink)
    return _write_csv(rows, sink, columns) if format == "csv" else _write_parquet(rows, sink, columns)


def safe_cell(value: Value) -> Value:
    """Return a CSV cell that no spreadsheet runs as a formula: a quote stands before a leading ``= + - @``.

    Numbers are left as they are, so a column of them can be summed.

    >>> safe_cell("=HYPERLINK(1)"), safe_cell("-0.5"), safe_cell("plain")
    ("'=HYPERLINK(1)", '-0.5', 'plain')
    """
    if not isinstance(value, str) or _PLAIN_NUMBER.fullmatch(value):
        return value
    # Some spreadsheets skip spaces before a formula.
    return "'" + value if _FORMULA.match(value.lstrip(" ")) else value


def _write_jsonl(rows: Iterable[Mapping[str, Value]], sink: IO[bytes]) -> int:
    encode = msgspec.json.Encoder().encode
    n = 0
    for row in rows:
        sink.write(encode({name: value for name, value in row.items() if value is not None}) + b"\n")
        n += 1
    return n


def _write_csv(rows: Iterable[Mapping[str, Value]], sink: IO[bytes], columns: Mapping[str, str]) -> int:
    line = io.StringIO()
    writer = csv.writer(line)
    writer.writerow(columns)
    n = 0
    for row in rows:
        writer.writerow([safe_cell(value) for value in row.values()])
        n += 1
        if n % 256 == 0:
            _drain(line, sink)
    _drain(line, sink)
    return n


def _drain(line: io.StringIO, sink: IO[bytes]) -> None:
    sink.write(line.getvalue().encode())
    line.seek(0)
    line.truncate()


def _write_parquet(rows: Iterator[Mapping[str, Value]], sink: IO[bytes], columns: Mapping[str, str]) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as exc:
        raise ConfigurationError(
            "Parquet needs pyarrow, which is not installed.", hint="pip install 'trimtab[parquet]', or --format jsonl."
        ) from exc
    # Any: pyarrow is untyped.
    types: dict[str, Any] = {"text": pa.string(), "count": pa.int64(), "number": pa.float64(), "flag": pa.bool_()}
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    n = 0
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        while chunk := list(islice(rows, _PARQUET_ROWS)):
            writer.write_table(pa.Table.from_pylist(chunk, schema=schema))
            n += len(chunk)
    return n
