"""One suite on every engine: llama.cpp, an OpenAI-compatible server found running, Ollama, vLLM."""

import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import gguf
import pytest
from tests.support.engine_suite import READY_S, Case, EngineSuite
from tests.support.fake_ollama import FakeOllama
from tests.support.fake_vllm import COMMAND
from tests.support.tiny_gguf import write_tiny_adapter, write_tiny_model

from trimtab.core.errors import EngineError
from trimtab.serving import EngineConfig, build_engine
from trimtab.serving.http import ask_json

pytest.importorskip("xllamacpp", reason="llama.cpp is the extra `serving`")

REAL_OLLAMA = "http://127.0.0.1:11434"
KEY_ENV = "TRIMTAB_TEST_ENGINE_KEY"
CONTEXT_TOKENS = 4096
LLAMA_LONG = {"max_tokens": 2000, "ignore_eos": True}
"""A tiny model writes some thousand tokens a second."""


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny base, two adapters for it, and the same as vLLM has them (which no fake reads)."""
    folder = tmp_path_factory.mktemp("models")
    write_tiny_model(folder / "tiny.gguf", context_tokens=CONTEXT_TOKENS)
    (folder / "weights").mkdir()
    (folder / "weights" / "config.json").write_text(json.dumps({"model_type": "llama"}))
    for seed, name in enumerate(("notes", "mail", "spare"), start=1):
        write_tiny_adapter(folder / f"{name}.gguf", seed=seed)
        (folder / name).mkdir()
        (folder / name / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 8 * seed}))
    return folder


@pytest.fixture(scope="session")
def llama_server(files: Path) -> Iterator[str]:
    """llama.cpp's server as a process that no engine started; the address of its ``/v1``."""
    spec: dict[str, Any] = {
        "path": str(files / "tiny.gguf"),
        "name": "tiny",
        "port": 0,
        "api_key": "server-key",
        "slots": 2,
        "context_tokens": CONTEXT_TOKENS,
        "threads": 1,
        "gpu_layers": None,
        "embeddings": False,
        "adapters": [],
        "http_threads": 64,
        "max_memory_mb": None,
    }
    command = [sys.executable, "-m", "trimtab.serving.llama_cpp_host"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(spec).encode() + b"\n")
        server.stdin.flush()
        yield json.loads(server.stdout.readline())["address"] + "/v1"
        server.stdin.close()
        assert server.wait(10) == 0


@pytest.fixture(scope="module")
def ollama() -> Iterator[FakeOllama]:
    with FakeOllama("qwen3:0.6b") as fake:
        yield fake


def _llama_cpp(request: pytest.FixtureRequest, files: Path, logs: Path) -> Case:
    adapters = [{"name": name, "path": files / f"{name}.gguf"} for name in ("notes", "mail")]
    config = EngineConfig.model_validate(
        {"name": "tiny-llama", "kind": "llama_cpp", "path": files / "tiny.gguf", "slots": 2, "threads": 1}
        | {"adapters": adapters}
    )
    return Case(
        engine=build_engine(config, logs=logs),
        config=config,
        logs=logs,
        model="tiny",
        adapters=("notes", "mail"),
        context_tokens=CONTEXT_TOKENS,
        slots=2,
        long=LLAMA_LONG,
    )


def _openai(request: pytest.FixtureRequest, files: Path, logs: Path) -> Case:
    base_url = request.getfixturevalue("llama_server")
    request.getfixturevalue("monkeypatch").setenv(KEY_ENV, "server-key")
    config = EngineConfig(name="found", kind="openai", base_url=base_url, api_key_env=KEY_ENV)
    return Case(
        engine=build_engine(config, logs=logs),
        config=config,
        logs=logs,
        model="tiny",
        is_started_here=False,
        context_tokens=CONTEXT_TOKENS,
        slots=2,
        long=LLAMA_LONG,
    )


def _ollama(request: pytest.FixtureRequest, files: Path, logs: Path) -> Case:
    fake: FakeOllama = request.getfixturevalue("ollama")
    config = EngineConfig(name="ollama", kind="ollama", base_url=fake.base_url, model="qwen3:0.6b")
    return Case(
        engine=build_engine(config, logs=logs),
        config=config,
        logs=logs,
        model="qwen3:0.6b",
        is_started_here=False,
        has_key=False,
        counts_load=False,
        context_tokens=4096,
    )


def _vllm(request: pytest.FixtureRequest, files: Path, logs: Path) -> Case:
    adapters = [{"name": name, "path": files / name} for name in ("notes", "mail")]
    config = EngineConfig.model_validate(
        {"name": "big", "kind": "vllm", "path": files / "weights", "model": "base", "slots": 4, "command": COMMAND}
        | {"context_tokens": 1024, "adapters": adapters}
    )
    return Case(
        engine=build_engine(config, logs=logs),
        config=config,
        logs=logs,
        model="base",
        adapters=("notes", "mail"),
        spare_adapter=files / "mail",
        context_tokens=1024,
        slots=4,
    )


def _real_ollama(request: pytest.FixtureRequest, files: Path, logs: Path) -> Case:
    model = _smallest_model()
    if model is None:
        pytest.skip(f"Ollama does not run at {REAL_OLLAMA}, or has no model that only chats: `ollama pull llama3.2:1b`")
    config = EngineConfig(name="real-ollama", kind="ollama", base_url=f"{REAL_OLLAMA}/v1", model=model)
    return Case(
        engine=build_engine(config, logs=logs),
        config=config,
        logs=logs,
        model=model,
        is_started_here=False,
        has_key=False,
        counts_load=False,
    )


def _smallest_model() -> str | None:
    """Return the smallest model that writes without thinking first: the suite gives it a dozen tokens."""
    try:
        with urllib.request.urlopen(f"{REAL_OLLAMA}/api/tags", timeout=2) as answer:
            rows = json.load(answer)["models"]
        for row in sorted(rows, key=lambda row: int(row["size"])):
            asked = urllib.request.Request(f"{REAL_OLLAMA}/api/show", data=json.dumps({"model": row["model"]}).encode())
            with urllib.request.urlopen(asked, timeout=5) as answer:
                capabilities = json.load(answer).get("capabilities", [])
            if "completion" in capabilities and "thinking" not in capabilities:
                return str(row["model"])
    except OSError:
        pass
    return None


_CASES: dict[str, Callable[[pytest.FixtureRequest, Path, Path], Case]] = {
    "llama_cpp": _llama_cpp,
    "openai": _openai,
    "ollama": _ollama,
    "vllm": _vllm,
}
_WITHOUT_OLLAMA = shutil.which("ollama") is None
if not _WITHOUT_OLLAMA:
    _CASES["real_ollama"] = _real_ollama


class TestEngines(EngineSuite):
    @pytest.fixture(params=list(_CASES))
    async def case(self, request: pytest.FixtureRequest, files: Path, tmp_path: Path) -> AsyncIterator[Case]:
        made = _CASES[request.param](request, files, tmp_path)
        yield made
        await made.engine.stop()

    @pytest.fixture
    async def ready(self, case: Case) -> Case:
        await case.engine.start()
        await case.engine.wait_ready(READY_S)
        return case


async def test_an_engine_for_embeddings_serves_those(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "tiny.gguf", pooling=gguf.PoolingType.MEAN)
    engine = build_engine(
        EngineConfig(name="vectors", kind="llama_cpp", path=path, embeddings=True, threads=1), logs=tmp_path
    )
    await engine.start()
    try:
        assert (await engine.wait_ready(READY_S)).capabilities == {"embeddings"}
        answer = await ask_json(engine.endpoint, "embeddings", {"model": "tiny", "input": ["one", "two"]})
        assert [len(row["embedding"]) for row in answer["data"]] == [64, 64]
    finally:
        await engine.stop()


@pytest.mark.skipif(_WITHOUT_OLLAMA, reason="ollama is not on the PATH; the suite runs on its stand-in")
async def test_the_real_ollama_without_a_model_says_how_to_get_it(tmp_path: Path) -> None:
    config = EngineConfig(name="real", kind="ollama", base_url=f"{REAL_OLLAMA}/v1", model="none:such")
    with pytest.raises(EngineError, match=r"does not have 'none:such'|not ready after"):
        await build_engine(config, logs=tmp_path).wait_ready(5)


@pytest.mark.skipif(shutil.which("vllm") is None, reason="vllm is not on the PATH; the suite runs on its stand-in")
def test_the_real_vllm_knows_every_argument_that_it_is_given() -> None:
    shown = subprocess.run(["vllm", "serve", "--help=all"], capture_output=True, text=True, timeout=120, check=True)
    for argument in (
        *("--host", "--port", "--served-model-name", "--max-num-seqs", "--max-model-len", "--uvicorn-log-level"),
        *("--enable-lora", "--max-loras", "--max-lora-rank", "--lora-modules"),
    ):
        assert argument in shown.stdout
