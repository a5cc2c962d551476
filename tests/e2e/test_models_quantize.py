"""`trimtab models quantize`: variants are made, served, judged, registered, and kept from serving when they fail."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.mock_upstream import MockUpstream
from tests.support.service import run_cli, running, wait_until, write_config
from tests.support.tiny_gguf import write_tiny_model

from trimtab.evaluation import Case, Suite, save_suite, user_prompt
from trimtab.serving import EngineConfig, build_engine
from trimtab.serving.http import ask_json

pytest.importorskip("xllamacpp", reason="llama.cpp is the extra `serving`")

N_CASES = 160


async def _answers(model: Path, logs: Path, prompts: list[str]) -> list[str]:
    engine = build_engine(EngineConfig(name="own", kind="llama_cpp", path=model, threads=1), logs=logs)
    await engine.start()
    try:
        await engine.wait_ready(30)
        said = []
        for prompt in prompts:
            body = {"messages": [{"role": "user", "content": prompt}], "temperature": 0, "max_tokens": 2}
            said.append((await ask_json(engine.endpoint, "chat/completions", body))["choices"][0]["message"]["content"])
        return said
    finally:
        await engine.stop()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model, and beside it a suite of what it says itself: it passes, and whatever answers otherwise fails."""
    folder = tmp_path_factory.mktemp("quantize")
    path = write_tiny_model(folder / "tiny-f32.gguf")
    prompts = [f"What is the number of order {1000 + number * 37}?" for number in range(N_CASES)]
    answers = asyncio.run(_answers(path, folder, prompts))
    cases = tuple(
        Case(
            case_id=f"c{number}",
            messages=user_prompt(prompt),
            expected=answer,
            stratum="routine" if number % 2 else "edge",
        )
        for number, (prompt, answer) in enumerate(zip(prompts, answers, strict=True))
    )
    save_suite(Suite(name="own-words", version="1", cases=cases), folder / "suite.jsonl")
    return path


def quantized(folder: Path, model: Path, *options: str, expect: int) -> Any:
    arguments = (str(model), "--out", str(folder / "made"), "--json", "--threads", "1", "--max-tokens", "2", *options)
    return json.loads(run_cli(folder, "models", "quantize", *arguments, expect=expect).stdout)


def harm(path: Path) -> None:
    """Turn every twentieth byte of the weights over: still a whole file, no longer the model."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle::20] = bytes(byte ^ 0xFF for byte in content[middle::20])
    path.write_bytes(content)


def test_s27_variants_are_judged_as_served_and_a_harmful_one_is_kept_from_serving(
    model: Path, upstream: MockUpstream, tmp_path: Path
) -> None:
    suite = ("--suite", str(model.parent / "suite.jsonl"), "--margin", "0.1", "--scorer", "exact_match")
    ladder = quantized(tmp_path, model, "--to", "f16", *suite, expect=0)
    parent, (half,) = ladder["parent"], ladder["variants"]
    assert parent["overall"]["mean"] == 1.0
    assert half["verdict"]["outcome"] == "pass"
    assert half["size_bytes"] < 0.6 * parent["size_bytes"]
    assert half["parent_digest"] == parent["digest"]
    assert ladder["default"] == half["name"] == "tiny-f16"
    assert half["output_tokens_per_s"] > 0
    assert abs(half["perplexity_drift"]) < 0.01

    harm(Path(half["path"]))
    harmed = quantized(tmp_path, model, "--to", "f16", *suite, expect=1)
    (bad,) = harmed["variants"]
    assert bad["verdict"]["outcome"] == "fail"
    assert {stratum["outcome"] for stratum in bad["verdict"]["strata"]} == {"fail"}
    assert harmed["default"] == parent["name"]

    listed = {row["digest"]: row for row in json.loads(run_cli(tmp_path, "models", "variants", "--json").stdout)}
    assert {row["gate_outcome"] for row in listed.values()} == {"unjudged", "pass", "fail"}
    events = [row["action"] for row in json.loads(run_cli(tmp_path, "audit", "list", "--json").stdout)]
    assert events.count("artifact.judge") == 2
    _serve_the_harmful_one(tmp_path, upstream, Path(bad["path"]))


def _serve_the_harmful_one(folder: Path, upstream: MockUpstream, path: Path) -> None:
    price = {"input_usd_per_mtok": "1", "output_usd_per_mtok": "2", "source": "test"}
    write_config(
        folder,
        data_dir="trimtab-data",
        providers=[{"name": "mock", "kind": "openai", "base_url": f"{upstream.url}/v1"}],
        engines=[{"name": "tiny", "kind": "llama_cpp", "path": str(path), "model": "base"}],
        models=[
            {"provider": "tiny", "model": "base", "boundary": "inside", "price": price},
            {"provider": "mock", "model": "big", "boundary": "inside", "price": price},
        ],
        policy="policy: p\norganisation: {sensitivity: public, mode: fixed, prefer: ['tiny:base', 'mock:big']}\n",
    )
    with running(folder) as service:
        wait_until(lambda: _state(service)["state"] == "down", timeout_s=20)
        answer = service.chat()
        state = _state(service)
        check = service.cli("check", expect=1)
    assert answer.headers["x-trimtab-model"] == "mock:big"
    assert "is blocked: on edge it loses more than 10.0%" in state["reason"]
    assert "is blocked" in check.stdout


def _state(service: Any) -> Any:
    return json.loads(service.cli("models", "engines", "--json").stdout)[0]


def test_without_a_suite_variants_are_made_and_not_judged(model: Path, tmp_path: Path) -> None:
    said = run_cli(tmp_path, "models", "quantize", str(model), "--to", "q8_0,q4_0", "--out", "made")
    rows = json.loads(run_cli(tmp_path, "models", "variants", "--json").stdout)
    assert "what is not judged is not served" in said.stderr
    sizes = [row["size_bytes"] for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    assert [row["gate_outcome"] for row in rows] == ["unjudged"] * 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--to", "q9_9"), "'q9_9' is no precision"),
        (("--to", "q4_k_m"), "needs llama.cpp's own quantizer"),
        (("--suite", "none.jsonl"), "none.jsonl"),
        (("--scorer", "vibes"), "No scorer is called 'vibes'"),
        (("--protect", "routine"), "names stratum 'routine', which the suite does not have"),
    ],
)
def test_what_cannot_be_done_is_said_with_what_to_do(
    model: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    done = run_cli(
        tmp_path, "models", "quantize", str(model), "--out", "made", *options, expect=None, env={"PATH": "/nowhere"}
    )
    assert done.returncode in {2, 3}
    assert said in done.stderr
    assert "hint:" in done.stderr
