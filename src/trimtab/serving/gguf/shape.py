"""The Llama family: what ``config.json`` says of a model, and where its tensors go in a GGUF file."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from trimtab.core.errors import ModelFileInvalid

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

ARCHITECTURES: Final = {
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "llama",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
}
"""Class in ``config.json`` to llama.cpp's architecture."""
_MODULES: Final = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
_TOP: Final = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
_LAYER: Final = re.compile(r"model\.layers\.(\d+)\.(.+)")
RopeScaling = Literal["none", "linear", "yarn", "llama3"]


class _Rope(msgspec.Struct, frozen=True, kw_only=True):
    rope_type: str | None = None
    type: str | None = None
    rope_theta: float | None = None
    factor: float | None = None
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_max_position_embeddings: int | None = None
    attention_factor: float | None = None
    beta_fast: float | None = None
    beta_slow: float | None = None
    partial_rotary_factor: float = 1.0


class _Config(msgspec.Struct, frozen=True, kw_only=True):
    architectures: list[str] = []
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    vocab_size: int
    max_position_embeddings: int
    rms_norm_eps: float = 1e-6
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    hidden_act: str = "silu"
    tie_word_embeddings: bool = False
    rope_theta: float | None = None
    rope_parameters: _Rope | None = None
    rope_scaling: _Rope | None = None
    sliding_window: int | None = None
    use_sliding_window: bool | None = None
    partial_rotary_factor: float = 1.0
    bos_token_id: int | list[int] | None = None
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rope:
    """Rotary position embedding."""

    theta: float
    scaling: RopeScaling
    factor: float = 1.0
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_context_tokens: int | None = None
    attention_factor: float | None = None
    beta_fast: float | None = None
    beta_slow: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """What a runtime must know of a model besides its weights."""

    architecture: str
    """llama.cpp's name."""
    n_layers: int
    n_embedding: int
    n_feed_forward: int
    n_heads: int
    n_kv_heads: int
    n_head_dims: int
    n_vocabulary: int
    """Rows of the embedding; the tokenizer may have fewer tokens."""
    context_tokens: int
    rms_eps: float
    is_tied: bool
    """The output layer is the embedding."""
    rope: Rope
    bos_token_id: int | None = None
    eos_token_ids: tuple[int, ...] = ()
    pad_token_id: int | None = None

    @property
    def is_interleaved(self) -> bool:
        """Whether llama.cpp rotates neighbouring pairs, where Hugging Face rotates halves of a head."""
        return self.architecture == "llama"


def read_shape(folder: Path) -> ModelShape:
    """Read ``config.json``.

    Raises:
        ModelFileInvalid: it is missing or broken, or asks for something that llama.cpp's architecture does not have.
    """
    path = folder / "config.json"
    try:
        config = msgspec.json.decode(path.read_bytes(), type=_Config)
    except FileNotFoundError as exc:
        raise ModelFileInvalid(f"{folder} holds no config.json.", hint="Give the folder of a saved model.") from exc
    except msgspec.MsgspecError as exc:
        raise ModelFileInvalid(f"{path} is not the configuration of a Llama-family model: {exc}.") from exc
    named = config.architectures[0] if config.architectures else "no architecture"
    if named not in ARCHITECTURES:
        raise ModelFileInvalid(
            f"{path} names {named}; {', '.join(ARCHITECTURES)} can be exported.",
            hint="Convert other architectures with llama.cpp's convert_hf_to_gguf.py.",
        )
    _refuse_unlike(path, config)
    return _shape(path, config, ARCHITECTURES[named])


def _refuse_unlike(path: Path, config: _Config) -> None:
    rope = config.rope_parameters or config.rope_scaling or _Rope()
    if config.hidden_act != "silu":
        raise ModelFileInvalid(f"{path}: hidden_act is {config.hidden_act!r}; llama.cpp's llama has silu only.")
    if min(config.partial_rotary_factor, rope.partial_rotary_factor) != 1.0:
        raise ModelFileInvalid(f"{path}: a partial rotary embedding is not part of the Llama family.")
    if config.num_attention_heads < 1 or config.num_attention_heads % (config.num_key_value_heads or 1):
        raise ModelFileInvalid(
            f"{path}: {config.num_attention_heads} heads cannot share {config.num_key_value_heads} key-value heads."
        )


def _shape(path: Path, config: _Config, architecture: str) -> ModelShape:
    ends = config.eos_token_id
    begins = config.bos_token_id
    return ModelShape(
        architecture=architecture,
        n_layers=config.num_hidden_layers,
        n_embedding=config.hidden_size,
        n_feed_forward=config.intermediate_size,
        n_heads=config.num_attention_heads,
        n_kv_heads=config.num_key_value_heads or config.num_attention_heads,
        n_head_dims=config.head_dim or config.hidden_size // config.num_attention_heads,
        n_vocabulary=config.vocab_size,
        context_tokens=_context(config),
        rms_eps=config.rms_norm_eps,
        is_tied=config.tie_word_embeddings,
        rope=_rope(path, config),
        bos_token_id=begins[0] if isinstance(begins, list) else begins,
        eos_token_ids=tuple(ends) if isinstance(ends, list) else () if ends is None else (ends,),
        pad_token_id=config.pad_token_id,
    )


def _context(config: _Config) -> int:
    # llama.cpp's llama, qwen2 and qwen3 attend to everything, so a call may not be longer than the window.
    if config.sliding_window is not None and config.use_sliding_window is not False:
        return min(config.max_position_embeddings, config.sliding_window)
    return config.max_position_embeddings


def _rope(path: Path, config: _Config) -> Rope:
    rope = config.rope_parameters or config.rope_scaling or _Rope()
    kind = rope.rope_type or rope.type or "default"
    scaling: RopeScaling
    match kind:
        case "default":
            scaling = "none"
        case "linear" | "yarn" | "llama3":
            scaling = kind
        case _:
            raise ModelFileInvalid(f"{path}: rope type {kind!r} has no counterpart; default, linear, yarn, llama3 do.")
    if scaling != "none" and rope.factor is None:
        raise ModelFileInvalid(f"{path}: rope type {kind!r} without a factor.")
    return Rope(
        theta=rope.rope_theta or config.rope_theta or 10_000.0,
        scaling=scaling,
        factor=rope.factor or 1.0,
        low_freq_factor=rope.low_freq_factor,
        high_freq_factor=rope.high_freq_factor,
        original_context_tokens=rope.original_max_position_embeddings,
        attention_factor=rope.attention_factor,
        beta_fast=rope.beta_fast,
        beta_slow=rope.beta_slow,
    )


def gguf_name(name: str) -> str | None:
    """Return llama.cpp's name of a Hugging Face tensor; ``None`` for one that it has no place for."""
    module, _, suffix = name.rpartition(".")
    if suffix not in {"weight", "bias"}:
        return None
    if module in _TOP:
        return f"{_TOP[module]}.{suffix}"
    layer = _LAYER.fullmatch(module)
    if layer is None or layer[2] not in _MODULES:
        return None
    return f"blk.{layer[1]}.{_MODULES[layer[2]]}.{suffix}"


def expected_shapes(shape: ModelShape) -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight that the model must have, by its GGUF name. Biases are optional."""
    n_query = shape.n_heads * shape.n_head_dims
    n_key = shape.n_kv_heads * shape.n_head_dims
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (shape.n_vocabulary, shape.n_embedding),
        "output_norm.weight": (shape.n_embedding,),
    }
    if not shape.is_tied:
        shapes["output.weight"] = (shape.n_vocabulary, shape.n_embedding)
    for layer in range(shape.n_layers):
        block = {
            "attn_norm": (shape.n_embedding,),
            "attn_q": (n_query, shape.n_embedding),
            "attn_k": (n_key, shape.n_embedding),
            "attn_v": (n_key, shape.n_embedding),
            "attn_output": (shape.n_embedding, n_query),
            "ffn_norm": (shape.n_embedding,),
            "ffn_gate": (shape.n_feed_forward, shape.n_embedding),
            "ffn_up": (shape.n_feed_forward, shape.n_embedding),
            "ffn_down": (shape.n_embedding, shape.n_feed_forward),
        }
        if shape.architecture == "qwen3":
            block |= {"attn_q_norm": (shape.n_head_dims,), "attn_k_norm": (shape.n_head_dims,)}
        shapes.update({f"blk.{layer}.{name}.weight": sizes for name, sizes in block.items()})
    return shapes


def rotated_heads(shape: ModelShape, name: str) -> int | None:
    """Return in how many heads the rows of a tensor must be reordered; ``None`` when they stay."""
    if not shape.is_interleaved:
        return None
    if ".attn_q." in name:
        return shape.n_heads
    return shape.n_kv_heads if ".attn_k." in name else None


def interleave(values: "npt.NDArray[np.float32]", n_heads: int) -> "npt.NDArray[np.float32]":
    """Reorder rows from halves of a head (Hugging Face) to neighbouring pairs (llama.cpp's ``llama``).

    Source: ``LlamaModel.permute`` of llama.cpp's convert_hf_to_gguf.py.
    """
    pairs = values.reshape(n_heads, 2, values.shape[0] // n_heads // 2, *values.shape[1:])
    return pairs.swapaxes(1, 2).reshape(values.shape)


def llama3_factors(shape: ModelShape) -> tuple[float, ...]:
    """Return what each rotary frequency is divided by under Llama 3's scaling, one for each pair of dimensions.

    Source: Llama 3.1's reference code, ``apply_scaling``; llama.cpp reads them from ``rope_freqs.weight``.
    """
    rope = shape.rope
    context = rope.original_context_tokens or 8192
    factors = []
    for pair in range(shape.n_head_dims // 2):
        wavelength = 2 * math.pi * rope.theta ** (2 * pair / shape.n_head_dims)
        ratio = context / wavelength
        if ratio > rope.high_freq_factor:
            factors.append(1.0)
        elif ratio < rope.low_freq_factor:
            factors.append(rope.factor)
        else:
            smooth = (ratio - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor)
            factors.append(1 / ((1 - smooth) / rope.factor + smooth))
    return tuple(factors)
