"""A Hugging Face folder of the Llama family, written as one GGUF file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from trimtab.core.errors import ModelFileInvalid
from trimtab.serving.gguf.description import METHOD_KEY, NOTES_KEY, ORIGIN_KEY, GgufInfo, read_gguf
from trimtab.serving.gguf.layout import Entry, Kind
from trimtab.serving.gguf.needed import require
from trimtab.serving.gguf.precision import FILE_TYPE_NUMBER, GGUF_TYPES, TYPE_NAMED, GgufType
from trimtab.serving.gguf.shape import (
    ModelShape,
    expected_shapes,
    gguf_name,
    interleave,
    llama3_factors,
    read_shape,
    rotated_heads,
)
from trimtab.serving.gguf.vocabulary import Vocabulary, read_vocabulary
from trimtab.serving.gguf.weights import Tensor, list_tensors, origin_of, weight_files
from trimtab.serving.gguf.writing import (
    PlannedTensor,
    Progress,
    encoded,
    encoded_finite,
    encoded_in_pieces,
    flag,
    listed,
    real,
    stored_type,
    string,
    whole,
    write_gguf,
)

if TYPE_CHECKING:
    from trimtab.serving.gguf.writing import Raw

QUANTIZATION_VERSION: Final = 2
_SPECIAL_KEYS: Final = {"bos": "bos", "eos": "eos", "pad": "padding", "unk": "unknown", "eot": "eot"}


def export_model(
    hf_folder: Path, target: Path, *, dtype: GgufType = "f16", progress: Progress | None = None
) -> GgufInfo:
    """Write a saved Hugging Face model as a GGUF file.

    Args:
        hf_folder: As ``save_pretrained`` writes it: ``config.json``, safetensors, ``tokenizer.json``.
        target: The file; it appears only when it is whole, and replaces one of that name.
        dtype: Of the matrices; norms and biases stay in 32 bits.
        progress: Called after each tensor.

    Raises:
        ModelFileInvalid: the folder lacks a file, or llama.cpp would compute something else than Hugging Face does.
        ConfigurationError: a package is not installed, or the disk is full.
    """
    require("numpy", "gguf")
    if dtype not in GGUF_TYPES:
        raise ModelFileInvalid(f"{dtype!r} is no type to export to.", hint=f"One of {', '.join(GGUF_TYPES)}.")
    shape = read_shape(hf_folder)
    vocabulary = read_vocabulary(
        hf_folder, shape.n_vocabulary, default_ids=_default_ids(shape), end_ids=shape.eos_token_ids
    )
    tensors = [*_rope_tensors(shape), *_planned(hf_folder, shape, dtype)]
    notes = [*vocabulary.notes, *kept_notes(tensors, dtype)]
    metadata = {
        **_general(hf_folder, dtype, notes),
        **_architecture(shape),
        **_tokenizer(vocabulary),
    }
    write_gguf(target, shape.architecture, metadata, tensors, progress=progress)
    return read_gguf(target)


def kept_notes(tensors: list[PlannedTensor], wanted: str) -> Iterator[str]:
    """Yield a sentence on the tensors whose rows are no whole blocks of the wanted type."""
    kept = [tensor.name for tensor in tensors if wanted not in {"f32", "f16", "bf16"} and tensor.type.name == "f16"]
    if kept:
        yield f"{len(kept)} tensors stay in f16, because their rows are no whole blocks of {wanted}: {kept[0]}, …"


def _default_ids(shape: ModelShape) -> dict[str, int]:
    ids = {"bos": shape.bos_token_id, "pad": shape.pad_token_id}
    return {name: number for name, number in ids.items() if number is not None and 0 <= number < shape.n_vocabulary}


def _planned(folder: Path, shape: ModelShape, dtype: GgufType) -> list[PlannedTensor]:
    expected = expected_shapes(shape)
    found: dict[str, PlannedTensor] = {}
    for path in weight_files(folder):
        for tensor in list_tensors(path).values():
            name = gguf_name(tensor.name)
            if (name == "output.weight" and shape.is_tied) or tensor.name.endswith("rotary_emb.inv_freq"):
                continue
            if name is None or (name.endswith(".weight") and name not in expected):
                raise ModelFileInvalid(
                    f"{path} holds {tensor.name}, which {shape.architecture} has no place for.",
                    hint="Merge or export adapters separately; quantized and multimodal weights are not exported.",
                )
            _check_shape(tensor, name, shape, expected)
            found[name] = _tensor(tensor, name, shape, dtype)
    missing = [name for name in expected if name not in found]
    if missing:
        raise ModelFileInvalid(f"{folder} lacks {len(missing)} tensors, the first is {missing[0]}.", hint="Save again.")
    return [*(found[name] for name in expected), *(found[name] for name in found if name not in expected)]


def _check_shape(tensor: Tensor, name: str, shape: ModelShape, expected: Mapping[str, tuple[int, ...]]) -> None:
    weight = name.removesuffix(".bias") + ".weight" if name.endswith(".bias") else name
    wanted = expected[weight][:1] if name.endswith(".bias") and weight in expected else expected.get(name)
    if tensor.shape != wanted:
        raise ModelFileInvalid(
            f"{tensor.path}: {tensor.name} has shape {tensor.shape}, config.json of this {shape.architecture} asks for "
            f"{wanted}.",
            hint="Are the weights and config.json of the same model?",
        )


def _tensor(tensor: Tensor, name: str, shape: ModelShape, dtype: GgufType) -> PlannedTensor:
    kind = TYPE_NAMED[stored_type(name, tensor.shape, dtype)]
    heads = rotated_heads(shape, name)

    def make() -> "Raw":
        if heads is None:
            return encoded_in_pieces(tensor.name, tensor.shape, kind, tensor.read_rows)
        return encoded_finite(tensor.name, interleave(tensor.read(), heads), kind)

    return PlannedTensor(name=name, shape=tensor.shape, type=kind, make=make)


def _rope_tensors(shape: ModelShape) -> list[PlannedTensor]:
    if shape.rope.scaling != "llama3":
        return []
    factors = llama3_factors(shape)

    def make() -> "Raw":
        import numpy as np

        return encoded(np.array(factors, dtype=np.float32), TYPE_NAMED["f32"])

    return [PlannedTensor(name="rope_freqs.weight", shape=(len(factors),), type=TYPE_NAMED["f32"], make=make)]


def _general(folder: Path, dtype: GgufType, notes: list[str]) -> dict[str, Entry]:
    return {
        "general.type": string("model"),
        "general.name": string(folder.resolve().name),
        "general.file_type": whole(FILE_TYPE_NUMBER[dtype]),
        "general.quantization_version": whole(QUANTIZATION_VERSION),
        ORIGIN_KEY: string(origin_of(folder)),
        METHOD_KEY: string(f"trimtab export {dtype}"),
        NOTES_KEY: listed(notes, Kind.STRING),
    }


def _architecture(shape: ModelShape) -> dict[str, Entry]:
    values = {
        "vocab_size": whole(shape.n_vocabulary),
        "context_length": whole(shape.context_tokens),
        "embedding_length": whole(shape.n_embedding),
        "block_count": whole(shape.n_layers),
        "feed_forward_length": whole(shape.n_feed_forward),
        "attention.head_count": whole(shape.n_heads),
        "attention.head_count_kv": whole(shape.n_kv_heads),
        "attention.key_length": whole(shape.n_head_dims),
        "attention.value_length": whole(shape.n_head_dims),
        "attention.layer_norm_rms_epsilon": real(shape.rms_eps),
        "rope.dimension_count": whole(shape.n_head_dims),
        "rope.freq_base": real(shape.rope.theta),
        **_rope_scaling(shape),
    }
    return {f"{shape.architecture}.{name}": entry for name, entry in values.items()}


def _rope_scaling(shape: ModelShape) -> dict[str, Entry]:
    rope = shape.rope
    if rope.scaling not in {"linear", "yarn"}:
        return {}
    numbers = {
        "factor": rope.factor,
        "attn_factor": rope.attention_factor,
        "yarn_beta_fast": rope.beta_fast,
        "yarn_beta_slow": rope.beta_slow,
    }
    entries = {f"rope.scaling.{name}": real(value) for name, value in numbers.items() if value is not None}
    if rope.scaling == "yarn":
        entries["rope.scaling.original_context_length"] = whole(
            rope.original_context_tokens or int(shape.context_tokens / rope.factor)
        )
    return {"rope.scaling.type": string(rope.scaling), **entries}


def _tokenizer(vocabulary: Vocabulary) -> dict[str, Entry]:
    entries = {
        "tokenizer.ggml.model": string("gpt2"),
        "tokenizer.ggml.pre": string(vocabulary.splitter),
        "tokenizer.ggml.tokens": listed(vocabulary.tokens, Kind.STRING),
        "tokenizer.ggml.token_type": listed(vocabulary.types, Kind.INT32),
        "tokenizer.ggml.merges": listed(vocabulary.merges, Kind.STRING),
        "tokenizer.ggml.add_bos_token": flag(value=vocabulary.adds_bos),
        "tokenizer.ggml.add_eos_token": flag(value=vocabulary.adds_eos),
    }
    for name, number in vocabulary.special_ids.items():
        entries[f"tokenizer.ggml.{_SPECIAL_KEYS[name]}_token_id"] = whole(number)
    if vocabulary.chat_template is not None:
        entries["tokenizer.chat_template"] = string(vocabulary.chat_template)
    return entries
