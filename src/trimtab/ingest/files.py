"""Rows out of files: JSON Lines, one JSON array, CSV or Parquet; plain, gzip or zstd. Never a whole file in memory."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import msgspec
import zstandard

from trimtab.core.errors import ConfigurationError
from trimtab.ingest.fields import EXACT_JSON, Value
from trimtab.ingest.rows import BadLine, Place

Container = Literal["jsonl", "json", "csv", "parquet"]

MAX_ROW_BYTES = 64 * 1024 * 1024
"""A longer line is refused unread, so that no file can use up memory."""

_PARQUET_BATCH = 1024
_READ_ERRORS = (OSError, EOFError, zlib.error, zstandard.ZstdError)


class RawRow(NamedTuple):
    """One row before anybody knows what it means."""

    place: Place
    row: dict[str, Value]


class Meter:
    """How far the reading of one file is, for a progress line; costs the reader nothing."""

    def __init__(self) -> None:
        self._position: Callable[[], float] = float

    def watch(self, position: Callable[[], float]) -> None:
        """Take the function that tells the share read so far."""
        self._position = position

    def fraction(self) -> float:
        """Return the share of the file read so far, 0 to 1; 1 once it is closed."""
        try:
            return self._position()
        except ValueError:  # the file is closed
            return 1.0


def read_rows(path: Path, meter: Meter | None = None) -> Iterator[RawRow | BadLine]:
    """Yield the rows of a file, whatever container it is, in order.

    Args:
        path: The file.
        meter: Told how far the reading is.

    Raises:
        ConfigurationError: the file cannot be opened, is not text, or ends in the middle of its compression.
    """
    container = container_of(path)
    if container == "parquet":
        yield from _parquet_rows(path, meter or Meter())
        return
    with _reading(path), open_bytes(path, meter) as stream:
        if container == "csv":
            yield from _csv_rows(path, stream)
        elif container == "json":
            yield from _json_array_rows(path, stream)
        else:
            yield from _jsonl_rows(path, stream)


def container_of(path: Path) -> Container:
    """Tell the container from the first bytes; the file's name does not matter.

    Raises:
        ConfigurationError: the file cannot be read or is empty.
    """
    with _reading(path), open_bytes(path) as stream:
        start = stream.read(65536)
    if start.startswith(b"PAR1"):
        return "parquet"
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise ConfigurationError(f"{path} is empty.", hint="Give a file with calls in it.")
    if text.startswith(b"["):
        return "json"
    if not text.startswith(b"{"):
        return "csv"
    # One object in the first line is JSON Lines; an object that goes on over lines, or wraps a list, is one document.
    first = text.split(b"\n", 1)[0]
    try:
        value = EXACT_JSON.decode(first)
    except msgspec.DecodeError:
        is_document = _array_start(text.decode("utf-8", "replace")) is not None
        return "json" if is_document else "jsonl"
    return "json" if isinstance(value, dict) and isinstance(value.get("data"), list) else "jsonl"


@contextmanager
def open_bytes(path: Path, meter: Meter | None = None) -> Iterator[IO[bytes]]:
    """Open a file for reading and undo gzip or zstd, told by the first bytes."""
    with path.open("rb") as plain:
        size = path.stat().st_size
        if meter is not None and size:
            meter.watch(lambda: plain.tell() / size)
        magic = plain.read(4)
        plain.seek(0)
        if magic[:2] == b"\x1f\x8b":
            with gzip.open(plain) as stream:
                yield io.BufferedReader(stream, 1 << 16)
        elif magic == b"\x28\xb5\x2f\xfd":
            yield io.BufferedReader(_ZstdFile(plain), 1 << 16)
        else:
            yield plain


class _ZstdFile(io.RawIOBase):
    """Decompressed bytes of one or more zstd frames. Unlike ``zstandard``'s own reader it notices a cut file."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._ready = b""
        self._input = b""
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._is_inside = False

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:  # Any: typeshed's name for a writable buffer is not importable at run time
        while not self._ready:
            # Few bytes at a time: zstd can blow up 3 bytes to 128 KiB, and memory should not depend on the file.
            self._input = self._input or self._source.read(2048)
            if not self._input:
                if self._is_inside:
                    raise EOFError("the zstd data ends in the middle of a frame")
                return 0
            self._ready = self._frame.decompress(self._input)
            self._is_inside, self._input = not self._frame.eof, self._frame.unused_data
            if not self._is_inside:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
        n = min(len(target), len(self._ready))
        target[:n], self._ready = self._ready[:n], self._ready[n:]
        return n


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as exc:
        raise ConfigurationError(f"There is no file {path}.", hint="Check the path.") from exc
    except IsADirectoryError as exc:
        raise ConfigurationError(f"{path} is a folder.", hint=f"Name its files, for example {path}/*.jsonl.") from exc
    except UnicodeDecodeError as exc:
        raise ConfigurationError(
            f"{path} is not UTF-8 text.", hint="Convert it, for example with `iconv -t utf-8`."
        ) from exc
    except _READ_ERRORS as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        raise ConfigurationError(
            f"{path} cannot be read to its end: {reason}.", hint="It may be cut or damaged; export it again."
        ) from exc


def _jsonl_rows(path: Path, stream: IO[bytes]) -> Iterator[RawRow | BadLine]:
    number = 0
    while line := stream.readline(MAX_ROW_BYTES + 1):
        number += 1
        place = Place(str(path), number)
        if len(line) > MAX_ROW_BYTES:
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_ROW_BYTES)
            yield BadLine(place=place, reason=f"the line is longer than {MAX_ROW_BYTES >> 20} MiB", text="")
            continue
        line = line.strip() if number > 1 else line.removeprefix(b"\xef\xbb\xbf").strip()
        if line:
            yield _decoded(place, line)


def _decoded(place: Place, line: bytes) -> RawRow | BadLine:
    try:
        value = EXACT_JSON.decode(line)
    except (msgspec.DecodeError, RecursionError) as exc:
        return BadLine(place=place, reason=f"not JSON: {exc}", text=line.decode("utf-8", "replace"))
    if not isinstance(value, dict):
        reason = f"a JSON {type(value).__name__}, not an object"
        return BadLine(place=place, reason=reason, text=line.decode("utf-8", "replace"))
    return RawRow(place, value)


def _array_start(text: str) -> int | None:
    """Return where the list begins, at the top or under ``data``; ``None`` when there is none."""
    text_start = len(text) - len(text.lstrip("\ufeff \t\r\n"))
    if text.startswith("[", text_start):
        return text_start + 1
    key = text.find('"data"', text_start)
    if key < 0:
        return None
    rest = text[key + 6 :].lstrip()
    if not rest.startswith(":") or not rest[1:].lstrip().startswith("["):
        return None
    return text.index("[", key) + 1


def _json_array_rows(path: Path, stream: IO[bytes]) -> Iterator[RawRow | BadLine]:
    """Cut one JSON list into its elements while reading, so that a file of any length needs one element's memory."""
    with io.TextIOWrapper(stream, encoding="utf-8") as reader:
        yield from _elements(path, reader)


def _elements(path: Path, reader: io.TextIOWrapper) -> Iterator[RawRow | BadLine]:
    scan = json.JSONDecoder(parse_float=Decimal).raw_decode
    buffer = reader.read(1 << 16)
    start = _array_start(buffer)
    if start is None:
        yield BadLine(place=Place(str(path), 1), reason="no list of rows at the top or under `data`", text="")
        return
    number = 1 + buffer.count("\n", 0, start)
    buffer = buffer[start:]
    while True:
        trimmed = buffer.lstrip(" \t\r\n,")
        number += buffer.count("\n", 0, len(buffer) - len(trimmed))
        buffer = trimmed
        if buffer.startswith("]"):
            return
        try:
            value, end = scan(buffer)
            is_whole = end < len(buffer)  # a number at the very end might go on
        except (json.JSONDecodeError, RecursionError):
            is_whole = False
        if not is_whole:
            more = reader.read(max(1 << 16, len(buffer)))
            if not more or len(buffer) > MAX_ROW_BYTES:
                reason = "the list breaks off or is not JSON from here on; nothing after it was read"
                yield BadLine(place=Place(str(path), number), reason=reason, text=buffer[:2000])
                return
            buffer += more
            continue
        place = Place(str(path), number)
        if isinstance(value, dict):
            yield RawRow(place, value)
        else:
            yield BadLine(place=place, reason=f"a JSON {type(value).__name__}, not an object", text=buffer[:end])
        number += buffer.count("\n", 0, end)
        buffer = buffer[end:]


def _csv_rows(path: Path, stream: IO[bytes]) -> Iterator[RawRow | BadLine]:
    csv.field_size_limit(MAX_ROW_BYTES)
    with io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
        yield from _records(path, text)


def _records(path: Path, text: io.TextIOWrapper) -> Iterator[RawRow | BadLine]:
    sample = text.readline(MAX_ROW_BYTES)
    delimiter = max(",;\t|", key=sample.count)
    header = next(csv.reader([sample], delimiter=delimiter), [])
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    while True:
        place = Place(str(path), reader.line_num + 2)
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            yield BadLine(place=place, reason=f"not CSV: {exc}", text="")
            continue
        if not cells:
            continue
        if len(cells) != len(header):
            reason = f"{len(cells)} cells under {len(header)} columns"
            yield BadLine(place=place, reason=reason, text=delimiter.join(cells))
            continue
        yield RawRow(place, {name: cell or None for name, cell in zip(header, cells, strict=True)})


def _parquet_rows(path: Path, meter: Meter) -> Iterator[RawRow | BadLine]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as exc:
        raise ConfigurationError(
            f"{path} is Parquet, and pyarrow is not installed.", hint="pip install 'trimtab[parquet]'"
        ) from exc
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            n_rows = file.metadata.num_rows or 1
            meter.watch(lambda: number / n_rows)
            for batch in file.iter_batches(batch_size=_PARQUET_BATCH):
                for row in _without_nanoseconds(batch).to_pylist():
                    number += 1
                    yield RawRow(Place(str(path), number), row)
    except (pa.ArrowException, OSError) as exc:
        raise ConfigurationError(
            f"{path} cannot be read as Parquet after row {number}: {exc}.", hint="It may be cut; export it again."
        ) from exc


def _without_nanoseconds(batch: Any) -> Any:
    """Cut nanosecond times to microseconds, which is what Python and the journal hold. ``Any``: pyarrow is untyped."""
    import pyarrow as pa

    for index, field in enumerate(batch.schema):
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            column = batch.column(index).cast(pa.timestamp("us", field.type.tz), safe=False)
            batch = batch.set_column(index, field.name, column)
    return batch
