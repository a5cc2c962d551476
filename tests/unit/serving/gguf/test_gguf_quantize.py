from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.plain_llama import plain_weights, save_plain

from trimtab.core.errors import ConfigurationError, EngineError, ModelFileInvalid
from trimtab.serving.gguf import GGUF_TYPES, GgufInfo, GgufType, digest_of, export_model, quantize, quantizing
from trimtab.serving.gguf.layout import read_layout
from trimtab.serving.gguf.precision import TYPE_NAMED
from trimtab.serving.gguf.writing import decoded, stored_type

# Largest error over the largest weight of a block. q4_0 counts in eighths of it from -8 to 7, so at +1 it is a whole
# eighth off; q4_1 has 15 steps over a range of at most twice the largest. The floats have 11 and 8 significant bits.
ERRORS = {"f32": 0.0, "f16": 2**-11, "bf16": 2**-8, "q8_0": 1 / 254}
ERRORS |= {"q5_1": 1 / 31, "q5_0": 1 / 16, "q4_1": 1 / 15, "q4_0": 1 / 8}
FAKE = """#!/bin/sh
[ "$1" = --allow-requantize ] && [ "$4" = {expected} ] || exit 9
echo "main: quantizing" >&2
{then}
"""


@pytest.fixture
def source(tmp_path: Path) -> GgufInfo:
    return export_model(save_plain(tmp_path / "hf"), tmp_path / "f32.gguf", dtype="f32")


@pytest.mark.parametrize("to", GGUF_TYPES)
def test_every_type_comes_back_within_its_step(tmp_path: Path, source: GgufInfo, to: GgufType) -> None:
    model = quantize(source.path, tmp_path / "q.gguf", to)
    one = next(tensor for tensor in read_layout(model.path).tensors if tensor.name == "blk.0.ffn_up.weight")
    raw = np.fromfile(model.path, np.uint8, one.n_bytes, offset=one.offset).reshape(one.shape[0], -1)
    wanted = plain_weights()["model.layers.0.mlp.up_proj.weight"]

    assert model.precision == to
    assert np.abs(decoded(raw, one.type) - wanted).max() <= ERRORS[to] * np.abs(wanted).max() * 1.01
    assert one.type == TYPE_NAMED[to]


def test_a_quantized_model_knows_its_parent_and_origin(tmp_path: Path, source: GgufInfo) -> None:
    model = quantize(source.path, tmp_path / "q.gguf", "q4_0")

    assert model.parent_sha256 == digest_of(source.path)
    assert model.origin_sha256 == source.origin_sha256
    assert model.method == "trimtab quantize q4_0"
    assert (model.has_tokenizer, model.n_vocabulary, model.context_tokens) == (True, 264, 128)


def test_an_embedding_that_serves_as_output_keeps_eight_bits(tmp_path: Path, source: GgufInfo) -> None:
    quantize(source.path, tmp_path / "q.gguf", "q4_0")
    types = {tensor.name: tensor.type.name for tensor in read_layout(tmp_path / "q.gguf").tensors}

    assert types["token_embd.weight"] == "q8_0"
    assert types["blk.0.attn_q.weight"] == "q4_0"
    assert types["output_norm.weight"] == "f32"


@pytest.mark.parametrize(
    ("name", "shape", "wanted", "stored"),
    [
        ("blk.0.attn_q.weight", (8, 64), "q4_0", "q4_0"),
        ("blk.0.attn_q.weight", (8, 48), "q4_0", "f16"),
        ("blk.0.attn_q.weight", (8, 48), "bf16", "bf16"),
        ("blk.0.attn_q.bias", (64,), "q4_0", "f32"),
        ("blk.0.attn_norm.weight", (64,), "f16", "f32"),
        ("rope_freqs.weight", (32,), "q8_0", "f32"),
    ],
)
def test_what_stays_in_more_bits(name: str, shape: tuple[int, ...], wanted: str, stored: str) -> None:
    assert stored_type(name, shape, wanted) == stored


def test_rows_that_are_no_whole_blocks_are_reported(tmp_path: Path) -> None:
    weights = plain_weights()
    narrow = {"up": (48, 32), "gate": (48, 32), "down": (32, 48)}
    weights |= {f"model.layers.0.mlp.{name}_proj.weight": np.ones(size, np.float32) for name, size in narrow.items()}
    folder = save_plain(tmp_path, weights=weights, config={"intermediate_size": 48})
    source = export_model(folder, tmp_path / "f16.gguf")

    model = quantize(source.path, tmp_path / "q.gguf", "q8_0")
    assert model.notes == (
        "1 tensors stay in f16, because their rows are no whole blocks of q8_0: blk.0.ffn_down.weight, …",
    )


def test_a_quantized_source_is_refused_unless_asked_for(tmp_path: Path, source: GgufInfo) -> None:
    eight = quantize(source.path, tmp_path / "q8.gguf", "q8_0")

    with pytest.raises(ModelFileInvalid, match="quantized already"):
        quantize(eight.path, tmp_path / "q4.gguf", "q4_0")
    assert quantize(eight.path, tmp_path / "q4.gguf", "q4_0", requantize=True).precision == "q4_0"


def test_a_source_is_never_its_own_target(source: GgufInfo) -> None:
    with pytest.raises(ModelFileInvalid, match="replace its own source"):
        quantize(source.path, source.path, "f16")


def test_one_part_of_a_model_is_refused(tmp_path: Path, source: GgufInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantizing, "read_gguf", lambda path: replace(source, n_parts=3))

    with pytest.raises(ModelFileInvalid, match="one of 3 parts"):
        quantize(source.path, tmp_path / "q.gguf", "q8_0")


def test_an_unknown_precision_is_refused(tmp_path: Path, source: GgufInfo) -> None:
    with pytest.raises(ModelFileInvalid, match="'q4'") as caught:
        quantize(source.path, tmp_path / "q.gguf", "q4")
    assert caught.value.hint is not None
    assert "q4_k_m" in caught.value.hint


def test_k_quants_without_llama_cpp_say_what_to_install(
    tmp_path: Path, source: GgufInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "llama_cpp" else object())

    with pytest.raises(ConfigurationError, match="q4_k_m needs llama") as caught:
        quantize(source.path, tmp_path / "q.gguf", "q4_k_m")
    assert caught.value.hint is not None
    assert "llama-quantize" in caught.value.hint
    assert "q5_1" in caught.value.hint


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, *, expected: str, then: str) -> None:
    program = folder / "llama-quantize"
    program.write_text(FAKE.format(expected=expected, then=then))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_k_quants_go_through_llama_cpps_program(
    tmp_path: Path, source: GgufInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, expected="Q4_K_M", then='cp "$2" "$3"')

    model = quantize(source.path, tmp_path / "q.gguf", "q4_k_m")
    assert model.method == "llama-quantize q4_k_m"
    assert (model.parent_sha256, model.origin_sha256) == (digest_of(source.path), source.origin_sha256)
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("then", ["exit 1", "exit 0"])
def test_a_failed_quantizer_is_reported_with_its_last_words(
    tmp_path: Path, source: GgufInfo, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    install(tmp_path, monkeypatch, expected="Q6_K", then=then)

    with pytest.raises(EngineError, match="main: quantizing"):
        quantize(source.path, tmp_path / "q.gguf", "q6_k")
    assert not (tmp_path / "q.gguf").exists()


def test_a_missing_package_says_how_to_add_it(
    tmp_path: Path, source: GgufInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(ConfigurationError, match="needs numpy, gguf") as caught:
        quantize(source.path, tmp_path / "q.gguf", "q8_0")
    assert caught.value.hint == "pip install 'trimtab[serving]'"
