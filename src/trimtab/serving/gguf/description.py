"""What a GGUF file is: its model or adapter, precision, lineage, and whether it can be served."""

import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from trimtab.core.errors import ModelFileInvalid
from trimtab.serving.gguf.layout import Layout, read_layout
from trimtab.serving.gguf.precision import FILE_TYPES
from trimtab.serving.gguf.weights import digest_of

ORIGIN_KEY: Final = "trimtab.origin.sha256"
PARENT_KEY: Final = "trimtab.parent.sha256"
METHOD_KEY: Final = "trimtab.method"
BASE_KEY: Final = "trimtab.base.sha256"
NOTES_KEY: Final = "trimtab.notes"


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufInfo:
    """A model file. What it does not say is ``None``."""

    path: Path
    kind: Literal["model", "adapter"]
    architecture: str
    """As llama.cpp names it."""
    n_parameters: int
    """Of this file; a model in parts has more."""
    precision: str
    """Of most weights: ``f16``, ``q8_0``, ``q4_k_m``, …"""
    context_tokens: int | None
    n_vocabulary: int | None
    has_tokenizer: bool
    has_chat_template: bool
    size_bytes: int
    n_parts: int
    """Files that the model is split into."""
    origin_sha256: str | None
    """Identifies the trained weights; the same in every precision made of them."""
    parent_sha256: str | None
    """Of the file that this one was quantized from."""
    method: str | None
    """What made it from its parent."""
    notes: tuple[str, ...]
    """What its maker reported: tensors kept in another type, text that gets other tokens."""
    shapes: Mapping[str, tuple[int, ...]] = field(repr=False)
    """Of its tensors, rows first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterInfo:
    """A LoRA adapter in a GGUF file."""

    path: Path
    architecture: str
    n_parameters: int
    size_bytes: int
    alpha: float
    """llama.cpp scales the product by ``alpha / rank``."""
    rank: int
    """The largest of its tensors' ranks."""
    base_sha256: str | None
    """:attr:`GgufInfo.origin_sha256` of its base, or the digest of the base's file; ``None`` when not recorded."""
    targets: Mapping[str, tuple[int, int]] = field(repr=False)
    """Base tensors that it changes, and their shapes, rows first."""


def read_gguf(path: Path) -> GgufInfo:
    """Describe a GGUF file from its head; weights are not read.

    Raises:
        ModelFileInvalid: not GGUF, damaged or truncated, or it names no architecture.
        OSError: the file cannot be read.
    """
    layout = read_layout(path)
    architecture = layout.text("general.architecture")
    if architecture is None:
        raise ModelFileInvalid(f"{path} names no architecture.", hint="Convert it again with a current tool.")
    return GgufInfo(
        path=path,
        kind="adapter" if layout.text("general.type") == "adapter" else "model",
        architecture=architecture,
        n_parameters=sum(math.prod(tensor.shape) for tensor in layout.tensors),
        precision=_precision(layout),
        context_tokens=layout.count(f"{architecture}.context_length"),
        n_vocabulary=_n_vocabulary(layout, architecture),
        has_tokenizer="tokenizer.ggml.tokens" in layout.metadata,
        has_chat_template=layout.text("tokenizer.chat_template") is not None,
        size_bytes=layout.size_bytes,
        n_parts=layout.count("split.count") or 1,
        origin_sha256=layout.text(ORIGIN_KEY),
        parent_sha256=layout.text(PARENT_KEY),
        method=layout.text(METHOD_KEY),
        notes=_notes(layout),
        shapes={tensor.name: tensor.shape for tensor in layout.tensors},
    )


def read_adapter(path: Path) -> AdapterInfo:
    """Describe a GGUF adapter.

    Raises:
        ModelFileInvalid: as for :func:`read_gguf`, or the file is no LoRA adapter.
    """
    layout = read_layout(path)
    architecture = layout.text("general.architecture")
    alpha = layout.metadata.get("adapter.lora.alpha")
    is_lora = layout.text("general.type") == "adapter" and layout.text("adapter.type") == "lora"
    if not is_lora or architecture is None or alpha is None or not isinstance(alpha.value, float):
        raise ModelFileInvalid(f"{path} is no LoRA adapter.", hint="Export one from a PEFT folder.")
    shapes = {tensor.name: tensor.shape for tensor in layout.tensors}
    return AdapterInfo(
        path=path,
        architecture=architecture,
        n_parameters=sum(math.prod(shape) for shape in shapes.values()),
        size_bytes=layout.size_bytes,
        alpha=alpha.value,
        rank=max((shape[0] for name, shape in shapes.items() if name.endswith(".lora_a")), default=0),
        base_sha256=layout.text(BASE_KEY),
        targets=_targets(path, shapes),
    )


def check_servable(model: GgufInfo) -> None:
    """Return when an engine can be started on a file.

    Raises:
        ModelFileInvalid: it is an adapter, has no tokenizer, or is of an architecture llama.cpp does not know.
    """
    if model.kind == "adapter":
        raise ModelFileInvalid(f"{model.path} is an adapter.", hint="Serve its base, and name this file as an adapter.")
    if not model.has_tokenizer:
        raise ModelFileInvalid(
            f"{model.path} has no tokenizer, so it cannot read text.", hint="Export it with its tokenizer.json."
        )
    known = _known_architectures()
    if known and model.architecture not in known:
        raise ModelFileInvalid(
            f"{model.path} is of architecture {model.architecture!r}, which llama.cpp does not know.",
            hint="If it is newer than the installed `gguf` package, upgrade that.",
        )


def check_adapter(base: GgufInfo, adapter: AdapterInfo) -> None:
    """Return when an adapter was made for a base, and fits it.

    The recorded digest is compared with the base's origin, its parent and its file. Without a recorded one only the
    shapes are.

    Raises:
        ModelFileInvalid: it was made for another base; the message says what differs.
    """
    check_targets(base, adapter.path, adapter.architecture, adapter.targets)
    recorded = adapter.base_sha256
    if recorded is None or recorded in {base.origin_sha256, base.parent_sha256} or recorded == digest_of(base.path):
        return
    own = base.origin_sha256 or digest_of(base.path)
    raise _other_base(base, adapter.path, f"it was made for the base {recorded[:12]}…, this one is {own[:12]}…")


def check_targets(base: GgufInfo, adapter: Path, architecture: str, targets: Mapping[str, tuple[int, ...]]) -> None:
    """Return when a base has the tensors that an adapter changes, in their shapes.

    Raises:
        ModelFileInvalid: it has not; the message names the first one.
    """
    if architecture != base.architecture:
        raise _other_base(base, adapter, f"it is for {architecture}, the base is {base.architecture}")
    for name, shape in targets.items():
        if base.shapes.get(name) != shape:
            raise _other_base(
                base, adapter, f"it changes {name} of shape {shape}, the base has {base.shapes.get(name)}"
            )


def _other_base(base: GgufInfo, adapter: Path, why: str) -> ModelFileInvalid:
    return ModelFileInvalid(
        f"Adapter {adapter} does not fit {base.path}: {why}.",
        hint="Serve it with the base that it was trained on.",
    )


def _known_architectures() -> frozenset[str]:
    if importlib.util.find_spec("gguf") is None:
        return frozenset()
    from gguf.constants import MODEL_ARCH_NAMES

    return frozenset(MODEL_ARCH_NAMES.values())


def _precision(layout: Layout) -> str:
    number = layout.count("general.file_type")
    if number is not None and number in FILE_TYPES:
        return FILE_TYPES[number]
    sizes: dict[str, int] = {}
    for tensor in layout.tensors:
        sizes[tensor.type.name] = sizes.get(tensor.type.name, 0) + math.prod(tensor.shape)
    return max(sizes, key=lambda name: sizes[name], default="unknown")


def _n_vocabulary(layout: Layout, architecture: str) -> int | None:
    tokens = layout.metadata.get("tokenizer.ggml.tokens")
    return (
        len(tokens.value) if tokens and isinstance(tokens.value, tuple) else layout.count(f"{architecture}.vocab_size")
    )


def _notes(layout: Layout) -> tuple[str, ...]:
    entry = layout.metadata.get(NOTES_KEY)
    return tuple(map(str, entry.value)) if entry is not None and isinstance(entry.value, tuple) else ()


def _targets(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, int]]:
    targets = {}
    for name, down in shapes.items():
        base, _, part = name.rpartition(".")
        up = shapes.get(f"{base}.lora_b")
        if part == "lora_b" and f"{base}.lora_a" in shapes:
            continue
        if part != "lora_a" or up is None or len(down) != 2 or len(up) != 2 or down[0] != up[1]:
            raise ModelFileInvalid(f"{path}: tensor {name} has no counterpart of the same rank.")
        targets[base] = (up[0], down[1])
    return targets
