import math
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.support.plain_llama import plain_weights, save_plain

from trimtab.core.errors import ModelFileInvalid
from trimtab.serving.gguf import check_servable, digest_of, export_model, read_gguf
from trimtab.serving.gguf.layout import read_layout
from trimtab.serving.gguf.shape import ModelShape, interleave, llama3_factors, read_shape


def test_rows_go_from_halves_to_neighbouring_pairs() -> None:
    rows = np.arange(8, dtype=np.float32).reshape(8, 1)  # two heads of four: 0 1 | 2 3 and 4 5 | 6 7

    assert interleave(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def shape_of(folder: Path, **config: object) -> ModelShape:
    return read_shape(save_plain(folder, config=config))


def test_llama_3_divides_long_waves_by_its_factor_and_keeps_short_ones(tmp_path: Path) -> None:
    rope = {
        "rope_type": "llama3",
        "rope_theta": 10_000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }
    shape = shape_of(tmp_path, rope_parameters=rope)

    # Eight dimensions: wavelengths 2 pi, 20 pi, 200 pi and 2000 pi against a context of 64.
    smooth = (64 / (20 * math.pi) - 1) / 3
    assert llama3_factors(shape) == pytest.approx((1.0, 1 / ((1 - smooth) / 8 + smooth), 8.0, 8.0))


def test_a_sliding_window_bounds_the_context(tmp_path: Path) -> None:
    assert shape_of(tmp_path, sliding_window=64).context_tokens == 64
    assert shape_of(tmp_path, sliding_window=64, use_sliding_window=False).context_tokens == 128


def test_older_configurations_name_rope_beside_its_scaling(tmp_path: Path) -> None:
    config = {"rope_parameters": None, "rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 2.0}}
    rope = shape_of(tmp_path, **config).rope

    assert (rope.theta, rope.scaling, rope.factor) == (5e5, "linear", 2.0)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"architectures": ["GemmaForCausalLM"]}, "names GemmaForCausalLM"),
        ({"architectures": []}, "no architecture"),
        ({"hidden_act": "gelu"}, "silu only"),
        ({"rope_parameters": {"rope_type": "dynamic", "factor": 2.0}}, "'dynamic'"),
        ({"rope_parameters": {"rope_type": "yarn"}}, "without a factor"),
        ({"partial_rotary_factor": 0.5}, "partial rotary"),
        ({"num_key_value_heads": 3}, "cannot share 3"),
        ({"hidden_size": "wide"}, "is not the configuration"),
        ({"num_hidden_layers": 2}, "lacks 9 tensors"),
        ({"intermediate_size": 128}, "asks for"),
    ],
)
def test_a_model_that_llama_cpp_would_compute_differently_is_refused(
    tmp_path: Path, config: dict[str, object], message: str
) -> None:
    with pytest.raises(ModelFileInvalid, match=message):
        export_model(save_plain(tmp_path, config=config), tmp_path / "m.gguf")
    assert not (tmp_path / "m.gguf").exists()


def test_an_exported_file_says_what_it_is(tmp_path: Path) -> None:
    folder = save_plain(tmp_path / "hf")
    model = export_model(folder, tmp_path / "m.gguf", dtype="q8_0")

    assert (model.kind, model.architecture, model.precision) == ("model", "llama", "q8_0")
    assert (model.context_tokens, model.n_vocabulary) == (128, 264)
    assert model.n_parameters == sum(weight.size for weight in plain_weights().values())
    assert model.origin_sha256 == digest_of(folder / "model.safetensors")
    assert model.size_bytes == (tmp_path / "m.gguf").stat().st_size
    assert model == read_gguf(tmp_path / "m.gguf")
    check_servable(model)


def test_vectors_stay_in_32_bits(tmp_path: Path) -> None:
    export_model(save_plain(tmp_path), tmp_path / "m.gguf", dtype="q4_0")
    types = {tensor.name: tensor.type.name for tensor in read_layout(tmp_path / "m.gguf").tensors}

    assert {name for name, kind in types.items() if kind == "f32"} == {
        "output_norm.weight",
        "blk.0.attn_norm.weight",
        "blk.0.ffn_norm.weight",
    }


def test_progress_ends_at_the_whole(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    export_model(save_plain(tmp_path), tmp_path / "m.gguf", progress=lambda done, total: seen.append((done, total)))

    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]


@pytest.mark.parametrize(("value", "message"), [(np.nan, "no numbers"), (np.inf, "no numbers"), (1e6, "bf16 or f32")])
def test_weights_that_a_type_cannot_hold_are_refused_and_the_old_file_stays(
    tmp_path: Path, value: float, message: str
) -> None:
    weights = plain_weights()
    weights["model.layers.0.mlp.up_proj.weight"][3, 5] = value
    (tmp_path / "m.gguf").write_bytes(b"old")

    with pytest.raises(ModelFileInvalid) as caught:
        export_model(save_plain(tmp_path, weights=weights), tmp_path / "m.gguf")
    assert message in f"{caught.value.message} {caught.value.hint}"
    assert "up_proj" in caught.value.message
    assert (tmp_path / "m.gguf").read_bytes() == b"old"
    assert not list(tmp_path.glob("*.part"))


def test_a_tensor_without_a_place_is_named(tmp_path: Path) -> None:
    weights = plain_weights() | {"model.layers.0.mlp.experts.0.weight": np.zeros((1, 1), np.float32)}

    with pytest.raises(ModelFileInvalid, match=r"mlp\.experts\.0\.weight, which llama has no place for"):
        export_model(save_plain(tmp_path, weights=weights), tmp_path / "m.gguf")


def test_an_untied_model_must_have_its_output_layer(tmp_path: Path) -> None:
    with pytest.raises(ModelFileInvalid, match=r"the first is output\.weight"):
        export_model(save_plain(tmp_path, config={"tie_word_embeddings": False}), tmp_path / "m.gguf")


def test_a_folder_without_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileInvalid, match=r"no config\.json"):
        export_model(tmp_path, tmp_path / "m.gguf")


def test_shards_export_the_same_weights(tmp_path: Path) -> None:
    whole, parts = save_plain(tmp_path / "whole"), save_plain(tmp_path / "parts")
    weights = plain_weights()
    (parts / "model.safetensors").unlink()
    names = {name: f"model-{number % 2}.safetensors" for number, name in enumerate(weights)}
    for shard in set(names.values()):
        save_file({name: weights[name] for name in names if names[name] == shard}, parts / shard)
    (parts / "model.safetensors.index.json").write_text(f'{{"weight_map": {str(names).replace(chr(39), chr(34))}}}')
    export_model(whole, tmp_path / "whole.gguf", dtype="f32")
    export_model(parts, tmp_path / "parts.gguf", dtype="f32")

    layouts = [read_layout(tmp_path / "whole.gguf"), read_layout(tmp_path / "parts.gguf")]
    first, second = (
        {one.name: layout.path.read_bytes()[one.offset :][: one.n_bytes] for one in layout.tensors}
        for layout in layouts
    )
    assert first == second
