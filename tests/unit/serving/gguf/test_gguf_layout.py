import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trimtab.core.errors import ModelFileInvalid
from trimtab.serving.gguf.layout import Kind, read_layout


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def pair(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def tensor(name: str, sizes: tuple[int, ...], kind: int, offset: int) -> bytes:
    return text(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, kind, offset)


def head(n_tensors: int, n_values: int, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, n_tensors, n_values)


def whole_file() -> bytes:
    """A model of one tensor: 2 rows of 32 weights in q8_0, 68 bytes."""
    start = head(1, 2) + pair("general.architecture", Kind.STRING, text("llama"))
    start += pair("general.tags", Kind.ARRAY, struct.pack("<IQ", Kind.STRING, 2) + text("a") + text("b"))
    start += tensor("output.weight", (32, 2), 8, 0)
    return start + bytes(-len(start) % 32) + bytes(68)


WHOLE = whole_file()


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_head_is_read_with_rows_first(tmp_path: Path) -> None:
    layout = read_layout(written(tmp_path / "m.gguf", WHOLE))

    assert layout.text("general.architecture") == "llama"
    assert layout.metadata["general.tags"].value == ("a", "b")
    assert [(one.name, one.shape, one.type.name, one.n_bytes) for one in layout.tensors] == [
        ("output.weight", (2, 32), "q8_0", 68)
    ]


@pytest.mark.parametrize("length", range(0, len(WHOLE), 7))
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, length: int) -> None:
    with pytest.raises(ModelFileInvalid):
        read_layout(written(tmp_path / "m.gguf", WHOLE[:length]))


def test_missing_weights_are_called_truncated(tmp_path: Path) -> None:
    with pytest.raises(ModelFileInvalid, match=r"truncated: output\.weight ends at byte \d+, the file at \d+"):
        read_layout(written(tmp_path / "m.gguf", WHOLE[:-1]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04" + bytes(60), "not a GGUF file"),
        (head(0, 0, version=1), "GGUF version 1"),
        (head(0, 0, version=0x03000000), "big-endian"),
        (head(0, 1) + pair("k", 99, bytes(8)), "type 99"),
        (head(0, 1) + pair("k", Kind.ARRAY, struct.pack("<IQ", Kind.ARRAY, 1)), "array of arrays"),
        (head(0, 1) + pair("general.alignment", Kind.UINT32, struct.pack("<I", 24)) + bytes(64), "power of two"),
        (head(1, 0) + tensor("t", (32,), 77, 0) + bytes(64), "tensor type 77"),
        (head(1, 0) + tensor("t", (33,), 8, 0) + bytes(64), "cannot exist"),
        (head(1, 0) + tensor("t", (0,), 0, 0) + bytes(64), "cannot exist"),
        (head(2, 0) + 2 * tensor("t", (1,), 0, 0) + bytes(64), "occurs twice"),
        (head(1, 0) + tensor("t" * 64, (1,), 0, 0) + bytes(64), "name of 64"),
    ],
)
def test_bad_input_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(ModelFileInvalid, match=message):
        read_layout(written(tmp_path / "m.gguf", content))


@pytest.mark.parametrize(
    "content",
    [
        head(2**60, 0),
        head(0, 2**60),
        head(0, 1) + text("k") + struct.pack("<IQ", Kind.STRING, 2**50),
        head(0, 1) + pair("k", Kind.ARRAY, struct.pack("<IQ", Kind.UINT8, 2**40)),
        head(0, 1) + pair("k", Kind.ARRAY, struct.pack("<IQ", Kind.STRING, 2**40)),
        head(1, 0) + tensor("t", (2**62, 2**62), 0, 2**63) + bytes(64),
    ],
)
def test_huge_counts_cost_no_memory(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path / "m.gguf", content + bytes(64))
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileInvalid):
            read_layout(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.integers(0, len(WHOLE) - 69), value=st.integers(0, 255))
def test_a_damaged_byte_never_escapes_as_another_error(tmp_path: Path, place: int, value: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[place] = value
    try:
        layout = read_layout(written(tmp_path / "m.gguf", bytes(damaged)))
    except ModelFileInvalid:
        return
    assert all(one.offset + one.n_bytes <= layout.size_bytes for one in layout.tensors)
