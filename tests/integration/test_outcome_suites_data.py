"""RouteLLM's published outcomes as suites, where the data is beside the checkout; figures checked independently."""

import re
from collections import Counter
from pathlib import Path

import pytest
from tests.support.mmlu import MMLU_GROUP_OF

from trimtab.evaluation import GateOutcome, Plan, Run, compare_runs, gate
from trimtab.ingest.suites import ImportedSuite, OutcomeChoice, SuiteOptions, read_outcome_suite
from trimtab.stats import wilson_interval

DATA = Path(__file__).parents[3] / "shared/data/routing/routellm"
FILES = [DATA / "train.parquet", DATA / "val.parquet"]
STRONG, WEAK = "gpt-4-1106-preview", "mixtral-8x7b-instruct-v0.1"
HELD_OUT = {("mmlu", WEAK): 0.678, ("mmlu", STRONG): 0.811, ("gsm8k", WEAK): 0.627, ("gsm8k", STRONG): 0.863}
"""Accuracies on the part of the prompts that is not here (reference/routing.md, table of measured routers)."""
N_HELD_OUT = {"mmlu": 5538, "gsm8k": 531}
SUBJECT = re.compile(r"mmlu-(.+)-\d+")

pytestmark = pytest.mark.shared


def imported(choice: OutcomeChoice, margin: float = 0.05) -> ImportedSuite:
    if not DATA.exists():
        pytest.skip(f"no outcome data at {DATA}")
    pytest.importorskip("pyarrow.parquet")
    return read_outcome_suite(FILES, SuiteOptions(name="routellm", plan=Plan(margin=margin)), choice)


def accuracy(run: Run, stratum: str) -> tuple[float, int]:
    scores = [result.score for result in run.results if result.stratum == stratum]
    return sum(score for score in scores if score is not None) / len(scores), len(scores)


def test_both_models_accuracies_on_each_benchmark_are_reproduced() -> None:
    found = imported(OutcomeChoice())
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.concat_tables([pq.read_table(file, columns=["dataset", "model", "score"]) for file in FILES])
    means = table.group_by(["dataset", "model"]).aggregate([("score", "mean"), ("score", "count")]).to_pylist()

    runs = {run.model.removeprefix("recorded:"): run for run in found.runs}
    assert len(means) == 6
    for mean in means:
        measured, n_cases = accuracy(runs[mean["model"]], mean["dataset"])
        assert measured == pytest.approx(mean["score_mean"], abs=1e-6)
        assert n_cases == mean["score_count"]
    assert found.left_out == {}
    assert all(run.n_failed == 0 for run in found.runs)


def test_the_accuracies_agree_with_those_published_for_the_held_out_prompts() -> None:
    runs = {run.model.removeprefix("recorded:"): run for run in imported(OutcomeChoice()).runs}

    for (dataset, model), published in HELD_OUT.items():
        measured, n_here = accuracy(runs[model], dataset)
        here = wilson_interval(round(measured * n_here), n_here, confidence=0.99)
        there = wilson_interval(round(published * N_HELD_OUT[dataset]), N_HELD_OUT[dataset], confidence=0.99)
        assert max(here.lower, there.lower) < min(here.upper, there.upper), (dataset, model, measured, published)


def test_the_gate_answers_for_each_subject_whether_the_weak_model_is_good_enough() -> None:
    """With 5 points of margin: a few hundred cases settle what is far off, and name what is missing elsewhere."""
    found = imported(OutcomeChoice(datasets=frozenset({"mmlu"}), models=(STRONG, WEAK), pattern=SUBJECT))
    strong, weak = found.runs

    verdict = gate(compare_runs(strong, weak, margin=0.05))

    by_subject = {stratum.stratum: stratum for stratum in verdict.strata}
    assert len(by_subject) == 57
    assert verdict.outcome is GateOutcome.FAIL
    assert by_subject["professional_law"].outcome is GateOutcome.FAIL  # 18.7 points lost on 908 cases
    assert by_subject["marketing"].outcome is GateOutcome.PASS  # 1.2 points won on 164 cases
    counts = Counter(each.outcome for each in verdict.strata)
    assert counts == {"fail": 7, "pass": 5, "insufficient_evidence": 45}  # as docs/how-to/make-a-suite.md says
    open_ = [each for each in by_subject.values() if each.outcome is GateOutcome.INSUFFICIENT_EVIDENCE]
    assert open_
    assert all(each.n_needed is None or each.n_needed > each.n_pairs for each in open_)
    for each in by_subject.values():
        expected = accuracy(weak, each.stratum)[0] - accuracy(strong, each.stratum)[0]
        assert each.difference == pytest.approx(expected)


def test_the_gate_answers_for_each_group_of_subjects() -> None:
    mmlu = frozenset({"mmlu"})
    choice = OutcomeChoice(datasets=mmlu, models=(STRONG, WEAK), pattern=SUBJECT, groups=MMLU_GROUP_OF)
    strong, weak = imported(choice).runs

    verdict = gate(compare_runs(strong, weak, margin=0.05))

    assert sorted(stratum.stratum for stratum in verdict.strata) == sorted(set(MMLU_GROUP_OF.values()))
    assert sum(stratum.n_pairs for stratum in verdict.strata) == len(strong.results) == 8503
    assert {stratum.outcome for stratum in verdict.strata} == {GateOutcome.FAIL}
    wider = {stratum.stratum: stratum.outcome for stratum in gate(compare_runs(strong, weak, margin=0.15)).strata}
    assert wider == {"humanities": "fail", "other": "pass", "social-sciences": "pass", "stem": "pass"}
