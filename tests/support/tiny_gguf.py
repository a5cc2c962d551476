"""Llama models of 100,000 random parameters as GGUF files, and adapters for them: real files for a real llama.cpp."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np

N_LAYERS, N_HEADS, WIDTH, INNER = 2, 4, 64, 128
SPECIAL = ("<s>", "</s>", "<|user|>", "<|assistant|>")
CHAT_TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}<|assistant|>"
_SHAPES = {
    "attn_q": (WIDTH, WIDTH),
    "attn_k": (WIDTH, WIDTH),
    "attn_v": (WIDTH, WIDTH),
    "attn_output": (WIDTH, WIDTH),
    "ffn_gate": (INNER, WIDTH),
    "ffn_up": (INNER, WIDTH),
    "ffn_down": (WIDTH, INNER),
}


def write_tiny_model(
    path: Path,
    *,
    seed: int = 0,
    context_tokens: int = 512,
    has_tokenizer: bool = True,
    pooling: gguf.PoolingType | None = None,
) -> Path:
    """Write a model whose vocabulary is every byte; with temperature 0 its gibberish is the same each time.

    With ``pooling`` it gives embeddings too.
    """
    dice = np.random.default_rng(seed)
    tokens = [*SPECIAL, *_byte_tokens()]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(context_tokens)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(N_LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(N_HEADS)
    writer.add_head_count_kv(N_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // N_HEADS)
    writer.add_vocab_size(len(tokens))
    if pooling is not None:
        writer.add_pooling_type(pooling)
    if has_tokenizer:
        _add_tokenizer(writer, tokens)
    for name in ("token_embd", "output"):
        writer.add_tensor(f"{name}.weight", _random(dice, len(tokens), WIDTH))
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    for layer in range(N_LAYERS):
        for name, shape in _SHAPES.items():
            writer.add_tensor(f"blk.{layer}.{name}.weight", _random(dice, *shape))
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ones(WIDTH, np.float32))
    return _written(writer, path)


def write_tiny_adapter(path: Path, *, seed: int, rank: int = 4, width: int = WIDTH) -> Path:
    """Write a LoRA adapter strong enough to change every answer; another ``width`` fits no tiny model."""
    dice = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(rank))
    for layer in range(N_LAYERS):
        for name in ("attn_q", "attn_v", "attn_output"):
            writer.add_tensor(f"blk.{layer}.{name}.weight.lora_a", _random(dice, rank, width))
            writer.add_tensor(f"blk.{layer}.{name}.weight.lora_b", _random(dice, width, rank))
    return _written(writer, path)


def _add_tokenizer(writer: Any, tokens: list[str]) -> None:  # Any: gguf's writer is not typed
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)))
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def _random(dice: np.random.Generator, *shape: int) -> "np.ndarray[Any, np.dtype[np.float32]]":
    return (dice.standard_normal(shape) * 0.3).astype(np.float32)


def _written(writer: Any, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _byte_tokens() -> list[str]:
    """Return the characters that byte-level BPE writes for the 256 bytes, in their order (GPT-2's table)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    shown = {byte: chr(byte) for byte in plain} | {byte: chr(256 + n) for n, byte in enumerate(others)}
    return [shown[byte] for byte in range(256)]
