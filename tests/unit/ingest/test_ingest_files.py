import gzip
import json
from pathlib import Path

import pytest
import zstandard

from trimtab.core.errors import ConfigurationError
from trimtab.ingest import files
from trimtab.ingest.files import RawRow, container_of, read_rows
from trimtab.ingest.rows import BadLine

ROWS = [{"model": "m", "n": index, "text": 'a "]" b\n{c}'} for index in range(300)]
JSONL = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def _written(folder: Path, content: bytes, name: str = "calls.any") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def _good(path: Path) -> list[dict[str, object]]:
    return [row.row for row in read_rows(path) if isinstance(row, RawRow)]


@pytest.mark.parametrize(
    "content",
    [
        JSONL,
        b"\xef\xbb\xbf" + JSONL,
        JSONL.replace(b"\n", b"\r\n\r\n"),
        gzip.compress(JSONL),
        zstandard.compress(JSONL),
        zstandard.compress(JSONL[:1]) + zstandard.compress(JSONL[1:]),
        json.dumps(ROWS).encode(),
        json.dumps(ROWS, indent=2).encode(),
        json.dumps({"data": ROWS, "total": 300}).encode(),
        json.dumps({"data": ROWS}, indent=1).encode(),
    ],
    ids=["jsonl", "bom", "crlf", "gzip", "zstd", "two-frames", "array", "indented", "wrapped", "wrapped-indented"],
)
def test_the_same_rows_come_out_of_every_container(tmp_path: Path, content: bytes) -> None:
    assert _good(_written(tmp_path, content)) == ROWS


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_keeps_quoted_line_breaks(tmp_path: Path, delimiter: str) -> None:
    text = delimiter.join(["model", "prompt"]) + "\n" + delimiter.join(["m", '"two\nlines"']) + "\n"

    assert _good(_written(tmp_path, text.encode())) == [{"model": "m", "prompt": "two\nlines"}]


def test_parquet_reads_nanosecond_times(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "calls.parquet"
    pq.write_table(pa.table({"at": pa.array([1_714_564_800_000_000_123], pa.timestamp("ns", "UTC"))}), path)

    (row,) = _good(path)

    assert container_of(path) == "parquet"
    assert str(row["at"]) == "2024-05-01 12:00:00+00:00"


def test_bad_lines_are_named_by_file_and_line_and_the_rest_is_read(tmp_path: Path) -> None:
    path = _written(tmp_path, b'{"a": 1}\nnot json\n[1]\n\n{"a": 2}\n{"a": \xff}\n')

    rows = list(read_rows(path))

    bad = [row for row in rows if isinstance(row, BadLine)]
    assert [(row.place.file, row.place.line) for row in bad] == [(str(path), 2), (str(path), 3), (str(path), 6)]
    assert bad[0].reason.startswith("not JSON")
    assert bad[1].reason == "a JSON list, not an object"
    assert [row["a"] for row in _good(path)] == [1, 2]


def test_nesting_that_would_exhaust_the_stack_is_a_bad_line(tmp_path: Path) -> None:
    path = _written(tmp_path, b'{"a": 1}\n{"a": ' + b"[" * 100_000 + b"\n")

    assert [type(row) for row in read_rows(path)] == [RawRow, BadLine]


def test_a_line_longer_than_the_limit_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_ROW_BYTES", 1000)
    path = _written(tmp_path, b'{"a": 1}\n{"a": "' + b"x" * 5000 + b'"}\n{"a": 2}\n')

    rows = list(read_rows(path))

    assert [type(row) for row in rows] == [RawRow, BadLine, RawRow]
    assert isinstance(rows[2], RawRow)
    assert rows[2].place.line == 3


def test_a_list_that_breaks_off_keeps_what_came_before(tmp_path: Path) -> None:
    rows = list(read_rows(_written(tmp_path, b'[\n{"a": 1},\n{"a": 2},\n{"a": ')))

    assert [type(row) for row in rows] == [RawRow, RawRow, BadLine]
    assert isinstance(rows[2], BadLine)
    assert rows[2].place.line == 4


def test_csv_rows_of_another_width_are_bad(tmp_path: Path) -> None:
    rows = list(read_rows(_written(tmp_path, b"a,b\n1,2\n1\n3,4\n")))

    assert [type(row) for row in rows] == [RawRow, BadLine, RawRow]
    assert isinstance(rows[1], BadLine)
    assert rows[1].place.line == 3


@pytest.mark.parametrize("content", [gzip.compress(JSONL)[:-20], zstandard.compress(JSONL * 50)[:-20]])
def test_a_cut_archive_says_so(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read to its end"):
        list(read_rows(_written(tmp_path, content)))


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    for path, reason in [
        (tmp_path / "absent.jsonl", "There is no file"),
        (tmp_path, "is a folder"),
        (_written(tmp_path, b"", "empty"), "is empty"),
        (_written(tmp_path, b"a,b\n\xff\xfe,1\n", "latin.csv"), "not UTF-8"),
        (_written(tmp_path, b"PAR1 and nothing more", "cut.parquet"), "cannot be read as Parquet"),
    ]:
        with pytest.raises(ConfigurationError, match=reason) as caught:
            list(read_rows(path))
        assert str(path) in caught.value.message
