"""What cannot be served: each is refused in seconds, by a message that names the engine and a next step."""

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest
from tests.support.engine_suite import left_alive
from tests.support.fake_ollama import FakeOllama
from tests.support.fake_vllm import COMMAND
from tests.support.tiny_gguf import write_tiny_adapter, write_tiny_model

from trimtab.core.errors import EngineError, ModelFileInvalid, TrimtabError
from trimtab.serving import Engine, EngineConfig, build_engine, check_files
from trimtab.serving.http import NoAnswer, ask_json

pytest.importorskip("xllamacpp", reason="llama.cpp is the extra `serving`")


def build(folder: Path, **settings: Any) -> Engine:
    return build_engine(configure(folder, **settings), logs=folder / "logs")


def configure(folder: Path, **settings: Any) -> EngineConfig:
    usual = {"name": "bad-one", "kind": "llama_cpp", "path": folder / "model.gguf", "slots": 2, "threads": 1}
    return EngineConfig.model_validate(usual | settings)


def configure_vllm(folder: Path, **settings: Any) -> EngineConfig:
    (folder / "weights").mkdir()
    (folder / "weights" / "config.json").write_text('{"model_type": "llama"}')
    usual = {"name": "bad-one", "kind": "vllm", "path": folder / "weights", "command": COMMAND}
    return EngineConfig.model_validate(usual | settings)


async def refusal(engine: Engine, *, timeout_s: float = 20.0, within_s: float = 10.0) -> TrimtabError:
    """Start an engine that cannot be; return why not, after making sure that nothing is left of it."""
    begun_s = time.monotonic()
    with pytest.raises(TrimtabError) as refused:
        await _start(engine, timeout_s)
    assert time.monotonic() - begun_s < within_s
    assert getattr(engine, "pid", None) is None
    assert not [child for child in psutil.Process().children(recursive=True) if _is_engine(child)]
    assert "engine 'bad-one'" in refused.value.message
    assert refused.value.hint
    return refused.value


async def _start(engine: Engine, timeout_s: float) -> None:
    await engine.start()
    await engine.wait_ready(timeout_s)


def _is_engine(process: Any) -> bool:
    line = " ".join(process.cmdline()) if process.status() != psutil.STATUS_ZOMBIE else ""
    return ("llama_cpp_host" in line and "bad-one" in line) or "trimtab.serving.lifeline" in line


@contextmanager
def listening(engine: Engine) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", urlsplit(engine.endpoint.base_url).port or 0)):
        yield


async def test_a_truncated_model(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "model.gguf")
    path.write_bytes(path.read_bytes()[:-1000])
    assert "truncated" in (await refusal(build(tmp_path))).message


@pytest.mark.parametrize("content", [b"", b"GGUF", b"[core]\n" * 1000, b"GGUF\x03\0\0\0" + b"\xff" * 64])
async def test_a_file_that_is_no_model(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.gguf").write_bytes(content)
    assert isinstance(await refusal(build(tmp_path)), ModelFileInvalid)


async def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "model.gguf cannot be read: No such file" in (await refusal(build(tmp_path))).message


async def test_an_architecture_that_llama_cpp_does_not_know(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "model.gguf")
    path.write_bytes(path.read_bytes().replace(b"llama", b"loama"))
    assert "architecture 'loama', which llama.cpp does not know" in (await refusal(build(tmp_path))).message


async def test_a_model_that_lacks_a_tensor_is_refused_by_llama_cpp_itself(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "model.gguf")
    path.write_bytes(path.read_bytes().replace(b"blk.1.ffn_up", b"blk.1.ffn_no"))
    refused = await refusal(build(tmp_path))
    assert isinstance(refused, EngineError)
    assert "model.gguf was refused" in refused.message
    assert "engine-bad-one.log" in str(refused.hint)


async def test_a_model_without_a_tokenizer(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model.gguf", has_tokenizer=False)
    assert "has no tokenizer" in (await refusal(build(tmp_path))).message


async def test_an_adapter_as_a_model(tmp_path: Path) -> None:
    write_tiny_adapter(tmp_path / "model.gguf", seed=1)
    assert "is an adapter" in (await refusal(build(tmp_path))).message


async def test_an_adapter_of_another_base(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model.gguf")
    path = write_tiny_adapter(tmp_path / "wide.gguf", seed=1, width=32)
    assert "does not fit" in (await refusal(build(tmp_path, adapters=[{"name": "wide", "path": path}]))).message


async def test_a_model_as_an_adapter(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "model.gguf")
    assert "is no LoRA adapter" in (await refusal(build(tmp_path, adapters=[{"name": "x", "path": path}]))).message


async def test_a_model_that_gives_no_embeddings(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model.gguf")
    assert "gives no embeddings" in (await refusal(build(tmp_path, embeddings=True))).message


async def test_more_context_than_the_model_was_trained_for(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model.gguf", context_tokens=512)
    refused = await refusal(build(tmp_path, context_tokens=1024))
    assert "trained for 512 tokens, and `context_tokens` asks for 1,024" in refused.message


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process this way")
async def test_more_memory_than_the_engine_may_have(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model.gguf", context_tokens=1_000_000)
    refused = await refusal(build(tmp_path, max_memory_mb=128, context_tokens=500_000, slots=4))
    assert "model.gguf" in refused.message
    assert "a `max_memory_mb` above 128" in str(refused.hint)
    roomy = build(tmp_path, max_memory_mb=128, context_tokens=512)  # the same limit, and a need that it covers
    await roomy.start()
    await roomy.wait_ready(20)
    await roomy.stop()


async def test_a_port_that_somebody_took_is_used_when_it_is_free_again(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model.gguf")
    engine = build(tmp_path)
    with listening(engine):
        refused = await refusal(engine)
    assert "of loopback cannot be used: Address already in use." in refused.message
    await engine.start()
    await engine.wait_ready(20)
    await engine.stop()


async def test_a_call_that_is_too_long_is_the_callers_mistake(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model.gguf", context_tokens=512)
    engine = build(tmp_path)
    await engine.start()
    await engine.wait_ready(20)
    body = {"messages": [{"role": "user", "content": "too long " * 200}], "max_tokens": 4}
    try:
        with pytest.raises(NoAnswer, match="exceed") as refused:
            await ask_json(engine.endpoint, "chat/completions", body)
        assert refused.value.status == 400
        assert await engine.is_healthy()
    finally:
        await engine.stop()


async def test_a_model_that_loads_for_too_long(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model.gguf")
    refused = await refusal(build(tmp_path), timeout_s=0.001)
    assert "not ready after 0.001 s" in refused.message
    assert "ready_timeout_s" in str(refused.hint)


async def test_messages_repeat_what_this_start_wrote_and_not_an_earlier_one(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model.gguf")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "engine-bad-one.log").write_text("yesterday's trouble\n")
    assert "yesterday" not in (await refusal(build(tmp_path), timeout_s=0.001)).message


async def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model.gguf")
    (tmp_path / "logs").write_text("a file where a folder should be")
    assert "its log" in (await refusal(build(tmp_path))).message


async def test_llama_cpp_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny_model(tmp_path / "model.gguf")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'trimtab[serving]'" in str((await refusal(build(tmp_path))).hint)


async def test_vllm_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    config = configure_vllm(tmp_path, command=())
    assert "program vllm is not installed" in (await refusal(build_engine(config, logs=tmp_path))).message
    with pytest.raises(EngineError, match="program vllm is not installed"):
        check_files(config)


async def test_vllm_that_never_answers_is_ended_with_all_it_started(tmp_path: Path) -> None:
    config = configure_vllm(tmp_path, command=("sh", "-c", "echo loading; sleep 71.4711 & sleep 71.4711"))
    refused = await refusal(build_engine(config, logs=tmp_path), timeout_s=0.5)
    assert "not ready after 0.5 s. loading" in refused.message
    asleep = [each for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"] == ["sleep", "71.4711"]]
    assert not left_alive(asleep)


async def test_vllm_that_ends_while_it_loads(tmp_path: Path) -> None:
    config = configure_vllm(tmp_path, command=("sh", "-c", "echo no GPU found >&2; exit 3"))
    refused = await refusal(build_engine(config, logs=tmp_path))
    assert "ended with exit code 3 while it loaded" in refused.message
    assert "no GPU found" in refused.message


@pytest.mark.parametrize("text", ["{}", '{"r": "all"}', '{"r": 4096}', "no json"])
async def test_an_adapter_that_vllm_cannot_hold(tmp_path: Path, text: str) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text(text)
    config = configure_vllm(tmp_path, adapters=[{"name": "x", "path": tmp_path / "adapter"}])
    assert isinstance(await refusal(build_engine(config, logs=tmp_path)), ModelFileInvalid)


async def test_weights_for_vllm_that_are_not_there(tmp_path: Path) -> None:
    config = configure_vllm(tmp_path).model_copy(update={"path": tmp_path / "none"})
    assert "is not a folder of weights" in (await refusal(build_engine(config, logs=tmp_path))).message


async def test_a_server_that_does_not_run(tmp_path: Path) -> None:
    config = EngineConfig(name="bad-one", kind="openai", base_url="http://127.0.0.1:1/v1")
    refused = await refusal(build_engine(config, logs=tmp_path), timeout_s=0.3)
    assert "not ready after 0.3 s" in refused.message
    assert "Connection refused" in refused.message
    assert "http://127.0.0.1:1/v1" in str(refused.hint)


async def test_a_server_without_the_model(tmp_path: Path) -> None:
    with FakeOllama("gemma3:1b", "qwen3:4b") as fake:
        config = EngineConfig(name="bad-one", kind="openai", base_url=fake.base_url, model="qwen3")
        refused = await refusal(build_engine(config, logs=tmp_path))
    assert "serves gemma3:1b, qwen3:4b, and not 'qwen3'" in refused.message


async def test_a_server_that_refuses_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_TEST_ENGINE_KEY", "wrong")
    with FakeOllama("gemma3:1b") as fake:
        fake.api_key = "right"
        config = EngineConfig(
            name="bad-one", kind="openai", base_url=fake.base_url, api_key_env="TRIMTAB_TEST_ENGINE_KEY"
        )
        refused = await refusal(build_engine(config, logs=tmp_path), within_s=2)
    assert "answered 401" in refused.message
    assert "wrong" not in refused.message


async def test_a_key_that_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRIMTAB_TEST_ENGINE_KEY", raising=False)
    config = EngineConfig(
        name="bad-one", kind="openai", base_url="http://127.0.0.1:1/v1", api_key_env="TRIMTAB_TEST_ENGINE_KEY"
    )
    refused = await refusal(build_engine(config, logs=tmp_path))
    assert refused.message == "engine 'bad-one': TRIMTAB_TEST_ENGINE_KEY is not set."
