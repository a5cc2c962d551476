"""The smallest Llama folder that can be exported, written without torch: for tests of files, not of numbers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

WIDTH, INNER, N_HEADS, N_KV_HEADS = 32, 64, 4, 2
CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": WIDTH,
    "intermediate_size": INNER,
    "num_hidden_layers": 1,
    "num_attention_heads": N_HEADS,
    "num_key_value_heads": N_KV_HEADS,
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-5,
    "vocab_size": 264,
    "tie_word_embeddings": True,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
}
Weights = dict[str, npt.NDArray[Any]]


def byte_characters() -> list[str]:
    """Return the character that stands for each byte in a byte-level vocabulary (GPT-2's encoder)."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = iter(range(256, 512))
    return [chr(byte) if byte in kept else chr(next(moved)) for byte in range(256)]


def tokenizer_json(**more: object) -> dict[str, Any]:
    """Return a tokenizer of every byte, two merges and two special tokens."""
    vocab = {character: number for number, character in enumerate(byte_characters())}
    vocab |= {"he": 256, "hel": 257}
    return {
        "model": {"type": "BPE", "vocab": vocab, "merges": [["h", "e"], ["he", "l"]]},
        "added_tokens": [
            {"id": 258, "content": "<|end|>", "special": True},
            {"id": 259, "content": "<tool>", "special": False},
        ],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        **more,
    }


def plain_weights(seed: int = 0) -> Weights:
    """Return random weights that fit ``CONFIG``."""
    dice = np.random.default_rng(seed)
    n_key = WIDTH // N_HEADS * N_KV_HEADS
    shapes = {
        "model.embed_tokens.weight": (264, WIDTH),
        "model.norm.weight": (WIDTH,),
        "model.layers.0.input_layernorm.weight": (WIDTH,),
        "model.layers.0.post_attention_layernorm.weight": (WIDTH,),
        "model.layers.0.self_attn.q_proj.weight": (WIDTH, WIDTH),
        "model.layers.0.self_attn.k_proj.weight": (n_key, WIDTH),
        "model.layers.0.self_attn.v_proj.weight": (n_key, WIDTH),
        "model.layers.0.self_attn.o_proj.weight": (WIDTH, WIDTH),
        "model.layers.0.mlp.gate_proj.weight": (INNER, WIDTH),
        "model.layers.0.mlp.up_proj.weight": (INNER, WIDTH),
        "model.layers.0.mlp.down_proj.weight": (WIDTH, INNER),
    }
    return {name: dice.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def save_plain(
    folder: Path,
    *,
    config: Mapping[str, object] | None = None,
    weights: Weights | None = None,
    tokenizer: Mapping[str, object] | None = None,
) -> Path:
    """Write the folder; what is given is laid over the plain parts."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **(config or {})}))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(**(tokenizer or {}))))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": {"content": "<|end|>"}}))
    save_file(plain_weights() if weights is None else weights, folder / "model.safetensors")
    return folder


def save_plain_adapter(folder: Path, *, rank: int = 2, module: str = "self_attn.q_proj", **config: object) -> Path:
    """Write a PEFT adapter for one module of a plain model; 32 rows in and out unless it is one that has others."""
    dice = np.random.default_rng(1)
    name = f"base_model.model.model.layers.0.{module}"
    weights = {
        f"{name}.lora_A.weight": dice.standard_normal((rank, WIDTH)).astype(np.float32),
        f"{name}.lora_B.weight": dice.standard_normal((WIDTH, rank)).astype(np.float32),
    }
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"peft_type": "LORA", "r": rank, "lora_alpha": 8, "bias": "none", **config}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    save_file(weights, folder / "adapter_model.safetensors")
    return folder
