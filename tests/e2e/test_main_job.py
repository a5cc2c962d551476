"""The main job on real outcomes: import them, list workloads, simulate policies, and serve the same prompts live.

Every expected figure is summed here from the Parquet files themselves.
"""

import asyncio
import json
import math
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any, NamedTuple

import openai
import pytest
from tests.support.service import Service, environment, run_cli, running, wait_until, write_config

pytestmark = [pytest.mark.shared, pytest.mark.slow]

OUTCOMES = Path(__file__).parents[3] / "shared/data/routing"
SOURCES = ("routellm", "zeroeval", "mmlu_pro")
STRONG, WEAK = "recorded:gpt-4-1106-preview", "recorded:mixtral-8x7b-instruct-v0.1"
Z = 1.959963984540054


class Outcome(NamedTuple):
    """One row of a file."""

    workload: str
    prompt_id: str
    model: str
    score: float
    nano_usd: int | None
    prompt: str
    task_type: str


def _parquet(source: str) -> Path:
    path = OUTCOMES / source / "train.parquet"
    if not path.exists():
        pytest.skip(f"the outcome data is not beside the checkout: {path} is missing")
    return path


def _outcomes(*sources: str) -> Iterator[Outcome]:
    import pyarrow.parquet as pq

    names = ["dataset", "prompt_id", "model", "score", "cost_usd", "prompt", "task_type"]
    for source in sources:
        for batch in pq.ParquetFile(_parquet(source)).iter_batches(columns=names):
            for row in batch.to_pylist():
                dataset, prompt_id, model, score, cost, prompt, task_type = (row[name] for name in names)
                yield Outcome(
                    dataset, f"{dataset}:{prompt_id}", f"recorded:{model}", score, _nano(cost), prompt, task_type
                )


def _nano(cost_usd: float | None) -> int | None:
    if cost_usd is None:
        return None
    return int((Decimal(repr(cost_usd)) * 10**9).to_integral_value(ROUND_HALF_EVEN))


def _known(costs: Iterable[int | None]) -> int:
    return sum(cost for cost in costs if cost is not None)


def _cost(costs: list[int | None]) -> int | None:
    """Return the sum of what is known; where nothing is, the cost is unknown and not 0."""
    return None if all(cost is None for cost in costs) else _known(costs)


def _lower_bound(scores: list[float]) -> float:
    """Wilson's lower bound of a rate, written out again."""
    n, rate = len(scores), sum(scores) / len(scores)
    half = Z * math.sqrt(rate * (1 - rate) / n + Z * Z / (4 * n * n))
    return (rate + Z * Z / (2 * n) - half) / (1 + Z * Z / n)


def test_real_outcomes_give_workloads_and_simulations_equal_to_sums_over_the_files(tmp_path: Path) -> None:
    imported, peak_mb = _import(tmp_path, [_parquet(source) for source in SOURCES])
    rows = list(_outcomes(*SOURCES))

    assert (imported["n_new"], imported["n_bad"]) == (len(rows), 0)
    assert Decimal(imported["cost_usd"]) * 10**9 == _known(row.nano_usd for row in rows)
    assert imported["n_unpriced"] == sum(row.nano_usd is None for row in rows)
    assert peak_mb < 400, "an import of any size has bounded memory"
    _check_workloads(tmp_path, rows)
    _check_simulation(tmp_path, rows)
    again = json.loads(run_cli(tmp_path, "calls", "import", str(_parquet("routellm")), "--json").stdout)
    assert again["n_new"] == 0


def _import(folder: Path, files: list[Path]) -> tuple[dict[str, Any], float]:
    """Run the import; return what it says and its peak memory in MB (0 where there is no /proc)."""
    command = [sys.executable, "-m", "trimtab", "calls", "import", *map(str, files), "--json"]
    command += ["--sensitivity", "internal"]
    started_s, peak_mb = time.monotonic(), 0.0
    with (folder / "import.json").open("wb") as said:
        process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=said)
        while process.poll() is None:
            # Not wait4's ru_maxrss: it begins at the size of the process that started this one.
            peak_mb = max(peak_mb, _high_water_mb(process.pid))
            time.sleep(0.1)
    assert process.returncode == 0
    imported = json.loads((folder / "import.json").read_text())
    rate = imported["n_read"] / (time.monotonic() - started_s)
    print(f"import: {imported['n_read']:,} rows, {rate:,.0f} rows/s, peak {peak_mb:,.0f} MB")
    return imported, peak_mb


def _high_water_mb(pid: int) -> float:
    try:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return 0.0 if found is None else int(found[1]) / 1024


def _check_workloads(folder: Path, rows: list[Outcome]) -> None:
    by_model: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for row in rows:
        by_model[row.workload, row.model].append(row)
    listed = json.loads(run_cli(folder, "workloads", "list", "--json").stdout)

    assert {w["workload"]: w["n_calls"] for w in listed} == Counter(row.workload for row in rows)
    for workload in listed:
        costs = [row.nano_usd for row in rows if row.workload == workload["workload"]]
        assert workload["cost_nano_usd"] == _cost(costs)
        assert workload["cost_usd"] is None or Decimal(workload["cost_usd"]) * 10**9 == _cost(costs)
        for share in workload["models"]:
            _check_share(share, by_model.pop((workload["workload"], share["model"])), workload["n_calls"])
    assert not by_model, "every model of every workload is listed"


def _check_share(share: dict[str, Any], rows: list[Outcome], n_of_workload: int) -> None:
    scores = [row.score for row in rows]
    assert share["n_calls"] == share["quality"]["n_samples"] == len(rows)
    assert share["share"] == pytest.approx(len(rows) / n_of_workload)
    assert share["cost_nano_usd"] == _cost([row.nano_usd for row in rows])
    assert share["n_unpriced"] == sum(row.nano_usd is None for row in rows)
    assert share["quality"]["mean"] == pytest.approx(sum(scores) / len(scores))
    assert share["quality"]["lower"] <= share["quality"]["mean"] <= share["quality"]["upper"]
    if set(scores) <= {0.0, 1.0}:
        assert share["quality"]["lower"] == pytest.approx(_lower_bound(scores), abs=1e-9)


def _check_simulation(folder: Path, rows: list[Outcome]) -> None:
    (folder / "strong.yaml").write_text(
        f'policy: strong\norganisation: {{sensitivity: internal, mode: fixed, prefer: ["{STRONG}"]}}\n'
    )
    (folder / "by-task.yaml").write_text(
        f'policy: by-task\norganisation: {{sensitivity: internal, mode: fixed, prefer: ["{WEAK}"]}}\n'
        f'rules:\n  - {{id: math-is-hard, when: {{task_type: math}}, then: {{prefer: ["{STRONG}"]}}}}\n'
    )
    (folder / "best.yaml").write_text(
        "policy: best\norganisation: {sensitivity: internal, preset: max-quality}\n",
    )
    files = ("strong.yaml", "by-task.yaml", "best.yaml")
    done = run_cli(folder, "policy", "simulate", *files, "--pool", "recorded", "--json", timeout_s=280)
    found = json.loads(done.stdout)
    tasks, outcomes = {row.prompt_id: row for row in rows}, {(row.prompt_id, row.model): row for row in rows}
    best = _best_models(rows)

    assert found["n_calls"] == len(tasks)
    assert len(found["singles"]) == len({row.model for row in rows})
    for result in found["policies"]:
        chosen = {
            prompt_id: {
                "strong.yaml": STRONG,
                "by-task.yaml": STRONG if row.task_type == "math" else WEAK,
                "best.yaml": best[row.workload],
            }[result["name"]]
            for prompt_id, row in tasks.items()
        }
        _check_result(result, chosen, [outcomes.get(pair) for pair in chosen.items()])


def _best_models(rows: list[Outcome]) -> dict[str, str]:
    """Return for each workload the model with the highest lower bound; of equals the first by name."""
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        scores[row.workload][row.model].append(row.score)
    return {
        workload: min(by_model, key=lambda model: (-round(_lower_bound(by_model[model]), 12), model))
        for workload, by_model in scores.items()
    }


def _check_result(result: dict[str, Any], chosen: dict[str, str], outcomes: list[Outcome | None]) -> None:
    asked = [outcome for outcome in outcomes if outcome is not None]
    scores = [outcome.score for outcome in asked]
    assert result["calls_by_model"] == Counter(chosen.values())
    assert result["shares"] == {model: pytest.approx(n / len(chosen)) for model, n in Counter(chosen.values()).items()}
    assert result["n_refused"] == 0
    assert Decimal(result["cost_usd"]) * 10**9 == _known(outcome.nano_usd for outcome in asked)
    assert result["n_unpriced"] == len(chosen) - sum(outcome.nano_usd is not None for outcome in asked)
    assert result["quality"]["n_samples"] == len(asked) == len(chosen) - result["n_ungraded"]
    assert result["quality"]["mean"] == pytest.approx(sum(scores) / len(scores))
    assert result["quality"]["lower"] < result["quality"]["mean"] < result["quality"]["upper"]


N_EACH = 100
POLICY = "policy: live\norganisation: {sensitivity: internal}\n"


def test_the_same_prompts_served_live_cost_what_the_import_says(tmp_path: Path) -> None:
    sample = _sample(3 * N_EACH)
    _write_gateway(tmp_path)
    run_cli(tmp_path, "calls", "import", str(_parquet("routellm")), "--sensitivity", "internal", timeout_s=280)
    with running(tmp_path) as service:
        _ask_sync(service, sample[:N_EACH])
        asyncio.run(_ask_async(service, sample[N_EACH : 2 * N_EACH]))
        _ask_streaming(service, sample[2 * N_EACH :])
        wait_until(lambda: len(_exported(tmp_path, "gateway")) == len(sample))
    live, imported = _exported(tmp_path, "gateway"), _exported(tmp_path, "import:outcomes")

    assert len(imported) == sum(1 for _ in _outcomes("routellm"))
    assert {call["is_recorded"] for call in live} == {True}
    # Streams named no prompt id, so calls are matched by what they have in common with the sample: model and cost.
    in_sample = {(row.prompt_id, row.model) for row in sample}
    same = [call for call in imported if (call["prompt_id"], call["model"]) in in_sample]
    assert _totals(live) == _totals(same) == _totals_of(sample)
    assert sum(_call_nano(call) for call in live) == _known(row.nano_usd for row in sample)
    assert sorted(call["quality_fraction"] for call in live) == sorted(row.score for row in sample)


def _sample(n_rows: int) -> list[Outcome]:
    """Return priced outcomes of prompts whose text is theirs alone, both models in turn."""
    rows = [row for row in _outcomes("routellm") if row.nano_usd is not None]
    prompts_with = defaultdict(set)
    for row in rows:
        prompts_with[row.prompt].add(row.prompt_id)
    alone = [row for row in rows if len(prompts_with[row.prompt]) == 1]
    return alone[:: len(alone) // n_rows | 1][:n_rows]  # an odd step takes both models, which alternate


def _write_gateway(folder: Path) -> None:
    write_config(
        folder,
        providers=[{"name": "recorded", "kind": "recorded", "path": str(_parquet("routellm"))}],
        models=[{"provider": "recorded", "model": name.removeprefix("recorded:")} for name in (STRONG, WEAK)],
        policy=POLICY,
        auth="keys",
    )


def _wire(row: Outcome) -> dict[str, Any]:
    return {
        "model": row.model,
        "messages": [{"role": "user", "content": row.prompt}],
        "extra_headers": {"x-trimtab-workload": row.workload},
    }


def _ask_sync(service: Service, rows: list[Outcome]) -> None:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key=service.secret, max_retries=0) as client:
        for row in rows:
            asked = _wire(row)
            asked["extra_headers"]["x-trimtab-prompt-id"] = row.prompt_id
            raw = client.chat.completions.with_raw_response.create(**asked)
            assert raw.headers["x-trimtab-recorded"] == "1"
            assert Decimal(raw.headers["x-trimtab-cost-usd"]) * 10**9 == row.nano_usd


async def _ask_async(service: Service, rows: list[Outcome]) -> None:
    gate = asyncio.Semaphore(8)
    async with openai.AsyncOpenAI(base_url=f"{service.url}/v1", api_key=service.secret, max_retries=0) as client:

        async def ask(row: Outcome) -> None:
            async with gate:
                raw = await client.chat.completions.with_raw_response.create(**_wire(row))
            assert raw.headers["x-trimtab-model"] == row.model

        await asyncio.gather(*map(ask, rows))


def _ask_streaming(service: Service, rows: list[Outcome]) -> None:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key=service.secret, max_retries=0) as client:
        for row in rows:
            chunks = list(client.chat.completions.create(**_wire(row), stream=True))
            assert len(chunks) > 2
            assert all(chunk.usage is None for chunk in chunks), "nobody asked for usage"


def _exported(folder: Path, source: str) -> list[dict[str, Any]]:
    done = run_cli(folder, "calls", "export", "--source", source, "--format", "jsonl")
    return [json.loads(line) for line in done.stdout.splitlines()]


def _call_nano(call: dict[str, Any]) -> int:
    return int(Decimal(str(call["cost_usd"])) * 10**9)


def _totals(calls: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[int, int]]:
    """Return calls and nano-dollars by workload and model."""
    groups = defaultdict(list)
    for call in calls:
        groups[call["workload"], call["model"]].append(_call_nano(call))
    return {key: (len(costs), sum(costs)) for key, costs in groups.items()}


def _totals_of(rows: list[Outcome]) -> dict[tuple[str, str], tuple[int, int]]:
    groups = defaultdict(list)
    for row in rows:
        groups[row.workload, row.model].append(row.nano_usd or 0)
    return {key: (len(costs), sum(costs)) for key, costs in groups.items()}
