"""Local engines inside a running service: called like any model, killed under load, refused when their file is bad."""

import json
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest
from tests.support.mock_upstream import MockUpstream
from tests.support.service import Service, running, wait_until, write_config
from tests.support.tiny_gguf import write_tiny_adapter, write_tiny_model

pytest.importorskip("xllamacpp", reason="llama.cpp is the extra `serving`")

POLICY = """
policy: engines
organisation: {sensitivity: public, mode: fixed, prefer: ["tiny:base", "mock:big"]}
"""
PRICE = {"input_usd_per_mtok": "1", "output_usd_per_mtok": "2", "source": "test"}


def configure(folder: Path, upstream: MockUpstream, *, policy: str = POLICY, **engine: Any) -> None:
    """A tiny engine, and a hosted model behind it that takes over."""
    if not (folder / "tiny.gguf").exists():
        write_tiny_model(folder / "tiny.gguf")
    served = ["base", *(adapter["name"] for adapter in engine.get("adapters", []))]
    write_config(
        folder,
        providers=[{"name": "mock", "kind": "openai", "base_url": f"{upstream.url}/v1", "retries": {"max_retries": 0}}],
        engines=[
            {"name": "tiny", "kind": "llama_cpp", "path": "tiny.gguf", "model": "base", "slots": 2, "threads": 1}
            | engine
        ],
        models=[
            *({"provider": "tiny", "model": name, "boundary": "inside", "price": PRICE} for name in served),
            {"provider": "mock", "model": "big", "boundary": "inside", "price": PRICE},
        ],
        policy=policy,
    )


def engines(service: Service) -> dict[str, Any]:
    """The state of the one engine, as the command shows it."""
    row: dict[str, Any] = json.loads(service.cli("models", "engines", "--json").stdout)[0]
    return row


def until_ready(service: Service, model: str = "tiny:base") -> None:
    wait_until(lambda: service.chat(max_tokens=1).headers["x-trimtab-model"] == model, timeout_s=20)


def engine_process(service: Service) -> Any:
    children = psutil.Process(service.process.pid).children(recursive=True)
    return next(child for child in children if "llama_cpp_host" in " ".join(child.cmdline()))


def test_s28_an_engine_is_called_like_any_model_and_ends_with_the_service(
    upstream: MockUpstream, tmp_path: Path
) -> None:
    configure(tmp_path, upstream)
    with running(tmp_path) as service:
        until_ready(service)
        answer = service.chat(max_tokens=5, temperature=0)
        streamed = service.chat(max_tokens=5, temperature=0, stream=True)
        messages = service.ask(
            "POST",
            "/v1/messages",
            {"model": "tiny:base", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]},
            {"anthropic-version": "2023-06-01"},
        )
        process = engine_process(service)
        key = (tmp_path / "data/run/engine-tiny.key").read_text()
        assert key not in " ".join(process.cmdline())
        state = engines(service)
        metrics = service.ask("GET", "/metrics").body.decode()
        found = {row["subject"]: row for row in json.loads(service.cli("check", "--json").stdout)}
    assert answer.status == streamed.status == messages.status == 200
    assert 1 <= answer.json()["usage"]["completion_tokens"] <= 5
    assert streamed.body.endswith(b"data: [DONE]\n\n")
    assert 1 <= messages.json()["usage"]["output_tokens"] <= 5
    assert answer.headers["x-trimtab-cost-usd"] != ""
    assert (state["state"], state["models"], state["n_restarts"]) == ("ready", ["base"], 0)
    assert 'trimtab_engine_ready{engine="tiny"} 1.0' in metrics
    assert "0.1M parameters" in found["engine tiny"]["message"]
    assert not process.is_running()
    assert list((tmp_path / "data/run").glob("engine*")) == []


def test_s28_a_killed_engine_moves_its_calls_to_the_next_model_and_comes_back(
    upstream: MockUpstream, tmp_path: Path
) -> None:
    configure(tmp_path, upstream)
    answered: list[tuple[int, str, str]] = []
    is_over = threading.Event()

    def call() -> None:
        while not is_over.is_set():
            answer = service.chat(max_tokens=200, temperature=0)
            answered.append((answer.status, answer.headers["x-trimtab-model"], answer.headers["x-trimtab-call-id"]))

    with running(tmp_path) as service:
        until_ready(service)
        callers = [threading.Thread(target=call) for _ in range(4)]
        for caller in callers:
            caller.start()
        time.sleep(0.5)
        engine_process(service).kill()
        wait_until(lambda: any(model == "mock:big" for _, model, _ in answered))
        wait_until(lambda: engines(service)["n_restarts"] == 1, timeout_s=20)
        until_ready(service)
        is_over.set()
        for caller in callers:
            caller.join(30)
        events = json.loads(service.cli("audit", "list", "--json").stdout)
        metrics = service.ask("GET", "/metrics").body.decode()
    assert {status for status, _, _ in answered} == {200}
    assert {model for _, model, _ in answered} == {"tiny:base", "mock:big"}
    actions = [(row["action"], row["subject"]) for row in events]
    assert actions.count(("engine.ready", "tiny")) == 2
    (down,) = [row for row in events if row["action"] == "engine.down"]
    assert "SIGKILL" in json.dumps(down)
    assert 'trimtab_engine_restarts{engine="tiny"} 1.0' in metrics
    with sqlite3.connect(tmp_path / "data/trimtab.db") as connection:
        recorded = {row[0] for row in connection.execute("SELECT call_id FROM calls")}
    connection.close()
    assert {call_id for _, _, call_id in answered} <= recorded


def test_s9_a_switch_of_the_default_leaves_engines_and_registered_files_alone(
    upstream: MockUpstream, tmp_path: Path
) -> None:
    configure(tmp_path, upstream, policy=POLICY.replace('"tiny:base", "mock:big"', '"mock:big"'))

    def deployed() -> tuple[object, ...]:
        return engines(service), json.loads(service.cli("models", "variants", "--json").stdout), engine_process(service)

    with running(tmp_path) as service:
        wait_until(lambda: engines(service)["state"] == "ready", timeout_s=20)
        before = deployed()
        assert service.chat(max_tokens=1).headers["x-trimtab-model"] == "mock:big"
        (tmp_path / "policy.yaml").write_text(POLICY)
        until_ready(service)
        after = deployed()
    assert after == before


def test_several_workers_share_one_engine(upstream: MockUpstream, tmp_path: Path) -> None:
    configure(tmp_path, upstream)
    document = (tmp_path / "trimtab.yaml").read_text()
    (tmp_path / "trimtab.yaml").write_text(f"{document}workers: 2\n")
    with running(tmp_path) as service:
        until_ready(service)
        time.sleep(0.5)  # the other worker looks four times a second
        models = {service.chat(max_tokens=1).headers["x-trimtab-model"] for _ in range(20)}
        hosts = [
            child
            for child in psutil.Process(service.process.pid).children(recursive=True)
            if "llama_cpp_host" in " ".join(child.cmdline())
        ]
    assert models == {"tiny:base"}
    assert len(hosts) == 1


def test_an_adapter_is_a_model_of_its_own_whatever_the_caller_writes(upstream: MockUpstream, tmp_path: Path) -> None:
    adapters = [{"name": name, "path": f"{name}.gguf"} for name in ("notes", "minutes")]
    for seed, adapter in enumerate(adapters, start=1):
        write_tiny_adapter(tmp_path / adapter["path"], seed=seed)
    policy = POLICY.replace("mode: fixed, ", "").replace('"tiny:base"', '"tiny:base", "tiny:notes", "tiny:minutes"')
    configure(tmp_path, upstream, policy=policy, adapters=adapters)

    def said(model: str, **extra: Any) -> str:
        answer = service.chat(model, "the same long prefix for every one of them", max_tokens=8, temperature=0, **extra)
        assert answer.headers["x-trimtab-model"] == model
        text: str = answer.json()["choices"][0]["message"]["content"]
        return text

    with running(tmp_path) as service:
        wait_until(lambda: engines(service)["state"] == "ready", timeout_s=20)
        time.sleep(0.5)
        alone = {model: said(model) for model in ("tiny:minutes", "tiny:base", "tiny:notes")}
        again = {model: said(model) for model in ("tiny:notes", "tiny:notes", "tiny:base", "tiny:minutes")}
        forced = said("tiny:base", lora=[{"id": 0, "scale": 1.0}], cache_prompt=True)
    assert len(set(alone.values())) == 3
    assert again == alone
    assert forced == alone["tiny:base"]


@pytest.mark.parametrize("fault", ["truncated", "not a model", "missing"])
def test_a_bad_model_file_is_named_and_the_rest_of_the_pool_serves_on(
    upstream: MockUpstream, tmp_path: Path, fault: str
) -> None:
    path = write_tiny_model(tmp_path / "tiny.gguf")
    if fault == "truncated":
        path.write_bytes(path.read_bytes()[:-1000])
    elif fault == "not a model":
        path.write_bytes(b"\x00" * 4096)
    configure(tmp_path, upstream)
    if fault == "missing":
        path.unlink()
    with running(tmp_path) as service:
        wait_until(lambda: engines(service)["state"] == "down", timeout_s=20)
        answers = [service.chat() for _ in range(5)]
        state = engines(service)
        check = service.cli("check", expect=1)
    assert {(a.status, a.headers["x-trimtab-model"]) for a in answers} == {(200, "mock:big")}
    assert "tiny.gguf" in state["reason"]
    assert "tiny.gguf" in check.stdout
