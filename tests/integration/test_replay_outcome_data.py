"""Policies simulated over published outcomes, where the data is beside the checkout; sums checked independently."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from trimtab.catalog import ModelCard, Pool, PriceBook
from trimtab.core import to_nano_usd
from trimtab.policy import Facts, load_policy
from trimtab.replay import Outcome, PromptOutcomes, simulate
from trimtab.routing import Estimate, Measured

DATA = Path(__file__).parents[3] / "shared/data/routing/zeroeval/train.parquet"
LARGE, SMALL = "zeroeval:gpt-4o-2024-05-13", "zeroeval:gpt-4o-mini-2024-07-18"

POLICIES = {
    "all-large": f'policy: all-large\norganisation: {{sensitivity: public, prefer: ["{LARGE}"]}}\n',
    "math-large": f"""
policy: math-large
organisation: {{prefer: ["{SMALL}"]}}
rules:
  - id: math-to-large
    when: {{task_type: math}}
    then: {{prefer: ["{LARGE}"]}}
""",
    "bar": "policy: bar\norganisation: {quality_bar: 0.7}\n",
}


class Row(NamedTuple):
    prompt_id: str
    task_type: str
    model: str
    score: float
    cost_usd: float | None
    input_tokens: int | None
    output_tokens: int | None


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    if not DATA.exists():
        pytest.skip(f"no outcome data at {DATA}")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = parquet.read_table(DATA, columns=list(Row._fields)).to_pydict()
    return [Row(*values) for values in zip(*(columns[name] for name in Row._fields), strict=True)]


def prompts(rows: list[Row]) -> Iterator[PromptOutcomes]:
    grouped: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row.prompt_id].append(row)
    for prompt_id, group in grouped.items():
        outcomes = {f"zeroeval:{row.model}": outcome(row) for row in group}
        yield PromptOutcomes(
            prompt_id=prompt_id,
            facts=Facts(sensitivity=0, task_type=group[0].task_type, workload=group[0].task_type),
            baseline_model=LARGE if LARGE in outcomes else None,
            outcomes=outcomes,
            at_us=1_793_534_400_000_000,
        )


def outcome(row: Row) -> Outcome:
    cost = None if row.cost_usd is None else to_nano_usd(Decimal(str(row.cost_usd)))
    return Outcome(cost, row.score, None, row.input_tokens, row.output_tokens)


@pytest.mark.shared
def test_three_policies_over_published_outcomes(rows: list[Row]) -> None:
    names = sorted({row.model for row in rows})
    assert {LARGE, SMALL} <= {f"zeroeval:{name}" for name in names}
    pool = Pool.of(ModelCard(provider="zeroeval", model=name) for name in names)
    scores: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        scores[row.task_type, f"zeroeval:{row.model}"].append(row.score)

    def measure(workload: str, model: str) -> Measured:
        graded = scores.get((workload, model))
        if not graded:
            return Measured()
        mean = sum(graded) / len(graded)
        return Measured(quality=Estimate(mean=mean, lower=mean, upper=mean, n_samples=len(graded)))

    loaded = {name: load_policy(text, origin=name) for name, text in POLICIES.items()}
    simulation = simulate(
        {name: policy.resolve for name, policy in loaded.items()}, prompts(rows), pool, PriceBook(), measure=measure
    )

    by_name = {result.name: result for result in (*simulation.policies, *simulation.singles)}
    for model in (LARGE, SMALL):
        own = [row for row in rows if f"zeroeval:{row.model}" == model]
        single = by_name[model]
        assert single.quality is not None
        assert single.quality.n_samples == len(own)
        assert single.quality.mean == pytest.approx(sum(row.score for row in own) / len(own))
        costs = [Decimal(str(row.cost_usd)) for row in own if row.cost_usd is not None]
        assert single.cost_nano_usd == pytest.approx(float(sum(costs) * 10**9), rel=1e-9)
    mixed, dear, cheap = by_name["math-large"], by_name["all-large"], by_name[SMALL]
    n_math = len({row.prompt_id for row in rows if row.task_type == "math"})
    assert mixed.calls_by_model == {LARGE: n_math, SMALL: simulation.n_calls - n_math}
    assert cheap.cost_nano_usd < mixed.cost_nano_usd < dear.cost_nano_usd == by_name[LARGE].cost_nano_usd
    assert mixed.quality_difference is not None
    assert mixed.quality_difference.lower < mixed.quality_difference.mean < mixed.quality_difference.upper
    assert dear.n_unchanged == dear.n_compared
    assert all(result.n_calls == simulation.n_calls for result in by_name.values())
