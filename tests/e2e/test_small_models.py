"""The embedded pool in earnest: real weights, served, quantized, judged, and set beside the larger model."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.support.service import run_cli

from trimtab.evaluation import NORMALISED_MATCH, Case, Run, Suite, gap_to_frontier, save_suite, user_prompt
from trimtab.lab import pool_models
from trimtab.lab.office import Stratum, office_cases
from trimtab.serving.variants import Serving, measure_served

pytest.importorskip("xllamacpp", reason="llama.cpp is the extra `serving`")

SEED = 4711
"""Not the seed of the cards: these cases were used for no choice."""


def suite_of(n_cases: int, *strata: Stratum) -> Suite:
    cases = tuple(
        Case(
            case_id=case.case_id,
            messages=user_prompt(case.prompt),
            expected=case.expected,
            stratum=case.stratum,
            task_type=case.task_type,
        )
        for case in office_cases("test", n_cases, seed=SEED, strata=strata)
    )
    return Suite(name="office", version="1", cases=cases)


def test_s27_eight_and_four_bits_take_less_memory_and_what_they_lose_is_reported(tmp_path: Path) -> None:
    small, _ = pool_models()
    save_suite(suite_of(400, "routine", "edge"), tmp_path / "suite.jsonl")

    done = run_cli(
        tmp_path, "models", "quantize", str(small.path), "--to", "q8_0,q4_0", "--out", ".", "--suite", "suite.jsonl",
        "--margin", "0.1", "--threads", "1", "--max-tokens", "64", "--json",
    )  # fmt: skip

    ladder = json.loads(done.stdout)
    parent, (eight, four) = ladder["parent"], ladder["variants"]
    assert parent["size_bytes"] > 1.5 * eight["size_bytes"] > 2 * four["size_bytes"]
    assert parent["precision"] == "f16"
    for row in (eight, four):
        assert row["parent_digest"] == parent["digest"] == small.card.sha256
        judged = {stratum["stratum"]: stratum for stratum in row["verdict"]["strata"]}
        assert set(judged) == {"edge", "routine"}
        for stratum in judged.values():
            assert stratum["lower"] <= stratum["difference"] <= stratum["upper"]
            assert stratum["n_pairs"] == 200
        assert row["output_tokens_per_s"] > 0
        assert row["memory_bytes"] > 0
    assert eight["verdict"]["outcome"] == "pass"
    assert abs(eight["perplexity_drift"]) < 0.02


@pytest.mark.slow
def test_s12_s71_the_small_model_is_near_on_routine_work_and_loses_on_reasoning_and_no_average_hides_it(
    tmp_path: Path,
) -> None:
    suite = suite_of(600, "routine", "reasoning")

    async def runs() -> list[Run]:
        serving = Serving(logs=tmp_path, threads=1, max_tokens=64)
        return [
            (await measure_served(model.path, suite, scorer=NORMALISED_MATCH, serving=serving)).run
            for model in pool_models()
        ]

    small, large = asyncio.run(runs())
    routine = gap_to_frontier(small, large, stratum="routine")
    reasoning = gap_to_frontier(small, large, stratum="reasoning")

    assert routine.result.n_pairs == reasoning.result.n_pairs == 300
    assert routine.lower <= routine.gap <= routine.upper < 0.08
    assert reasoning.lower > 0.25
