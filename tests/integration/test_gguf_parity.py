"""The same numbers from transformers and from llama.cpp, whatever the model, the precision and the adapter."""

import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the reference is computed with torch")
pytest.importorskip("transformers", reason="the reference is computed with transformers")
pytest.importorskip("tokenizers", reason="the models' tokenizers are trained here")

from tests.support.tiny_llama import (
    AWKWARD,
    LLAMA3_SPLIT,
    QWEN2_SPLIT,
    TEXTS,
    save_adapter,
    save_model,
    save_tokenizer,
)

from trimtab.core.errors import EngineError, InvalidRequest, ModelFileInvalid
from trimtab.serving.gguf import (
    GgufInfo,
    compare_logits,
    export_adapter,
    export_model,
    parity_table,
    perplexity_of,
    quantize,
    reference_of,
)
from trimtab.serving.gguf.logprobs import load
from trimtab.serving.gguf.shape import read_shape

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN_ROPE = {
    "rope_type": "yarn",
    "rope_theta": 10_000.0,
    "factor": 4.0,
    "original_max_position_embeddings": 128,
}


def saved(folder: Path, kind: str = "Llama", **config: object) -> Path:
    save_model(folder, save_tokenizer(folder, bos=True), kind=kind, **config)  # type: ignore[arg-type]  # any setting
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untied Llama whose four heads share two key-value heads."""
    return saved(tmp_path_factory.mktemp("parity") / "llama", tied=False)


@pytest.fixture(scope="module")
def f32(folder: Path) -> GgufInfo:
    return export_model(folder, folder / "f32.gguf", dtype="f32")


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("Llama", {"tied": True, "attention_bias": True, "head_dim": 32}),
        ("Llama", {"rope_parameters": LLAMA3_ROPE}),
        ("Mistral", {"tied": False, "rope_parameters": YARN_ROPE}),
        ("Qwen2", {"tied": True, "dtype": "bfloat16"}),
        ("Qwen3", {"tied": False, "head_dim": 32}),
    ],
)
def test_a_file_in_32_bits_is_the_model(tmp_path: Path, kind: str, config: dict[str, object]) -> None:
    folder = saved(tmp_path / "hf", kind, **config)
    model = export_model(folder, tmp_path / "f32.gguf", dtype="f32")

    (row,) = compare_logits(reference_of(folder, TEXTS[:1]), {"f32": model.path}, threads=1)
    assert row.same_tokens
    assert row.top1_agreement == 1.0
    assert row.max_logprob_difference < 1e-4  # measured: 7e-6


def test_precisions_lose_in_their_order(folder: Path, f32: GgufInfo, tmp_path: Path) -> None:
    reference = reference_of(folder, TEXTS)
    files = {"f32": f32.path}
    files |= {to: quantize(f32.path, tmp_path / f"{to}.gguf", to).path for to in ("f16", "q8_0", "q4_0")}

    rows = {row.name: row for row in compare_logits(reference, files, threads=1)}
    assert (rows["f32"].is_within_tolerance, rows["f16"].is_within_tolerance) == (True, True)
    assert rows["q8_0"].is_within_tolerance is None
    assert rows["f32"].mean_kl < 1e-5 < rows["q8_0"].mean_kl < 5e-3 < rows["q4_0"].mean_kl < 0.5
    assert rows["f16"].mean_kl < 1e-5
    assert rows["q8_0"].top1_agreement > 0.8
    assert rows["f32"].perplexity == pytest.approx(rows["f32"].reference_perplexity, rel=1e-5)


@pytest.mark.parametrize(
    "config", [{}, {"use_rslora": True}, {"alpha_pattern": {"q_proj": 32, "layers.1.mlp.up_proj": 2}}]
)
def test_an_adapter_adds_what_it_adds_in_transformers(
    folder: Path, f32: GgufInfo, tmp_path: Path, config: dict[str, object]
) -> None:
    save_adapter(tmp_path / "peft", **config)  # type: ignore[arg-type]  # any setting
    adapter = export_adapter(tmp_path / "peft", folder, tmp_path / "a.gguf", base=f32)
    rows = parity_table(
        folder, {"f32": f32.path}, TEXTS[:1], peft_folder=tmp_path / "peft", adapter=adapter.path, threads=1
    )

    assert [(row.name, row.is_within_tolerance) for row in rows] == [("f32", True), ("f32 + adapter", True)]
    assert rows[1].max_logprob_difference < 1e-4  # measured: 8e-6
    assert abs(rows[1].reference_perplexity - rows[0].reference_perplexity) > 1.0  # it does something


def test_an_adapter_equals_weights_it_was_merged_into_by_hand(folder: Path, f32: GgufInfo, tmp_path: Path) -> None:
    import shutil

    from safetensors.numpy import load_file, save_file

    save_adapter(tmp_path / "peft", targets=("q_proj", "down_proj"))
    weights = load_file(folder / "model.safetensors")
    parts = load_file(tmp_path / "peft/adapter_model.safetensors")
    for name in [name for name in parts if name.endswith("lora_A.weight")]:
        target = name.removeprefix("base_model.model.").replace("lora_A.", "")
        weights[target] += 8 / 4 * parts[name.replace("lora_A", "lora_B")] @ parts[name]  # lora_alpha over rank
    merged = shutil.copytree(folder, tmp_path / "merged", ignore=shutil.ignore_patterns("*.gguf"))
    save_file(weights, merged / "model.safetensors", metadata={"format": "pt"})
    adapter = export_adapter(tmp_path / "peft", folder, tmp_path / "a.gguf", base=f32)

    (row,) = compare_logits(
        reference_of(merged, TEXTS[:1]), {"f32": f32.path}, adapters={"f32": adapter.path}, threads=1
    )
    assert row.max_logprob_difference < 1e-4


@pytest.mark.parametrize(
    ("split", "more", "pre"),
    [
        (QWEN2_SPLIT, {}, "qwen2"),
        (LLAMA3_SPLIT, {}, "smaug-bpe"),
        (LLAMA3_SPLIT, {"whole_words": True}, "llama-bpe"),
        (None, {}, "gpt-2"),
        (None, {"digits": True, "bos": True}, "smollm"),
    ],
)
def test_both_runtimes_cut_awkward_text_alike(
    tmp_path: Path, split: str | None, more: dict[str, bool], pre: str
) -> None:
    import transformers

    from trimtab.serving.gguf.layout import read_layout

    save_model(tmp_path, save_tokenizer(tmp_path, split=split, **more))
    model = export_model(tmp_path, tmp_path / "m.gguf")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)

    assert read_layout(model.path).text("tokenizer.ggml.pre") == pre
    with load(model.path, threads=1) as runtime:
        cut = {text: runtime.tokens_of(text) for text in AWKWARD if text}
    assert cut == {text: tokenizer(text)["input_ids"] for text in AWKWARD if text}


def test_perplexity_is_that_of_the_reference(folder: Path, f32: GgufInfo) -> None:
    reference = reference_of(folder, TEXTS)
    found = [rows[range(len(ids) - 1), ids[1:]] for rows, ids in zip(reference.logprobs, reference.tokens, strict=True)]
    measured = perplexity_of(f32.path, TEXTS, threads=1)

    assert measured.n_tokens == sum(len(ids) - 1 for ids in reference.tokens)
    assert measured.perplexity == pytest.approx(math.exp(-float(np.concatenate(found).mean())), rel=1e-4)


def test_a_token_that_ends_the_answer_has_a_probability_too(folder: Path, f32: GgufInfo) -> None:
    with load(f32.path, threads=1) as runtime:
        whole = runtime.next_logprobs([5, 6, 7])
        for end in (*read_shape(folder).eos_token_ids, 9):
            assert runtime.logprob_of(end, [5, 6, 7]) == pytest.approx(float(whole[end]), abs=1e-4)
        assert np.exp(whole).sum() == pytest.approx(1.0, abs=1e-4)


def test_a_text_without_a_next_token_is_refused(folder: Path) -> None:
    with pytest.raises(InvalidRequest, match="at least 2"):
        reference_of(folder, [""])


def test_an_adapter_for_another_base_is_refused_before_it_is_loaded(
    folder: Path, f32: GgufInfo, tmp_path: Path
) -> None:
    save_model(tmp_path / "other", save_tokenizer(tmp_path / "other", bos=True), tied=False, seed=8)
    save_adapter(tmp_path / "peft")
    adapter = export_adapter(tmp_path / "peft", tmp_path / "other", tmp_path / "a.gguf")

    with pytest.raises(ModelFileInvalid, match="was made for the base"), load(f32.path, adapter=adapter.path):
        pass


def test_a_file_that_llama_cpp_refuses_is_an_error_with_its_words(folder: Path, f32: GgufInfo, tmp_path: Path) -> None:
    content = f32.path.read_bytes().replace(b"llama.block_count", b"llama.block_cound")
    (tmp_path / "broken.gguf").write_bytes(content)

    with pytest.raises(EngineError, match=r"cannot load .*broken\.gguf"), load(tmp_path / "broken.gguf"):
        pass
