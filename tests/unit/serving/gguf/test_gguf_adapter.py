import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.support.plain_llama import plain_weights, save_plain, save_plain_adapter

from trimtab.core.errors import ModelFileInvalid
from trimtab.serving.gguf import (
    AdapterInfo,
    check_adapter,
    check_servable,
    export_adapter,
    export_model,
    quantize,
    read_adapter,
    read_gguf,
)
from trimtab.serving.gguf.layout import read_layout


def exported(folder: Path, **adapter: object) -> AdapterInfo:
    base = save_plain(folder / "base")
    return export_adapter(save_plain_adapter(folder / "peft", **adapter), base, folder / "a.gguf")  # type: ignore[arg-type]  # rank and module have their own types


def test_an_adapter_says_what_it_changes(tmp_path: Path) -> None:
    adapter = exported(tmp_path)

    assert (adapter.architecture, adapter.alpha, adapter.rank, adapter.n_parameters) == ("llama", 8.0, 2, 128)
    assert adapter.targets == {"blk.0.attn_q.weight": (32, 32)}
    assert read_gguf(adapter.path).kind == "adapter"


def test_a_rank_stabilised_adapter_gets_the_alpha_that_scales_alike(tmp_path: Path) -> None:
    adapter = exported(tmp_path, rank=4, use_rslora=True)

    assert adapter.alpha / adapter.rank == pytest.approx(8 / 4**0.5)


def numbers(adapter: AdapterInfo, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    one = next(tensor for tensor in read_layout(adapter.path).tensors if tensor.name == name)
    return np.fromfile(adapter.path, np.float32, one.n_bytes // 4, offset=one.offset).reshape(one.shape)


def test_a_module_with_its_own_alpha_carries_it_in_its_weights(tmp_path: Path) -> None:
    adapter = exported(tmp_path, module="self_attn.o_proj", alpha_pattern={"o_proj": 4})
    up = load_file(tmp_path / "peft/adapter_model.safetensors")[
        "base_model.model.model.layers.0.self_attn.o_proj.lora_B.weight"
    ]

    found = numbers(adapter, "blk.0.attn_output.weight.lora_b") * adapter.alpha / adapter.rank
    np.testing.assert_allclose(found, up * 4 / 2, rtol=1e-6)


def test_an_adapter_goes_with_every_precision_of_its_base(tmp_path: Path) -> None:
    adapter = exported(tmp_path)
    base = export_model(tmp_path / "base", tmp_path / "f16.gguf")
    check_adapter(base, adapter)
    check_adapter(quantize(base.path, tmp_path / "q8.gguf", "q8_0"), adapter)


def test_an_adapter_for_another_base_is_refused(tmp_path: Path) -> None:
    adapter = exported(tmp_path)
    other = export_model(save_plain(tmp_path / "other", weights=plain_weights(seed=9)), tmp_path / "other.gguf")

    with pytest.raises(ModelFileInvalid, match=rf"made for the base {(adapter.base_sha256 or '')[:12]}"):
        check_adapter(other, adapter)
    check_adapter(other, replace(adapter, base_sha256=None))  # nothing recorded: the shapes fit


def test_an_adapter_of_another_shape_is_refused_before_it_is_written(tmp_path: Path) -> None:
    base = export_model(save_plain(tmp_path / "base"), tmp_path / "base.gguf")
    shapes = {**base.shapes, "blk.0.attn_q.weight": (64, 64)}
    peft = save_plain_adapter(tmp_path / "peft")

    with pytest.raises(ModelFileInvalid, match=r"attn_q\.weight of shape \(32, 32\), the base has \(64, 64\)"):
        export_adapter(peft, tmp_path / "base", tmp_path / "a.gguf", base=replace(base, shapes=shapes))
    with pytest.raises(ModelFileInvalid, match="it is for llama, the base is qwen2"):
        export_adapter(peft, tmp_path / "base", tmp_path / "a.gguf", base=replace(base, architecture="qwen2"))
    assert not (tmp_path / "a.gguf").exists()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"peft_type": "IA3"}, "of type IA3"),
        ({"use_dora": True}, "DoRA"),
        ({"bias": "all"}, "biases"),
        ({"modules_to_save": ["lm_head"]}, "whole modules"),
        ({"lora_alpha": 0}, "does nothing"),
        ({"lora_alpha": "much"}, "is not the configuration"),
        ({"module": "mlp.gate_proj"}, "do not fit"),
        ({"module": "mlp.router"}, r"mlp\.router, which llama\.cpp cannot adapt"),
    ],
)
def test_more_than_plain_lora_is_refused(tmp_path: Path, config: dict[str, object], message: str) -> None:
    with pytest.raises(ModelFileInvalid, match=message):
        exported(tmp_path, **config)


def test_half_an_adapter_is_refused(tmp_path: Path) -> None:
    peft = save_plain_adapter(tmp_path / "peft")
    weights = load_file(peft / "adapter_model.safetensors")
    weights.pop(next(name for name in weights if "lora_B" in name))
    save_file(weights, peft / "adapter_model.safetensors")

    with pytest.raises(ModelFileInvalid, match="do not fit each other"):
        export_adapter(peft, save_plain(tmp_path / "base"), tmp_path / "a.gguf")


def test_a_copy_of_the_base_beside_an_adapter_is_left_out(tmp_path: Path) -> None:
    peft = save_plain_adapter(tmp_path / "peft")
    weights = load_file(peft / "adapter_model.safetensors")
    weights["base_model.model.lm_head.base_layer.weight"] = np.zeros((264, 32), np.float32)
    save_file(weights, peft / "adapter_model.safetensors")

    adapter = export_adapter(peft, save_plain(tmp_path / "base"), tmp_path / "a.gguf")
    assert set(adapter.targets) == {"blk.0.attn_q.weight"}


def test_a_folder_without_an_adapter_is_refused(tmp_path: Path) -> None:
    base = save_plain(tmp_path / "base")
    with pytest.raises(ModelFileInvalid, match=r"no adapter_config\.json"):
        export_adapter(tmp_path, base, tmp_path / "a.gguf")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "lora_alpha": 8}))
    with pytest.raises(ModelFileInvalid, match=r"no adapter_model\.safetensors"):
        export_adapter(tmp_path, base, tmp_path / "a.gguf")


def test_models_and_adapters_are_not_taken_for_each_other(tmp_path: Path) -> None:
    adapter = exported(tmp_path)
    base = export_model(tmp_path / "base", tmp_path / "base.gguf")

    with pytest.raises(ModelFileInvalid, match="is no LoRA adapter"):
        read_adapter(base.path)
    with pytest.raises(ModelFileInvalid, match="is an adapter"):
        check_servable(read_gguf(adapter.path))
    with pytest.raises(ModelFileInvalid, match="is an adapter"):
        quantize(adapter.path, tmp_path / "q.gguf", "q8_0")


def test_a_model_that_cannot_read_text_or_be_computed_is_not_servable(tmp_path: Path) -> None:
    base = export_model(save_plain(tmp_path / "base"), tmp_path / "base.gguf")

    with pytest.raises(ModelFileInvalid, match="no tokenizer"):
        check_servable(replace(base, has_tokenizer=False))
    with pytest.raises(ModelFileInvalid, match="architecture 'abacus'"):
        check_servable(replace(base, architecture="abacus"))
