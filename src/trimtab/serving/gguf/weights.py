"""Weights of a Hugging Face folder, read tensor by tensor from safetensors files.

The format is a length, a JSON table and the numbers, so it is read here: the package's own reader has no numpy form
for bfloat16. Source: https://huggingface.co/docs/safetensors, "Format".
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from trimtab.core.errors import ModelFileInvalid

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MAX_TABLE_BYTES: Final = 100_000_000
"""As the format's own reader limits it."""
_WIDTHS: Final = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
_CHUNK_BYTES: Final = 1 << 20


class _Slot(msgspec.Struct, frozen=True):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One tensor of a safetensors file, not read yet."""

    name: str
    path: Path
    dtype: str
    """``F64``, ``F32``, ``F16`` or ``BF16``."""
    shape: tuple[int, ...]
    offset: int

    def read(self) -> "npt.NDArray[np.float32]":
        """Return its values in 32-bit floats, which hold every value of the 16-bit types exactly."""
        return self.read_rows(0, math.prod(self.shape[:-1])).reshape(self.shape)

    def read_rows(self, first: int, count: int) -> "npt.NDArray[np.float32]":
        """Return some of its rows, all dimensions but the last taken as one: (count, row length)."""
        import numpy as np

        width = self.shape[-1] if self.shape else 1
        code = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}[self.dtype]
        offset = self.offset + first * width * _WIDTHS[self.dtype]
        values = np.fromfile(self.path, dtype=code, count=count * width, offset=offset)
        if self.dtype == "BF16":
            values = (values.astype(np.uint32) << 16).view(np.float32)
        return values.astype(np.float32, copy=False).reshape(count, width)


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Return the safetensors files of a folder, shards in the order of their names.

    Raises:
        ModelFileInvalid: there are none, or the index names one that is not there.
    """
    single = folder / "model.safetensors"
    if single.is_file():
        return (single,)
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        raise ModelFileInvalid(
            f"{folder} holds neither model.safetensors nor model.safetensors.index.json.",
            hint="Give the folder that `save_pretrained` wrote; pickled weights (.bin) are not read.",
        )
    names = sorted(set(_shards_of(index).values()))
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ModelFileInvalid(f"{index} names {missing[0]}, which is not there.", hint="Fetch all shards.")
    return tuple(folder / name for name in names)


def _shards_of(index: Path) -> Mapping[str, str]:
    table = json.loads(index.read_bytes())
    shards = table.get("weight_map") if isinstance(table, dict) else None
    if not isinstance(shards, dict) or not shards or any(Path(str(name)).name != name for name in shards.values()):
        raise ModelFileInvalid(f"{index} has no weight_map of file names.", hint="Fetch the model's files again.")
    return shards


def list_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of one safetensors file by name.

    Raises:
        ModelFileInvalid: not such a file, truncated, or it holds numbers that are no floats.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        n_bytes = int.from_bytes(file.read(8), "little")
        if size < 8 or n_bytes > min(size - 8, MAX_TABLE_BYTES):
            raise _damaged(path, f"its table of {n_bytes} bytes does not fit")
        table = file.read(n_bytes)
    try:
        raw = msgspec.json.decode(table, type=dict[str, msgspec.Raw])
        raw.pop("__metadata__", None)
        slots = {name: msgspec.json.decode(value, type=_Slot) for name, value in raw.items()}
    except msgspec.MsgspecError as exc:
        raise _damaged(path, f"its table cannot be read ({exc})") from exc
    return {name: _tensor(path, name, slot, 8 + n_bytes, size) for name, slot in slots.items()}


def _tensor(path: Path, name: str, slot: _Slot, start: int, size: int) -> Tensor:
    width = _WIDTHS.get(slot.dtype)
    if width is None:
        raise ModelFileInvalid(
            f"{path} holds {name} as {slot.dtype}; {', '.join(_WIDTHS)} can be exported.",
            hint="Export from weights that are not quantized yet.",
        )
    begin, end = slot.data_offsets
    if begin < 0 or end - begin != math.prod(slot.shape) * width or any(n < 0 for n in slot.shape):
        raise _damaged(path, f"{name} has {end - begin} bytes for shape {slot.shape} in {slot.dtype}")
    if start + end > size:
        raise _damaged(path, f"{name} ends at byte {start + end}, the file at {size}: it is truncated")
    return Tensor(name=name, path=path, dtype=slot.dtype, shape=tuple(slot.shape), offset=start + begin)


def _damaged(path: Path, what: str) -> ModelFileInvalid:
    return ModelFileInvalid(f"{path} is not a safetensors file or is damaged: {what}.", hint="Fetch or save it again.")


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def origin_of(folder: Path) -> str:
    """Return what identifies a folder's weights, whatever they are converted to.

    One file: its SHA-256, as the Hugging Face hub shows it. Shards: the SHA-256 of a line ``digest  name`` for each, as
    ``sha256sum`` prints them.
    """
    files = weight_files(folder)
    if len(files) == 1:
        return digest_of(files[0])
    lines = "".join(f"{digest_of(path)}  {path.name}\n" for path in files)
    return hashlib.sha256(lines.encode()).hexdigest()
