from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from trimtab.serving import EngineConfig

LLAMA = {"name": "small", "kind": "llama_cpp", "path": "models/qwen.q4.gguf"}
VLLM = {"name": "big", "kind": "vllm", "path": "models/qwen"}
OLLAMA = {"name": "home", "kind": "ollama", "base_url": "http://127.0.0.1:11434/v1", "model": "qwen3:4b"}
OPENAI = {"name": "lab", "kind": "openai", "base_url": "http://10.0.0.5:8000/v1"}


def read(settings: dict[str, Any]) -> EngineConfig:
    return EngineConfig.model_validate(settings)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (LLAMA, ("qwen.q4",)),
        (LLAMA | {"model": "base"}, ("base",)),
        (LLAMA | {"adapters": [{"name": "notes", "path": "n.gguf"}]}, ("qwen.q4", "notes")),
        (VLLM, ("qwen",)),
        (OLLAMA, ("qwen3:4b",)),
        (OPENAI, ()),
        (OPENAI | {"model": "m"}, ("m",)),
    ],
)
def test_an_engine_is_called_by_its_model_its_file_or_whatever_it_has(
    settings: dict[str, Any], names: tuple[str, ...]
) -> None:
    assert read(settings).model_names == names


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        (LLAMA | {"path": None}, "needs `path`"),
        (OPENAI | {"base_url": None}, "needs `base_url`"),
        (LLAMA | {"base_url": "http://127.0.0.1:1"}, "finds its own address"),
        (OLLAMA | {"model": None}, "needs `model`, such as qwen3:4b"),
        (OLLAMA | {"base_url": "http://127.0.0.1:11434"}, "ends with /v1"),
        (OLLAMA | {"keep_alive": "ten minutes"}, "keep_alive is a number of seconds or a duration"),
        (OPENAI | {"adapters": [{"name": "n", "path": "n"}]}, "brings its own adapters"),
        (LLAMA | {"embeddings": True, "adapters": [{"name": "n", "path": "n"}]}, "takes no adapters"),
        (LLAMA | {"adapters": [{"name": "qwen.q4", "path": "n"}]}, "'qwen.q4' is served twice"),
        (OPENAI | {"base_url": "127.0.0.1:8000/v1"}, "begin with http"),
        (OPENAI | {"base_url": "file:///etc/passwd"}, "begin with http"),
        (OPENAI | {"base_url": "http://127.0.0.1/v1?a=1"}, "no query"),
        (OPENAI | {"path": "x"}, "kind 'openai' has no use for `path`"),
        (OPENAI | {"slots": 2}, "kind 'openai' has no use for `slots`"),
        (OLLAMA | {"context_tokens": 4096}, "kind 'ollama' has no use for `context_tokens`"),
        (LLAMA | {"pull": True}, "kind 'llama_cpp' has no use for `pull`"),
        (LLAMA | {"api_key_env": "KEY"}, "kind 'llama_cpp' has no use for `api_key_env`"),
        (VLLM | {"max_memory_mb": 4096}, "kind 'vllm' has no use for `max_memory_mb`"),
        (VLLM | {"gpu_layers": 1}, "kind 'vllm' has no use for `gpu_layers`"),
        (LLAMA | {"slots": 0}, "slots"),
        (LLAMA | {"ready_timeout_s": 0}, "ready_timeout_s"),
        (LLAMA | {"name": "Small Model"}, "name"),
        (LLAMA | {"gpu_layer": 1}, "gpu_layer"),
    ],
)
def test_an_engine_that_contradicts_itself_is_refused(settings: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        read(settings)


def test_credentials_in_an_address_are_refused_and_not_repeated() -> None:
    with pytest.raises(ValidationError, match="holds credentials") as refused:
        read(OPENAI | {"base_url": "http://me:sesame@127.0.0.1/v1"})
    assert "sesame" not in str(refused.value)


def test_the_address_ends_without_a_slash() -> None:
    assert read(OPENAI | {"base_url": "https://models.example/v1/"}).base_url == "https://models.example/v1"


def test_the_path_of_weights_stays_as_it_was_written() -> None:
    assert read(LLAMA).path == Path("models/qwen.q4.gguf")
