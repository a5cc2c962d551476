"""The GGUF file format, read without trusting it: every count and length is checked before anything is made of it.

Source: ggml's ``docs/gguf.md``, versions 2 and 3, little-endian.
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO, Final

from trimtab.core.errors import ModelFileInvalid
from trimtab.serving.gguf.precision import TENSOR_TYPES, TensorType

MAGIC: Final = b"GGUF"
ALIGNMENT: Final = 32
MAX_DIMENSIONS: Final = 4
MAX_NAME_BYTES: Final = 64
"""llama.cpp's GGML_MAX_NAME, the closing zero included."""
MAX_HEADER_BYTES: Final = 128 * 1024 * 1024
"""A vocabulary of a million tokens with its merges takes about 50 MB."""
DAMAGED_HINT: Final = "Fetch or export the file again; it is damaged or was not written completely."


class Kind(IntEnum):
    """Type of a metadata value."""

    UINT8 = 0
    INT8 = 1
    UINT16 = 2
    INT16 = 3
    UINT32 = 4
    INT32 = 5
    FLOAT32 = 6
    BOOL = 7
    STRING = 8
    ARRAY = 9
    UINT64 = 10
    INT64 = 11
    FLOAT64 = 12


Scalar = int | float | bool | str
_PACKED: Final = {
    Kind.UINT8: "B",
    Kind.INT8: "b",
    Kind.UINT16: "H",
    Kind.INT16: "h",
    Kind.UINT32: "I",
    Kind.INT32: "i",
    Kind.FLOAT32: "f",
    Kind.BOOL: "?",
    Kind.UINT64: "Q",
    Kind.INT64: "q",
    Kind.FLOAT64: "d",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One metadata value, with the types it has in the file."""

    value: Scalar | tuple[Scalar, ...]
    kind: Kind
    item_kind: Kind | None = None
    """Of an array."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorEntry:
    """Where one tensor lies."""

    name: str
    shape: tuple[int, ...]
    """Rows first, as numpy has it; the file lists dimensions the other way round."""
    type: TensorType
    offset: int
    """Bytes from the start of the file."""
    n_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Everything in a GGUF file but its weights."""

    path: Path
    metadata: Mapping[str, Entry]
    tensors: tuple[TensorEntry, ...]
    size_bytes: int

    def text(self, key: str) -> str | None:
        """Return a string of the metadata; ``None`` where there is none."""
        entry = self.metadata.get(key)
        return entry.value if entry is not None and isinstance(entry.value, str) else None

    def count(self, key: str) -> int | None:
        """Return a whole number of the metadata; ``None`` where there is none."""
        entry = self.metadata.get(key)
        return entry.value if entry is not None and isinstance(entry.value, int) else None


def read_layout(path: Path) -> Layout:
    """Read the head of a GGUF file and check that all its tensors lie inside it.

    Raises:
        ModelFileInvalid: not GGUF, damaged, truncated, or laid out in a way that llama.cpp does not know.
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        reader = _Reader(file, path, size)
        n_tensors, n_values = reader.opening()
        metadata = dict(reader.pair() for _ in range(n_values))
        entries = [reader.tensor() for _ in range(n_tensors)]
        tensors = _placed(path, entries, _data_start(path, metadata, reader.position), size)
    return Layout(path=path, metadata=metadata, tensors=tensors, size_bytes=size)


class _Reader:
    def __init__(self, file: BinaryIO, path: Path, size: int) -> None:
        self._file = file
        self._path = path
        self._end = min(size, MAX_HEADER_BYTES)
        self.position = 0

    def opening(self) -> tuple[int, int]:
        if self._take(4) != MAGIC:
            raise ModelFileInvalid(f"{self._path} is not a GGUF file: it does not begin with GGUF.", hint=DAMAGED_HINT)
        (version,) = struct.unpack("<I", self._take(4))
        if version not in (2, 3):
            is_swapped = version & 0xFFFF == 0
            what = "written for a big-endian machine" if is_swapped else f"GGUF version {version}; 2 and 3 can be read"
            raise ModelFileInvalid(f"{self._path} is {what}.", hint="Convert it again with a current tool.")
        n_tensors, n_values = self._number(), self._number()
        self._fits(n_tensors, 24, "tensors")  # name length, dimensions, type and offset
        self._fits(n_values, 13, "metadata values")  # name length, type and one byte
        return n_tensors, n_values

    def pair(self) -> tuple[str, Entry]:
        key = self._string()
        kind = self._kind()
        if kind is not Kind.ARRAY:
            return key, Entry(self._value(kind), kind)
        item_kind = self._kind()
        if item_kind is Kind.ARRAY:
            raise self._damaged(f"{key} is an array of arrays")
        return key, Entry(self._array(item_kind), kind, item_kind)

    def tensor(self) -> tuple[str, tuple[int, ...], int, int]:
        name = self._string()
        (n_dims,) = struct.unpack("<I", self._take(4))
        if not 1 <= n_dims <= MAX_DIMENSIONS or len(name.encode()) >= MAX_NAME_BYTES:
            raise self._damaged(f"a tensor has {n_dims} dimensions and a name of {len(name)} characters")
        shape = struct.unpack(f"<{n_dims}Q", self._take(8 * n_dims))
        (number,) = struct.unpack("<I", self._take(4))
        return name, tuple(reversed(shape)), number, self._number()

    def _array(self, kind: Kind) -> tuple[Scalar, ...]:
        n_items = self._number()
        if kind is Kind.STRING:
            self._fits(n_items, 8, "strings")
            # Tokens may be parts of characters; they are copied as they are.
            return tuple(self._bytes().decode("utf-8", "surrogateescape") for _ in range(n_items))
        code = _PACKED[kind]
        width = struct.calcsize(f"<{code}")
        self._fits(n_items, width, "numbers")
        return struct.unpack(f"<{n_items}{code}", self._take(n_items * width))

    def _value(self, kind: Kind) -> Scalar:
        if kind is Kind.STRING:
            return self._string()
        code = _PACKED[kind]
        value: Scalar = struct.unpack(f"<{code}", self._take(struct.calcsize(f"<{code}")))[0]
        return value

    def _kind(self) -> Kind:
        (number,) = struct.unpack("<I", self._take(4))
        try:
            return Kind(number)
        except ValueError:
            raise self._damaged(f"metadata of type {number}, which does not exist") from None

    def _string(self) -> str:
        try:
            return self._bytes().decode()
        except UnicodeDecodeError:
            raise self._damaged("a text is not UTF-8") from None

    def _bytes(self) -> bytes:
        n_bytes = self._number()
        self._fits(n_bytes, 1, "bytes of text")
        return self._take(n_bytes)

    def _number(self) -> int:
        value: int = struct.unpack("<Q", self._take(8))[0]
        return value

    def _fits(self, count: int, width: int, what: str) -> None:
        if count * width > self._end - self.position:
            raise self._damaged(f"it announces {count} {what}, more than the rest of the file can hold")

    def _take(self, count: int) -> bytes:
        if count > self._end - self.position:
            raise self._damaged("its header goes on beyond its end")
        self.position += count
        return self._file.read(count)

    def _damaged(self, what: str) -> ModelFileInvalid:
        return ModelFileInvalid(f"{self._path} is damaged near byte {self.position}: {what}.", hint=DAMAGED_HINT)


def _data_start(path: Path, metadata: Mapping[str, Entry], header_end: int) -> int:
    entry = metadata.get("general.alignment")
    alignment = ALIGNMENT if entry is None else entry.value
    if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
        raise ModelFileInvalid(f"{path} is damaged: alignment {alignment!r} is no power of two.", hint=DAMAGED_HINT)
    return -(-header_end // alignment) * alignment


def _placed(
    path: Path, entries: list[tuple[str, tuple[int, ...], int, int]], start: int, size: int
) -> tuple[TensorEntry, ...]:
    placed: dict[str, TensorEntry] = {}
    for name, shape, number, offset in entries:
        kind = TENSOR_TYPES.get(number)
        if kind is None:
            raise ModelFileInvalid(
                f"{path} holds {name} in tensor type {number}, which is unknown.", hint="Quantize it again."
            )
        if name in placed or 0 in shape or shape[-1] % kind.n_weights:
            raise ModelFileInvalid(
                f"{path} is damaged: tensor {name} of shape {shape} in {kind.name} occurs twice or cannot exist.",
                hint=DAMAGED_HINT,
            )
        n_bytes = math.prod(shape) // kind.n_weights * kind.n_bytes
        if start + offset + n_bytes > size:
            raise ModelFileInvalid(
                f"{path} is truncated: {name} ends at byte {start + offset + n_bytes}, the file at {size}.",
                hint=DAMAGED_HINT,
            )
        placed[name] = TensorEntry(name=name, shape=shape, type=kind, offset=start + offset, n_bytes=n_bytes)
    return tuple(placed.values())
