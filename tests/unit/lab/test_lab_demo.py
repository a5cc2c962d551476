import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from tests.support.office_pool import pool_model

from trimtab.catalog import ModelConfig, Pool
from trimtab.core import Api, parse_sensitivity
from trimtab.core.messages import WireRequest
from trimtab.lab import LEAST_CALLS, PROVEN, WORK, DemoFiles, draw_work, request_of, write_demo
from trimtab.policy import lint_policy, load_policy, run_policy_tests
from trimtab.workloads import CallHints, Classifier, WorkloadConfig

SMALL, LARGE = "local-small:office-small", "local-large:office-large"


def written(folder: Path, *, n_calls: int = 1000, seed: int = 7) -> DemoFiles:
    small = pool_model("office-small", input_usd="0.02", output_usd="0.04")
    large = pool_model("office-large", input_usd="0.08", output_usd="0.16")
    return write_demo(folder, small=small, large=large, n_calls=n_calls, seed=seed)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoFiles:
    return written(tmp_path_factory.mktemp("demo"))


def _config(demo: DemoFiles) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(demo.config.read_text())
    return found


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    one, two, other = (written(tmp_path / n, n_calls=40, seed=s) for n, s in (("a", 1), ("b", 1), ("c", 2)))

    for name in ("config", "policy", "traffic"):
        assert getattr(one, name).read_bytes() == getattr(two, name).read_bytes()
    assert one.traffic.read_bytes() != other.traffic.read_bytes()


def test_no_two_prompts_are_the_same_and_none_is_of_the_training_split(demo: DemoFiles) -> None:
    every = [*demo.first, *demo.fresh]

    assert len({sent.case.prompt for sent in every}) == len({sent.prompt_id for sent in every}) == len(every) == 1000
    assert {sent.case.split for sent in every} == {"test"}


def test_calls_are_shared_out_as_stated_two_thirds_of_each_workload_first(demo: DemoFiles) -> None:
    first, fresh = (Counter(sent.work.name for sent in part) for part in (demo.first, demo.fresh))

    assert {name: first[name] + fresh[name] for name in first} == {
        "ticket-triage": 350,
        "order-extraction": 350,
        "office-sums": 120,
        "order-summaries": 80,
        "house-records": 50,
        "odd-letters": 50,
    }
    assert all(first[work.name] == round(2 * (first[work.name] + fresh[work.name]) / 3) for work in WORK)


def test_the_fewest_calls_still_have_every_workload_in_both_parts() -> None:
    first, fresh = draw_work(LEAST_CALLS, seed=3)

    assert len(first) + len(fresh) == LEAST_CALLS
    assert {sent.work.name for sent in first} == {sent.work.name for sent in fresh} == {work.name for work in WORK}


def test_too_few_calls_are_refused() -> None:
    with pytest.raises(ValueError, match="6 workloads"):
        draw_work(LEAST_CALLS - 1, seed=1)


def test_every_stratum_of_the_office_is_in_the_traffic() -> None:
    assert {work.stratum for work in WORK} == {"routine", "reasoning", "drafting", "edge"}
    assert sum(work.share for work in WORK) == pytest.approx(1)


def test_calls_that_do_not_name_their_workload_are_recognised_by_app_and_task(demo: DemoFiles) -> None:
    classifier = Classifier([WorkloadConfig.model_validate(row) for row in _config(demo)["workloads"]])

    for sent in [*demo.first, *demo.fresh]:
        request = request_of(sent)
        body = msgspec.json.encode({"model": "auto", "messages": request.messages})
        hints = CallHints(
            app=request.app,
            workload=None,
            sensitivity=parse_sensitivity(request.sensitivity),
            app_sensitivity=None,
            policy_sensitivity=lambda workload: None,
            conversation=None,
        )
        assert classifier.classify(WireRequest(Api.CHAT_COMPLETIONS, body), hints).workload == sent.work.name, (
            sent.case.prompt
        )


def test_prices_are_the_cards_and_say_whose_they_are(demo: DemoFiles) -> None:
    prices = {f"{row['provider']}:{row['model']}": row["price"] for row in _config(demo)["models"]}

    assert prices[LARGE] == {
        "source": "stated by the lab: by its size",
        "input_usd_per_mtok": 0.08,
        "output_usd_per_mtok": 0.16,
    }
    assert set(prices) == {SMALL, LARGE}


def test_the_watched_policy_begins_with_everything_on_the_large_model(demo: DemoFiles) -> None:
    policy = yaml.safe_load(demo.policy.read_text())

    assert policy["organisation"]["prefer"] == [LARGE, SMALL]
    assert not any("prefer" in terms for terms in policy["workloads"].values())


def test_a_moved_workload_prefers_the_small_model_with_the_large_one_behind_it(tmp_path: Path) -> None:
    demo = written(tmp_path, n_calls=40)
    path = demo.write_policy(PROVEN, "What follows.", {"ticket-triage": "SMALL_DEFAULT_SUFFICIENT: 0.99 vs 0.99"})
    policy = yaml.safe_load(path.read_text())

    assert policy["workloads"]["ticket-triage"] == {"quality_bar": 0.9, "prefer": [SMALL, LARGE]}
    assert [name for name, terms in policy["workloads"].items() if "prefer" in terms] == ["ticket-triage"]
    assert "# SMALL_DEFAULT_SUFFICIENT: 0.99 vs 0.99" in path.read_text()


def test_each_policy_loads_lints_and_passes_its_own_tests(tmp_path: Path) -> None:
    demo = written(tmp_path, n_calls=40)
    pool = Pool.of(ModelConfig.model_validate(row).card() for row in _config(demo)["models"])
    for path in (demo.policy, demo.write_policy(PROVEN, "What follows.", {work.name: "all" for work in WORK})):
        policy = load_policy(path.read_text(), origin=path.name)

        assert lint_policy(policy, pool, today=date(2026, 1, 1)) == []
        outcomes = run_policy_tests(policy, pool)
        assert len(outcomes) == len(WORK)
        assert [outcome.message for outcome in outcomes if not outcome.passed] == []


def test_the_traffic_file_shows_each_prompt_with_its_answer_in_the_order_sent(demo: DemoFiles) -> None:
    rows = [json.loads(line) for line in demo.traffic.read_text().splitlines()]

    assert [row["prompt"] for row in rows] == [sent.case.prompt for sent in (*demo.first, *demo.fresh)]
    assert Counter(row["part"] for row in rows) == {"first": len(demo.first), "fresh": len(demo.fresh)}
