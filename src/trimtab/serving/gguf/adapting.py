"""A PEFT LoRA adapter, written as a GGUF file that llama.cpp lays over its base."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from trimtab.core.errors import ModelFileInvalid
from trimtab.serving.gguf.description import (
    BASE_KEY,
    METHOD_KEY,
    AdapterInfo,
    GgufInfo,
    check_targets,
    read_adapter,
)
from trimtab.serving.gguf.layout import Entry
from trimtab.serving.gguf.needed import require
from trimtab.serving.gguf.precision import TYPE_NAMED
from trimtab.serving.gguf.shape import ModelShape, expected_shapes, gguf_name, interleave, read_shape, rotated_heads
from trimtab.serving.gguf.weights import Tensor, digest_of, list_tensors, origin_of
from trimtab.serving.gguf.writing import PlannedTensor, encoded_finite, real, string, whole, write_gguf

if TYPE_CHECKING:
    from trimtab.serving.gguf.writing import Raw

_PART: Final = re.compile(r"(?:base_model\.model\.)?(.+)\.lora_([AB])(?:\.[^.]+)?\.weight")


class _Config(msgspec.Struct, frozen=True, kw_only=True):
    peft_type: str
    lora_alpha: float
    use_rslora: bool = False
    use_dora: bool = False
    lora_bias: bool = False
    fan_in_fan_out: bool = False
    bias: str = "none"
    modules_to_save: list[str] | None = None
    layer_replication: list[tuple[int, int]] | None = None
    alora_invocation_tokens: list[int] | None = None
    alpha_pattern: dict[str, float] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """What an adapter adds to one layer's weight: ``scale`` times ``up`` times ``down``."""

    module: str
    """Hugging Face's name, such as ``model.layers.0.self_attn.q_proj``."""
    name: str
    """llama.cpp's name of the weight, such as ``blk.0.attn_q.weight``."""
    down: Tensor
    """``lora_A``: (rank, n_in)."""
    up: Tensor
    """``lora_B``: (n_out, rank)."""
    scale: float

    @property
    def rank(self) -> int:
        """Return the number of its directions."""
        return self.down.shape[0]


def export_adapter(
    peft_folder: Path, base_config_folder: Path, target: Path, *, base: GgufInfo | None = None
) -> AdapterInfo:
    """Write a saved PEFT LoRA adapter as a GGUF file, in 32 bits.

    llama.cpp scales an adapter's product by ``alpha / rank``. A rank-stabilised adapter, scaled by ``alpha / √rank``,
    gets the alpha that makes both equal; where modules differ in their scale the difference goes into ``lora_b``.

    Args:
        peft_folder: Holds ``adapter_config.json`` and ``adapter_model.safetensors``.
        base_config_folder: The base's Hugging Face folder; ``config.json`` is enough.
        target: The file; it appears only when it is whole.
        base: The base's GGUF file, to check against and to record. Left out, the weights of ``base_config_folder`` are
            recorded, where it holds them.

    Raises:
        ModelFileInvalid: the adapter does more than LoRA on linear layers, is damaged, or does not fit the base.
        ConfigurationError: a package is not installed.
    """
    require("numpy", "gguf")
    shape = read_shape(base_config_folder)
    loras = read_loras(peft_folder, shape)
    if base is not None:
        expected = expected_shapes(shape)
        check_targets(base, peft_folder, shape.architecture, {lora.name: expected[lora.name] for lora in loras})
    alpha = loras[0].scale * loras[0].rank
    tensors = [tensor for lora in loras for tensor in _tensors(lora, shape, lora.scale * lora.rank / alpha)]
    metadata = {
        "general.type": string("adapter"),
        "general.file_type": whole(0),
        "adapter.type": string("lora"),
        "adapter.lora.alpha": real(alpha),
        METHOD_KEY: string("trimtab export f32"),
        **_base_entry(base_config_folder, base),
    }
    write_gguf(target, shape.architecture, metadata, tensors)
    return read_adapter(target)


def _read_config(folder: Path) -> _Config:
    path = folder / "adapter_config.json"
    try:
        config = msgspec.json.decode(path.read_bytes(), type=_Config)
    except FileNotFoundError as exc:
        raise ModelFileInvalid(f"{folder} holds no adapter_config.json.", hint="Give a folder PEFT saved.") from exc
    except msgspec.MsgspecError as exc:
        raise ModelFileInvalid(f"{path} is not the configuration of a LoRA adapter: {exc}.") from exc
    oddities = {
        f"of type {config.peft_type}": config.peft_type != "LORA",
        "a DoRA adapter": config.use_dora,
        "trained with biases": config.bias != "none" or config.lora_bias,
        f"with whole modules {config.modules_to_save}": bool(config.modules_to_save),
        "with replicated layers": bool(config.layer_replication),
        "an activated adapter": bool(config.alora_invocation_tokens),
        "for transposed layers": config.fan_in_fan_out,
        "with lora_alpha 0, so it does nothing": not config.lora_alpha or 0 in config.alpha_pattern.values(),
    }
    odd = next((oddity for oddity, is_so in oddities.items() if is_so), None)
    if odd is not None:
        raise ModelFileInvalid(
            f"{path} is {odd}; llama.cpp takes plain LoRA.", hint="Merge it into its base and export the result."
        )
    return config


def read_loras(folder: Path, shape: ModelShape) -> list[Lora]:
    """Read what a PEFT folder adds to a model of a shape, layer by layer; weights are read later.

    Raises:
        ModelFileInvalid: it is damaged, does more than LoRA on linear layers, or does not fit the shape.
    """
    config = _read_config(folder)
    path = folder / "adapter_model.safetensors"
    if not path.is_file():
        raise ModelFileInvalid(f"{folder} holds no {path.name}.", hint="Save it with PEFT; .bin is not read.")
    halves: dict[str, dict[str, Tensor]] = {}
    for tensor in list_tensors(path).values():
        if tensor.name.endswith(".base_layer.weight"):
            continue  # PEFT adds a copy of an adapted output layer, which it does not train
        part = _PART.fullmatch(tensor.name)
        if part is None:
            raise ModelFileInvalid(f"{path} holds {tensor.name}, which is no part of LoRA on a linear layer.")
        halves.setdefault(part[1], {})[part[2]] = tensor
    if not halves:
        raise ModelFileInvalid(f"{path} is empty: it changes nothing.")
    expected = expected_shapes(shape)
    return [_lora(path, module, halves[module], expected, config) for module in sorted(halves, key=_in_order)]


def _in_order(module: str) -> tuple[int | str, ...]:
    return tuple(int(part) if part.isdigit() else part for part in re.split(r"(\d+)", module))


def _lora(
    path: Path, module: str, halves: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]], config: _Config
) -> Lora:
    name = gguf_name(f"{module}.weight")
    wanted = expected.get(name or "")
    if name is None or wanted is None or len(wanted) != 2 or name == "token_embd.weight":
        raise ModelFileInvalid(
            f"{path} changes {module}, which llama.cpp cannot adapt in this base.",
            hint="An embedding, a tied output layer and layers that the base lacks are among them. Merge it instead.",
        )
    down, up = halves.get("A"), halves.get("B")
    if down is None or up is None or len(down.shape) != 2 or up.shape != (wanted[0], down.shape[0]):
        raise ModelFileInvalid(f"{path}: the halves of {module} do not fit each other and its base {wanted}.")
    if down.shape[1] != wanted[1] or down.shape[0] < 1:
        raise ModelFileInvalid(f"{path}: {down.name} has shape {down.shape}, its base {name} has {wanted}.")
    return Lora(module=module, name=name, down=down, up=up, scale=_scale(config, module, down.shape[0]))


def _scale(config: _Config, module: str, rank: int) -> float:
    """Return what PEFT multiplies the product of a layer by."""
    alpha = config.lora_alpha
    for pattern, own in config.alpha_pattern.items():
        if re.fullmatch(rf"(?:.*\.)?(?:{pattern})", module):
            alpha = own
            break
    return alpha / (math.sqrt(rank) if config.use_rslora else rank)


def _tensors(lora: Lora, shape: ModelShape, factor: float) -> tuple[PlannedTensor, PlannedTensor]:
    heads = rotated_heads(shape, lora.name)
    kind = TYPE_NAMED["f32"]

    def down() -> "Raw":
        return encoded_finite(lora.down.name, lora.down.read(), kind)

    def up() -> "Raw":
        values = lora.up.read() if heads is None else interleave(lora.up.read(), heads)
        return encoded_finite(lora.up.name, values if math.isclose(factor, 1.0) else values * factor, kind)

    return (
        PlannedTensor(name=f"{lora.name}.lora_a", shape=lora.down.shape, type=kind, make=down),
        PlannedTensor(name=f"{lora.name}.lora_b", shape=lora.up.shape, type=kind, make=up),
    )


def _base_entry(folder: Path, base: GgufInfo | None) -> dict[str, Entry]:
    if base is not None:
        return {BASE_KEY: string(base.origin_sha256 or digest_of(base.path))}
    is_there = (folder / "model.safetensors").is_file() or (folder / "model.safetensors.index.json").is_file()
    return {BASE_KEY: string(origin_of(folder))} if is_there else {}
