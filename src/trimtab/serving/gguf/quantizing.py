"""A GGUF model in fewer bits: here with numpy, K-quants with llama.cpp's own quantizer."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from trimtab.core.errors import ModelFileInvalid
from trimtab.serving.gguf.description import (
    METHOD_KEY,
    NOTES_KEY,
    ORIGIN_KEY,
    PARENT_KEY,
    GgufInfo,
    read_gguf,
)
from trimtab.serving.gguf.exporting import QUANTIZATION_VERSION, kept_notes
from trimtab.serving.gguf.k_quantizer import find_k_quantizer
from trimtab.serving.gguf.layout import Entry, Kind, Layout, TensorEntry, read_layout
from trimtab.serving.gguf.needed import require
from trimtab.serving.gguf.precision import FILE_TYPE_NUMBER, FLOATS, GGUF_TYPES, K_QUANTS, TYPE_NAMED, KQuant
from trimtab.serving.gguf.weights import digest_of
from trimtab.serving.gguf.writing import (
    PlannedTensor,
    Progress,
    decoded,
    encoded_in_pieces,
    listed,
    replacing,
    stored_type,
    string,
    whole,
    write_gguf,
)

if TYPE_CHECKING:
    from trimtab.serving.gguf.writing import Numbers, Raw

_READABLE: Final = frozenset({"f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0"})


def quantize(
    source: Path, target: Path, to: str, *, requantize: bool = False, progress: Progress | None = None
) -> GgufInfo:
    """Write a model in another precision, and where it came from into its metadata.

    Which tensors are quantized is llama.cpp's rule: vectors and norms stay in 32 bits; the output layer, or the
    embedding where it serves as one, gets at least ``q8_0`` (llama.cpp gives it ``q6_k``); rows that are no whole
    blocks stay in 16 bits, and a note says so. Memory holds the new bytes of one tensor at a
    time.

    Args:
        source: A model in ``f32``, ``f16`` or ``bf16``.
        target: The new file; it appears only when it is whole.
        to: One of ``GGUF_TYPES``, or of ``K_QUANTS`` where llama.cpp's quantizer is installed.
        requantize: Take a source that is quantized already; its errors add to the new ones.
        progress: Called after each tensor; for K-quants once, at the end.

    Raises:
        ModelFileInvalid: the source is damaged, an adapter or quantized already, or ``to`` is no precision.
        ConfigurationError: a package or llama.cpp's quantizer is not installed, or the disk is full.
        EngineError: llama.cpp's quantizer failed.
    """
    require("numpy", "gguf")
    if to not in GGUF_TYPES and to not in K_QUANTS:
        raise ModelFileInvalid(
            f"{to!r} is no precision.", hint=f"One of {', '.join(GGUF_TYPES)}; with llama.cpp {', '.join(K_QUANTS)}."
        )
    quantizer = find_k_quantizer(to) if to in K_QUANTS else None
    _check_source(read_gguf(source), target, requantize=requantize)
    if quantizer is None:
        _quantize_here(source, target, to, progress)
    else:
        with replacing(target) as unfinished:
            quantizer.quantize(source, unfinished, cast(KQuant, to))  # tested against K_QUANTS above
            _stamped(unfinished, source, quantizer.name, progress)
    return read_gguf(target)


def _check_source(source: GgufInfo, target: Path, *, requantize: bool) -> None:
    if target.exists() and target.samefile(source.path):
        raise ModelFileInvalid(f"{target} would replace its own source.", hint="Name another target.")
    if source.n_parts > 1:
        raise ModelFileInvalid(
            f"{source.path} is one of {source.n_parts} parts.", hint="Merge them with llama-gguf-split first."
        )
    if source.kind == "adapter":
        raise ModelFileInvalid(f"{source.path} is an adapter.", hint="Quantize its base; it goes with any precision.")
    if source.precision not in FLOATS and not requantize:
        raise ModelFileInvalid(
            f"{source.path} is quantized already ({source.precision}); quantizing it again adds both errors.",
            hint="Start from its f16 or f32 file.",
        )


def _quantize_here(source: Path, target: Path, to: str, progress: Progress | None) -> None:
    layout = read_layout(source)
    tensors = [_planned(layout, tensor, to) for tensor in layout.tensors]
    metadata = {
        **layout.metadata,
        "general.file_type": whole(FILE_TYPE_NUMBER[to]),
        "general.quantization_version": whole(QUANTIZATION_VERSION),
        **_lineage(layout, source, f"trimtab quantize {to}", list(kept_notes(tensors, to))),
    }
    write_gguf(target, layout.text("general.architecture") or "", metadata, tensors, progress=progress)


def _planned(layout: Layout, tensor: TensorEntry, to: str) -> PlannedTensor:
    kind = TYPE_NAMED[_wanted(layout, tensor, to)]
    if kind == tensor.type:
        return PlannedTensor(name=tensor.name, shape=tensor.shape, type=kind, make=_reader(layout.path, tensor))
    if tensor.type.name not in _READABLE:
        raise ModelFileInvalid(
            f"{layout.path} holds {tensor.name} in {tensor.type.name}, which is not read here.",
            hint="Start from its f16 or f32 file.",
        )

    def read_rows(first: int, count: int) -> "Numbers":
        n_bytes = tensor.n_bytes // math.prod(tensor.shape[:-1])
        raw = _raw(layout.path, tensor.offset + first * n_bytes, count * n_bytes)
        return decoded(raw.reshape(count, n_bytes), tensor.type)

    def make() -> "Raw":
        return encoded_in_pieces(tensor.name, tensor.shape, kind, read_rows)

    return PlannedTensor(name=tensor.name, shape=tensor.shape, type=kind, make=make)


def _wanted(layout: Layout, tensor: TensorEntry, to: str) -> str:
    has_output = any(other.name == "output.weight" for other in layout.tensors)
    is_output = tensor.name == ("output.weight" if has_output else "token_embd.weight")
    if tensor.type.name not in FLOATS and len(tensor.shape) == 1:
        return tensor.type.name  # whole numbers, such as a table of positions
    return stored_type(tensor.name, tensor.shape, "q8_0" if is_output and to not in FLOATS else to)


def _raw(path: Path, offset: int, n_bytes: int) -> "Raw":
    import numpy as np

    return np.fromfile(path, dtype=np.uint8, count=n_bytes, offset=offset)


def _stamped(path: Path, source: Path, method: str, progress: Progress | None) -> None:
    """Write a file of llama.cpp's quantizer again, with its lineage."""
    layout = read_layout(path)
    tensors = [
        PlannedTensor(name=one.name, shape=one.shape, type=one.type, make=_reader(path, one)) for one in layout.tensors
    ]
    metadata = {**layout.metadata, **_lineage(read_layout(source), source, method, [])}
    write_gguf(path, layout.text("general.architecture") or "", metadata, tensors, progress=progress)


def _reader(path: Path, tensor: TensorEntry) -> Callable[[], "Raw"]:
    return lambda: _raw(path, tensor.offset, tensor.n_bytes)


def _lineage(layout: Layout, source: Path, method: str, notes: list[str]) -> Mapping[str, Entry]:
    parent = digest_of(source)
    earlier = layout.metadata.get(NOTES_KEY)
    said = list(earlier.value) if earlier is not None and isinstance(earlier.value, tuple) else []
    return {
        ORIGIN_KEY: string(layout.text(ORIGIN_KEY) or parent),
        PARENT_KEY: string(parent),
        METHOD_KEY: string(method),
        NOTES_KEY: listed([*said, *(note for note in notes if note not in said)], Kind.STRING),
    }
