import hashlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.support.plain_llama import Weights

from trimtab.core.errors import ModelFileInvalid
from trimtab.serving.gguf.weights import list_tensors, origin_of, weight_files


def raw_file(path: Path, table: object, content: bytes) -> Path:
    head = json.dumps(table).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + content)
    return path


def one_tensor(path: Path, dtype: str, shape: list[int], content: bytes) -> Path:
    table = {"__metadata__": {"format": "pt"}, "w": {"dtype": dtype, "shape": shape, "data_offsets": [0, len(content)]}}
    return raw_file(path, table, content)


def test_bfloat16_is_the_upper_half_of_a_float(tmp_path: Path) -> None:
    path = one_tensor(tmp_path / "m.safetensors", "BF16", [3], struct.pack("<3H", 0x3F80, 0xC000, 0x3FC0))

    assert list_tensors(path)["w"].read().tolist() == [1.0, -2.0, 1.5]


def test_other_floats_are_read_as_they_are(tmp_path: Path) -> None:
    weights: Weights = {"half": np.array([[0.5, -2.0]], np.float16), "whole": np.array([3.25], np.float64)}
    save_file(weights, tmp_path / "m.safetensors")

    read = {name: tensor.read().tolist() for name, tensor in list_tensors(tmp_path / "m.safetensors").items()}
    assert read == {"half": [[0.5, -2.0]], "whole": [3.25]}


@pytest.mark.parametrize(
    ("dtype", "shape", "n_bytes", "message"),
    [
        ("I64", [1], 8, "as I64"),
        ("F32", [3], 8, r"8 bytes for shape \[3\]"),
        ("F32", [-2], 8, "damaged"),
    ],
)
def test_a_tensor_that_cannot_be_is_refused(
    tmp_path: Path, dtype: str, shape: list[int], n_bytes: int, message: str
) -> None:
    with pytest.raises(ModelFileInvalid, match=message):
        list_tensors(one_tensor(tmp_path / "m.safetensors", dtype, shape, bytes(n_bytes)))


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = one_tensor(tmp_path / "m.safetensors", "F32", [4], bytes(16))
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(ModelFileInvalid, match="truncated"):
        list_tensors(path)


@pytest.mark.parametrize("content", [b"", b"GGUF", struct.pack("<Q", 2**60) + b"{}", struct.pack("<Q", 2) + b"[]"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.safetensors").write_bytes(content)

    with pytest.raises(ModelFileInvalid, match="not a safetensors file"):
        list_tensors(tmp_path / "m.safetensors")


def shards(folder: Path, *names: str) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {name: name for name in names}}))


def test_shards_are_found_by_their_index(tmp_path: Path) -> None:
    for name in ("b.safetensors", "a.safetensors"):
        save_file({name: np.zeros(1, np.float32)}, tmp_path / name)
    shards(tmp_path, "b.safetensors", "a.safetensors")

    assert [path.name for path in weight_files(tmp_path)] == ["a.safetensors", "b.safetensors"]


@pytest.mark.parametrize("name", ["gone.safetensors", "../outside.safetensors"])
def test_a_shard_that_is_not_in_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    shards(tmp_path, name)

    with pytest.raises(ModelFileInvalid):
        weight_files(tmp_path)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileInvalid, match="neither"):
        weight_files(tmp_path)


def test_the_origin_of_one_file_is_its_digest(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")

    assert origin_of(tmp_path) == hashlib.sha256(b"weights").hexdigest()
