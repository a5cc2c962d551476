import json
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from tests.support.simulated import (
    CANDIDATES,
    MODELS,
    TODAY,
    WORKLOADS,
    SimulatedFiles,
    pass_probability,
    write_simulated,
)

from trimtab.catalog import ModelConfig, Pool
from trimtab.core import Api, JournalEntry, Sensitivity, parse_sensitivity, to_nano_usd
from trimtab.core.messages import WireRequest
from trimtab.ingest import Source, read_calls
from trimtab.lab import Request, read_traffic
from trimtab.policy import lint_policy, load_policy, run_policy_tests
from trimtab.workloads import CallHints, Classifier, WorkloadConfig


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> SimulatedFiles:
    return write_simulated(tmp_path_factory.mktemp("demo"), n_prompts=2000, seed=7)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    one, two, other = (write_simulated(tmp_path / n, n_prompts=40, seed=s) for n, s in (("a", 1), ("b", 1), ("c", 2)))

    for name in ("outcomes", "traffic", "config", "policy", "truth"):
        assert getattr(one, name).read_bytes() == getattr(two, name).read_bytes()
    assert one.outcomes.read_bytes() != other.outcomes.read_bytes()


def test_every_request_has_an_outcome_of_every_model(demo: SimulatedFiles) -> None:
    answered: dict[str, set[str]] = defaultdict(set)
    for row in _lines(demo.outcomes):
        answered[row["prompt_id"]].add(row["model"])
    traffic = _lines(demo.traffic)

    assert len(traffic) == demo.n_prompts == 2000
    assert {row["prompt_id"] for row in traffic} == set(answered)
    assert all(models == {model.model for model in MODELS} for models in answered.values())


def test_no_two_prompts_are_the_same(demo: SimulatedFiles) -> None:
    texts = [row["messages"][-1]["content"] for row in _lines(demo.traffic)]

    assert len(set(texts)) == len(texts)


def test_measured_quality_is_the_stated_truth_within_chance(demo: SimulatedFiles) -> None:
    scores: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in _lines(demo.outcomes):
        scores[row["workload"], "simulated:" + row["model"]].append(row["score"])
    truth = json.loads(demo.truth.read_text())["workloads"]

    for (workload, model), marks in scores.items():
        expected = truth[workload]["expected_quality"][model]
        four_sigma = 4 * (expected * (1 - expected) / len(marks)) ** 0.5 + 0.001
        assert abs(sum(marks) / len(marks) - expected) < four_sigma, (workload, model)


def test_the_cost_of_each_outcome_is_its_tokens_at_the_configured_price(demo: SimulatedFiles) -> None:
    pool = {m["model"]: ModelConfig.model_validate(m) for m in yaml.safe_load(demo.config.read_text())["models"]}

    for row in _lines(demo.outcomes)[:400]:
        price = pool[row["model"]].price
        assert price is not None
        assert price.input_usd_per_mtok is not None
        assert price.output_usd_per_mtok is not None
        cost = row["input_tokens"] * price.input_usd_per_mtok + row["output_tokens"] * price.output_usd_per_mtok
        assert to_nano_usd(Decimal(row["cost_usd"])) == to_nano_usd(cost / 1_000_000)


def test_the_outcomes_can_be_imported(demo: SimulatedFiles) -> None:
    entries = list(read_calls(Source(path=demo.outcomes)))

    assert all(isinstance(entry, JournalEntry) for entry in entries)
    calls = [entry.call for entry in entries if isinstance(entry, JournalEntry)]
    assert {call.workload for call in calls} == {workload.name for workload in WORKLOADS}
    assert {call.sensitivity for call in calls if call.workload == "contract-reasoning"} == {Sensitivity.RESTRICTED}
    assert all(call.cost_nano_usd for call in calls)


@pytest.mark.parametrize("name", [TODAY, *CANDIDATES])
def test_each_policy_loads_lints_and_passes_its_own_tests(demo: SimulatedFiles, name: str) -> None:
    models = [ModelConfig.model_validate(m) for m in yaml.safe_load(demo.config.read_text())["models"]]
    pool = Pool.of(model.card() for model in models)
    policy = load_policy(demo.policy_named(name).read_text(), origin=name)

    assert policy.name == name
    assert lint_policy(policy, pool, today=date(2026, 1, 1)) == []
    outcomes = run_policy_tests(policy, pool)
    assert outcomes
    assert [outcome.message for outcome in outcomes if not outcome.passed] == []


def test_the_watched_policy_begins_as_the_one_of_today(demo: SimulatedFiles) -> None:
    assert demo.policy.read_bytes() == demo.policy_named(TODAY).read_bytes()


def test_calls_that_do_not_name_their_workload_are_recognised_by_their_system_prompt(demo: SimulatedFiles) -> None:
    configs = [WorkloadConfig.model_validate(w) for w in yaml.safe_load(demo.config.read_text())["workloads"]]
    classifier = Classifier(configs)

    for request in read_traffic(demo.traffic)[:200]:
        body = msgspec.json.encode({"model": "auto", "messages": request.messages})
        seen = classifier.classify(WireRequest(Api.CHAT_COMPLETIONS, body), _hints(request))
        assert seen.workload == request.workload
        assert seen.sensitivity == parse_sensitivity(request.sensitivity), "no detector raises a made-up prompt"


def _hints(request: Request) -> CallHints:
    return CallHints(
        app=request.app,
        workload=None,
        sensitivity=parse_sensitivity(request.sensitivity),
        app_sensitivity=None,
        policy_sensitivity=lambda workload: None,
        conversation=None,
    )


def test_everything_says_that_it_is_simulated(demo: SimulatedFiles) -> None:
    assert all(row["is_simulated"] for row in _lines(demo.outcomes) + _lines(demo.traffic))
    assert "Simulated" in demo.config.read_text()
    assert "Simulated" in demo.truth.read_text()


def test_a_model_as_able_as_the_prompt_is_hard_passes_half_the_time() -> None:
    # Rasch: logit 0 is one half; logit ln 3 is three quarters.
    assert pass_probability(0.3, 0.3) == 0.5
    assert pass_probability(1.0986122886681098, 0.0) == pytest.approx(0.75)


def test_too_few_prompts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="4 workloads"):
        write_simulated(tmp_path, n_prompts=3, seed=1)
