"""`trimtab models probe` on a real llama.cpp: figures, where they show, what they decide, and no engine left behind."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest
from tests.support.mock_upstream import MockUpstream
from tests.support.service import environment, run_cli, running, wait_until, write_config
from tests.support.tiny_gguf import write_tiny_adapter, write_tiny_model
from tests.support.tutorial import Reader, blocks_of

pytest.importorskip("xllamacpp", reason="llama.cpp is the extra `serving`")

ROOT = Path(__file__).resolve().parents[2]
HOURLY = {"usd_per_hour": "2", "utilisation": 0.5}
POLICY = """
policy: probed
organisation: {{sensitivity: public, mode: fixed, prefer: ["tiny:base", "mock:big"], latency: {{ttft_p95_ms: {limit}}}}}
"""
QUICK = ("--concurrency", "1,2", "--input-tokens", "64", "--output-tokens", "16")


def configure(folder: Path, mock_url: str = "http://127.0.0.1:9", *, limit: float = 0.001, **model: Any) -> None:
    """A tiny engine that costs by the hour, and a hosted model behind it."""
    write_tiny_model(folder / "tiny.gguf")
    write_config(
        folder,
        providers=[{"name": "mock", "kind": "openai", "base_url": f"{mock_url}/v1", "retries": {"max_retries": 0}}],
        engines=[{"name": "tiny", "kind": "llama_cpp", "path": "tiny.gguf", "model": "base", "slots": 2, "threads": 1}],
        models=[
            {"provider": "tiny", "model": "base", "boundary": "inside", "price": HOURLY},
            {
                "provider": "mock",
                "model": "big",
                "boundary": "inside",
                "price": {"input_usd_per_mtok": "1000", "output_usd_per_mtok": "2000"},
                **model,
            },
        ],
        policy=POLICY.format(limit=limit),
    )


def listed(folder: Path) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(run_cli(folder, "models", "list", "--json").stdout)[0]
    return row


def children_of(process: "subprocess.Popen[str]") -> list[Any]:
    try:
        return list(psutil.Process(process.pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def test_a_file_is_measured_and_the_figures_stand_on_the_models_card(tmp_path: Path) -> None:
    configure(tmp_path)
    assert (listed(tmp_path)["probe"], listed(tmp_path)["price_source"]) == (None, "unpriced")
    assert "models probe tiny:base" in run_cli(tmp_path, "check", expect=None).stderr

    done = run_cli(tmp_path, "models", "probe", "tiny.gguf", *QUICK, "--json")

    found = json.loads(done.stdout)
    assert found["model"] == "tiny:base"  # the engine that serves this file
    assert [(each["concurrency"], each["n_calls"], each["n_failed"]) for each in found["levels"]] == [
        (1, 20, 0),
        (2, 20, 0),
    ]
    assert abs(found["input_tokens"] - 64) <= 2
    assert found["output_tokens"] == 16
    assert found["input_tokens_per_s"] > 100
    assert found["context"]["declared_tokens"] == 512
    assert 380 < found["context"]["accepted_tokens"] < 512
    assert found["context"]["is_refused_above"] is True
    assert {each["capability"]: each["holds"] for each in found["capabilities"]} == {
        "json_schema": True,
        "tools": False,
        "logprobs": True,
    }
    assert found["memory_bytes"] is None or found["memory_bytes"] > 10_000_000
    assert (found["power"]["power_w"] is None) == (found["power"]["wh_per_output_mtok"] is None)
    assert found["power"]["source"] != ""
    assert (found["precision"], found["slots"], found["is_complete"]) == ("f32", 2, True)

    row = listed(tmp_path)
    assert row["probe"] == found
    best = max(found["levels"], key=lambda each: each["output_tokens_per_s"])
    usd = 2e6 / (best["output_tokens_per_s"] * 3600 * 0.5)
    assert float(row["output_usd_per_mtok"]) == pytest.approx(usd, rel=1e-3)
    assert "(probe of " in row["price_source"]
    assert f"n = {best['n_calls']} calls" in row["price_source"]
    assert "n = 40" in run_cli(tmp_path, "models", "list").stdout
    assert "tiny:base" not in run_cli(tmp_path, "check", expect=None).stdout


def test_a_file_that_no_engine_serves_is_measured_and_not_kept(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "alone.gguf")

    done = run_cli(tmp_path, "models", "probe", "alone.gguf", *QUICK, "--json")

    assert json.loads(done.stdout)["model"] == "alone.gguf"
    assert "Nothing was kept" in done.stderr
    assert not (tmp_path / "trimtab-data/trimtab.db").exists()


def test_no_save_keeps_nothing(tmp_path: Path) -> None:
    configure(tmp_path)

    run_cli(tmp_path, "models", "probe", "tiny:base", *QUICK, "--no-save")

    assert listed(tmp_path)["probe"] is None


def test_an_adapter_is_measured_as_a_model_of_its_own(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "tiny.gguf")
    write_tiny_adapter(tmp_path / "lora.gguf", seed=3)
    adapters = [{"name": "tuned", "path": "lora.gguf"}]
    engine = {"name": "tiny", "kind": "llama_cpp", "path": "tiny.gguf", "threads": 1, "adapters": adapters}
    write_config(tmp_path, providers=[], engines=[engine], models=[{"provider": "tiny", "model": "tuned"}])

    run_cli(tmp_path, "models", "probe", "tiny:tuned", *QUICK)

    assert listed(tmp_path)["probe"]["model"] == "tiny:tuned"


def test_a_probe_of_a_running_engine_decides_by_latency_until_calls_do(upstream: MockUpstream, tmp_path: Path) -> None:
    configure(tmp_path, upstream.url)
    with running(tmp_path) as service:
        wait_until(lambda: service.chat(max_tokens=1).headers["x-trimtab-model"] == "tiny:base", timeout_s=20)
        n_engines = len(children_of(service.process))

        measured = json.loads(service.cli("models", "probe", "tiny:base", *QUICK, "--json").stdout)

        assert len(children_of(service.process)) == n_engines
        assert "engine of the running service" in measured["notes"][0]
        last = service.chat(max_tokens=1)
        deadline_s = time.monotonic() + 15
        while last.headers["x-trimtab-model"] != "mock:big" and time.monotonic() < deadline_s:
            time.sleep(1)  # fewer than the 20 calls that would outweigh the probe
            last = service.chat(max_tokens=1)
        call_id = last.headers["x-trimtab-call-id"]
        wait_until(lambda: service.cli("calls", "show", call_id, expect=None).returncode == 0)
        explained = json.loads(service.cli("explain", call_id, "--json").stdout)["current"]
        shown = service.cli("explain", call_id).stdout

    assert last.headers["x-trimtab-model"] == "mock:big"
    (removed,) = explained["removed"]
    assert (removed["model"], removed["rule_id"]) == ("tiny:base", "builtin:latency-target")
    assert "p95 time to first token" in removed["reason"]
    assert "misses the target of 0 ms, n = 20 calls of the probe of 20" in removed["reason"]
    assert "calls of the probe of" in shown


def test_a_probed_model_within_the_target_is_permitted_and_the_trace_says_by_what(
    upstream: MockUpstream, tmp_path: Path
) -> None:
    configure(tmp_path, upstream.url, limit=60_000)
    run_cli(tmp_path, "models", "probe", "tiny:base", *QUICK)
    with running(tmp_path) as service:
        wait_until(lambda: service.chat(max_tokens=1).headers["x-trimtab-model"] == "tiny:base", timeout_s=20)
        answer = service.chat(max_tokens=1)
        call_id = answer.headers["x-trimtab-call-id"]
        wait_until(lambda: service.cli("calls", "show", call_id, expect=None).returncode == 0)
        explained = json.loads(service.cli("explain", call_id, "--json").stdout)["current"]

    assert "tiny:base: within the target by n = 20 calls of the probe of 20" in explained["trace"][1]["note"]
    assert float(answer.headers["x-trimtab-cost-usd"]) > 0  # by the hour, over the speed that the probe found


def test_a_hosted_model_is_estimated_first_and_asked_for_money_only_with_consent(
    upstream: MockUpstream, tmp_path: Path
) -> None:
    configure(tmp_path, upstream.url)

    counted = run_cli(tmp_path, "models", "probe", "mock:big", *QUICK, "--dry-run")
    refused = run_cli(tmp_path, "models", "probe", "mock:big", *QUICK, expect=2)
    paid = run_cli(tmp_path, "models", "probe", "mock:big", *QUICK, "--yes", "--json")

    # 40 calls of 64 + 16 and 5 of 400 + 400 tokens: 4,560 in at $1,000 and 2,640 out at $2,000 a million
    assert "at most 4,560 input and 2,640 output tokens; estimate $9.84" in counted.stderr
    assert "costs $9.84" in refused.stderr
    found = json.loads(paid.stdout)
    assert found["n_calls"] == 40
    assert found["context"]["accepted_tokens"] is None
    assert found["memory_bytes"] is None


def test_the_page_about_measuring_does_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    write_tiny_model(tmp_path / "models/office-small.gguf")
    page = (ROOT / "docs/how-to/measure-a-model.md").read_text()
    paths = f"{ROOT / '.venv/bin'}:{environment()['PATH']}"
    reader = Reader(tmp_path, environment({"PATH": paths}), {}, "")

    reader.follow(blocks_of(page))

    (said,) = reader.outputs
    shown = page.split("```text\n")[1].split("```")[0]
    labels = [line.split("  ")[0] for line in shown.splitlines()[8:]]
    assert [label for label in labels if label not in said] == []
    assert "probe of 20" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("tiny:other",), "There is no model 'tiny:other' to probe"),
        (("gone.gguf",), "There is no file gone.gguf"),
        (("tiny:base", "--concurrency", "two"), "takes whole numbers"),
        (("tiny:base", "--input-tokens", "600"), "does not fit into a context of 512"),
    ],
)
def test_what_cannot_be_probed_is_refused_with_a_next_step(
    tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    configure(tmp_path)

    done = run_cli(tmp_path, "models", "probe", *words, expect=2)

    assert message in done.stderr
    assert "hint:" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_probe_leaves_no_engine_behind(tmp_path: Path, number: signal.Signals) -> None:
    configure(tmp_path)
    command = [sys.executable, "-m", "trimtab", "models", "probe", "tiny:base", "--calls", "5000"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: any("llama_cpp_host" in " ".join(each.cmdline()) for each in children_of(process)), timeout_s=30)
    time.sleep(1)  # in the middle of its calls
    engines = children_of(process)

    process.send_signal(number)
    _, said = process.communicate(timeout=20)

    assert process.returncode == (130 if number is signal.SIGINT else -number)
    wait_until(lambda: not any(each.is_running() for each in engines), timeout_s=15)
    if number is signal.SIGINT:
        assert "error: interrupted." in said
    assert listed(tmp_path)["probe"] is None
