"""A GGUF file written tensor by tensor, and seen under its name only when it is whole."""

import math
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from trimtab.core.errors import ConfigurationError, ModelFileInvalid
from trimtab.serving.gguf.layout import Entry, Kind, Scalar
from trimtab.serving.gguf.precision import FLOATS, TENSOR_TYPES, TensorType

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from gguf import GGUFWriter

    Numbers = npt.NDArray[np.float32]
    Raw = npt.NDArray[np.uint8]

MAX_HALF: Final = 65_504.0
"""Largest number in 16 bits, which every block's scale is written in, too."""
PIECE_WEIGHTS: Final = 4 * 1024 * 1024
"""Numbers converted at a time; conversion takes about four times their 16 MiB."""
Progress = Callable[[int, int], None]
"""Called after each tensor with the bytes written so far and in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTensor:
    """One tensor to write; its bytes are made when their turn comes."""

    name: str
    shape: tuple[int, ...]
    """Rows first."""
    type: TensorType
    make: "Callable[[], Raw]"

    @property
    def n_bytes(self) -> int:
        """Return its size in the file, without padding."""
        return math.prod(self.shape) // self.type.n_weights * self.type.n_bytes


def string(value: str) -> Entry:
    """Return a string for the metadata."""
    return Entry(value, Kind.STRING)


def whole(value: int) -> Entry:
    """Return a count for the metadata."""
    return Entry(value, Kind.UINT32)


def real(value: float) -> Entry:
    """Return a number for the metadata."""
    return Entry(value, Kind.FLOAT32)


def flag(*, value: bool) -> Entry:
    """Return a yes or no for the metadata."""
    return Entry(value, Kind.BOOL)


def listed(values: Sequence[Scalar], kind: Kind) -> Entry:
    """Return a list for the metadata."""
    return Entry(tuple(values), Kind.ARRAY, kind)


def encoded(values: "Numbers", kind: TensorType) -> "Raw":
    """Return numbers as the bytes of a tensor type. The last dimension must be whole blocks."""
    import numpy as np
    from gguf import GGMLQuantizationType, quants

    blocks = quants.quantize(np.ascontiguousarray(values, dtype=np.float32), GGMLQuantizationType(kind.number))
    return np.ascontiguousarray(blocks).view(np.uint8)


def encoded_finite(name: str, values: "Numbers", kind: TensorType) -> "Raw":
    """Return :func:`encoded` numbers, none of which is infinite or not a number.

    Raises:
        ModelFileInvalid: one is, or does not fit into 16 bits; a runtime would answer nonsense without a word.
    """
    import numpy as np

    largest = float(np.max(np.abs(values), initial=0.0))  # NaN wins every comparison here
    if not np.isfinite(largest):
        raise ModelFileInvalid(f"{name} holds values that are no numbers or infinite.", hint="The training diverged.")
    if kind.name != "bf16" and kind.name != "f32" and largest > MAX_HALF:
        raise ModelFileInvalid(
            f"{name} holds {largest:g}; {kind.name} ends at {MAX_HALF:g}.", hint="Export to bf16 or f32 instead."
        )
    return encoded(values, kind)


def encoded_in_pieces(
    name: str, shape: Sequence[int], kind: TensorType, read_rows: "Callable[[int, int], Numbers]"
) -> "Raw":
    """Return a tensor's bytes, made from ``PIECE_WEIGHTS`` of its numbers at a time.

    Args:
        name: For messages.
        shape: Rows first.
        kind: What to write.
        read_rows: Returns the rows from a first one on, all dimensions but the last taken as one.

    Raises:
        ModelFileInvalid: as for :func:`encoded_finite`.
    """
    import numpy as np

    n_rows, width = math.prod(shape[:-1]), shape[-1]
    row_bytes = width // kind.n_weights * kind.n_bytes
    step = max(1, PIECE_WEIGHTS // width)
    whole_tensor = np.empty((n_rows, row_bytes), dtype=np.uint8)
    for first in range(0, n_rows, step):
        count = min(step, n_rows - first)
        piece = encoded_finite(name, read_rows(first, count), kind)
        whole_tensor[first : first + count] = piece.reshape(count, row_bytes)
    return whole_tensor


def decoded(raw: "Raw", kind: TensorType) -> "Numbers":
    """Return the numbers in the bytes of a tensor, the last dimension counted in bytes before and in weights after."""
    import numpy as np
    from gguf import GGMLQuantizationType, quants

    return quants.dequantize(raw, GGMLQuantizationType(kind.number)).astype(np.float32, copy=False)


def stored_type(name: str, shape: Sequence[int], wanted: str) -> str:
    """Return the type a tensor gets when a file is written in ``wanted``.

    As llama.cpp decides it: vectors and norms stay in 32 bits, the rest is of the wanted type when its rows are whole
    blocks, and otherwise in 16 bits.
    """
    is_matrix = len(shape) > 1 and name.endswith(".weight") and not name.endswith("_norm.weight")
    if not is_matrix or name in {"rope_freqs.weight", "position_embd.weight", "token_types.weight"}:
        return "f32"
    if wanted in FLOATS:
        return wanted
    n_weights = next(kind.n_weights for kind in TENSOR_TYPES.values() if kind.name == wanted)
    return wanted if shape[-1] % n_weights == 0 else "f16"


def write_gguf(
    target: Path,
    architecture: str,
    metadata: Mapping[str, Entry],
    tensors: Sequence[PlannedTensor],
    *,
    progress: Progress | None = None,
) -> None:
    """Write a file; memory holds the bytes of one tensor at a time.

    Args:
        target: Its name; a file that is there is replaced once the new one is whole.
        architecture: llama.cpp's name.
        metadata: In the order of the file.
        tensors: In the order of the file.
        progress: Called after each tensor.

    Raises:
        ConfigurationError: the disk has not enough room, asked before anything is written.
        OSError: the folder cannot be written.
    """
    total = sum(tensor.n_bytes for tensor in tensors)
    _check_room(target, total)
    with replacing(target) as unfinished:
        writer = _opened(unfinished, architecture, metadata, tensors)
        done = 0
        try:
            for tensor in tensors:
                writer.write_tensor_data(tensor.make().reshape(-1))
                done += tensor.n_bytes
                if progress is not None:
                    progress(done, total)
        finally:
            writer.close()


def _opened(
    path: Path, architecture: str, metadata: Mapping[str, Entry], tensors: Sequence[PlannedTensor]
) -> "GGUFWriter":
    import numpy as np
    from gguf import GGMLQuantizationType, GGUFValueType, GGUFWriter

    writer = GGUFWriter(path, architecture)
    for key, entry in metadata.items():
        if key != "general.architecture" and entry.value != ():
            items = None if entry.item_kind is None else GGUFValueType(entry.item_kind)
            writer.add_key_value(key, _as_written(entry), GGUFValueType(entry.kind), items)
    for tensor in tensors:
        kind = GGMLQuantizationType(tensor.type.number)
        # Any 16-bit type says "these are weights, not bytes": the shape is then taken as it is.
        writer.add_tensor_info(tensor.name, tensor.shape, np.dtype(np.float16), tensor.n_bytes, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    return writer


def _as_written(entry: Entry) -> "Scalar | tuple[Scalar | bytes, ...]":
    if not isinstance(entry.value, tuple):
        return entry.value
    return tuple(one.encode("utf-8", "surrogateescape") if isinstance(one, str) else one for one in entry.value)


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Lend a name beside ``target``; it takes its place when the block ends, and is removed when it fails."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield unfinished
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _check_room(target: Path, n_bytes: int) -> None:
    folder = next(parent for parent in target.absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    if n_bytes > free:
        raise ConfigurationError(
            f"{target} takes {n_bytes / 1e9:.2f} GB and its disk has {free / 1e9:.2f} GB left.",
            hint="Free some space, or name a target on another disk.",
        )
