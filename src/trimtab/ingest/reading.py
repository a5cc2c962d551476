"""Files in, journal entries out: tells the format, streams the rows, and turns what cannot be read into bad lines."""

import difflib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Literal, get_args

import msgspec

from trimtab.core import JournalEntry, derived_call_id
from trimtab.core.errors import ConfigurationError
from trimtab.ingest.batches import BatchRequests
from trimtab.ingest.fields import FieldError, Fields
from trimtab.ingest.files import Meter, RawRow, container_of, read_rows
from trimtab.ingest.flat import unflatten
from trimtab.ingest.langfuse import read_observation
from trimtab.ingest.litellm import read_spend_log
from trimtab.ingest.openai_log import read_batch_line, read_pair
from trimtab.ingest.outcomes import read_outcome
from trimtab.ingest.rows import BadLine, ImportOptions, Row, Skipped
from trimtab.ingest.table import read_mapped

Format = Literal["trimtab", "openai", "openai-batch", "litellm", "langfuse", "outcomes", "table"]
FORMATS: tuple[Format, ...] = get_args(Format)

_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=str)
_SIGNS: dict[Format, tuple[frozenset[str], ...]] = {
    "trimtab": (frozenset({"call_id", "started_at", "source", "store_mode"}),),
    "openai-batch": (frozenset({"custom_id", "response"}), frozenset({"custom_id", "body", "url"})),
    "openai": (frozenset({"request", "response"}),),
    "litellm": (frozenset({"request_id", "spend", "startTime"}), frozenset({"request_id", "spend", "start_time"})),
    "langfuse": (
        frozenset({"id", "traceId", "startTime"}),
        frozenset({"id", "trace_id", "start_time", "usage_details"}),
    ),
    "outcomes": (frozenset({"prompt_id", "model", "score"}),),
}
"""Columns that only this format has together; the first format that fits is it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file to import, and how to read it."""

    path: Path
    format: Format | None = None
    """``None`` tells it from the first row."""
    options: ImportOptions = field(default_factory=ImportOptions)
    mapping: Mapping[str, str] = field(default_factory=dict)
    """``field -> column``, for ``table``."""
    requests: Path | None = None
    """The input file of an OpenAI batch, for its output file."""


def read_calls(source: Source, meter: Meter | None = None) -> Iterator[Row]:
    """Yield each row of a file as a journal entry, a bad line, or a line that is no call.

    Args:
        source: The file, and what the person importing says about it.
        meter: Told how far the reading is.

    Yields:
        Rows in the file's order; memory stays that of a few rows, whatever the file's length.

    Raises:
        ConfigurationError: the file cannot be read, its format cannot be told, or the mapping names a missing column.
    """
    rows = read_rows(source.path, meter)
    seen: list[RawRow | BadLine] = []
    for row in rows:
        seen.append(row)
        if isinstance(row, RawRow) or len(seen) == 100:
            break
    first = next((row for row in seen if isinstance(row, RawRow)), None)
    if first is None:  # nothing readable: report why, line by line
        yield from (row for row in chain(seen, rows) if isinstance(row, BadLine))
        return
    name = source.format or format_of(first, source)
    with closing(BatchRequests.of(source.requests)) as requests:
        convert = _converter(source, name, first, requests)
        for row in chain(seen, rows):
            yield row if isinstance(row, BadLine) else _converted(row, convert)


def format_of(row: RawRow, source: Source) -> Format:
    """Tell the format from the names of a row's columns.

    Raises:
        ConfigurationError: the columns fit no known format and no mapping was given.
    """
    if source.mapping:
        return "table"
    names = row.row.keys()
    for name, signs in _SIGNS.items():
        if any(sign <= names for sign in signs):
            return name
    found = ", ".join(str(column)[:40] for column in list(names)[:12])
    raise ConfigurationError(
        f"{source.path} is in no format that is known by its columns ({found or 'it has none'}).",
        hint="Name the format with --format, or say which column is which: --map model=COLUMN --map cost_usd=COLUMN.",
    )


_Convert = Callable[[Fields, RawRow], JournalEntry | str]


def _converter(source: Source, name: Format, first: RawRow, requests: BatchRequests) -> _Convert:
    options = source.options
    converters: dict[Format, _Convert] = {
        "openai-batch": lambda fields, raw: read_batch_line(fields, requests.find(fields), options),
        "table": lambda fields, raw: read_mapped(fields, source.mapping, options, line=raw.place.line),
        "trimtab": lambda fields, raw: unflatten(fields),
        "openai": lambda fields, raw: read_pair(fields, options, row_digest=_digest(raw)),
        "litellm": lambda fields, raw: read_spend_log(fields, options),
        "langfuse": lambda fields, raw: read_observation(fields, options),
        "outcomes": lambda fields, raw: read_outcome(fields, options),
    }
    if name == "table":
        _check_table(source, first)
    return converters[name]


def _check_table(source: Source, first: RawRow) -> None:
    if not source.mapping:
        raise ConfigurationError(
            f"{source.path} is to be read as a table, and no column is mapped.",
            hint="Say which column is which: --map model=COLUMN --map cost_usd=COLUMN, or --mapping FILE.",
        )
    for field_name, column in source.mapping.items():
        # A JSON row may leave out what it does not know; a column of a table is there or misspelt.
        if column not in first.row and container_of(source.path) in ("csv", "parquet"):
            near = difflib.get_close_matches(column, first.row, n=1)
            raise ConfigurationError(
                f"{source.path} has no column {column!r}, which {field_name} is mapped to.",
                hint=f"Did you mean {near[0]!r}?" if near else f"Columns: {', '.join(list(first.row)[:20])}.",
            )


def _converted(raw: RawRow, convert: _Convert) -> Row:
    try:
        result = convert(Fields(raw.row), raw)
    except FieldError as exc:
        return BadLine(place=raw.place, reason=str(exc), text=_ENCODER.encode(raw.row).decode())
    return Skipped(place=raw.place, reason=result) if isinstance(result, str) else result


def _digest(raw: RawRow) -> str:
    return derived_call_id(str(raw.place.line), _ENCODER.encode(raw.row).decode())
