"""Simulations small enough to add up by hand."""

import time
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.catalog import ModelCard, Pool, PriceBook, PriceConfig
from trimtab.policy import Budget, Constraints, Facts, load_policy
from trimtab.replay import Outcome, PromptOutcomes, Resolve, Simulation, simulate
from trimtab.routing import Estimate, Measured

S, L = "rec:small", "rec:large"
POOL = Pool.of([ModelCard(provider="rec", model="small"), ModelCard(provider="rec", model="large")])
PRICES = PriceBook(
    {
        S: PriceConfig(input_usd_per_mtok=Decimal(1), output_usd_per_mtok=Decimal(2)),
        L: PriceConfig(input_usd_per_mtok=Decimal(10), output_usd_per_mtok=Decimal(20)),
    }
)


def only(*models: str) -> Resolve:
    def resolve(facts: Facts, pool: Pool) -> Constraints:
        return Constraints(policy_id="p", policy_version="v", allowed=models, rule_ids=("r",), sensitivity=0)

    return resolve


def prompt(number: int, baseline: str | None = L, **outcomes: Outcome) -> PromptOutcomes:
    return PromptOutcomes(
        prompt_id=f"p{number}",
        facts=Facts(sensitivity=0),
        baseline_model=baseline,
        outcomes={f"rec:{name}": outcome for name, outcome in outcomes.items()},
        at_us=0,
    )


PROMPTS = [
    prompt(1, small=Outcome(10, 1.0, 100.0), large=Outcome(100, 1.0, 300.0)),
    prompt(2, small=Outcome(20, 0.0, 120.0), large=Outcome(200, 1.0, 500.0)),
    prompt(3, large=Outcome(300, 1.0, None, 1000, 50)),  # the small model was never asked
    prompt(4, S, small=Outcome(None, 1.0, 140.0, 500, 10), large=Outcome(None, 0.0)),
]


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return simulate({"cheap": only(S), "dear": only(L), "closed": only()}, PROMPTS, POOL, PRICES)


def test_the_chosen_models_own_outcomes_count(simulation: Simulation) -> None:
    cheap = simulation.policies[0]

    # 10 + 20 recorded, 1000 x $1 + 50 x $2 and 500 x $1 + 10 x $2 per million from tokens
    assert cheap.cost_nano_usd == 30 + 1_100_000 + 520_000
    assert (cheap.n_calls, cheap.n_unpriced, cheap.n_repriced) == (4, 0, 2)
    assert cheap.calls_by_model == {S: 4}
    assert cheap.quality is not None
    assert cheap.quality.mean == pytest.approx(2 / 3)
    assert (cheap.quality.n_samples, cheap.n_ungraded) == (3, 1)
    assert cheap.quality.lower == pytest.approx(0.2077, abs=5e-5)  # Wilson, 2 of 3
    assert cheap.quality.upper == pytest.approx(0.9385, abs=5e-5)
    assert cheap.latency_ms is not None
    assert cheap.latency_ms.mean == 120


def test_an_unknown_cost_is_counted_and_not_summed(simulation: Simulation) -> None:
    dear = simulation.policies[1]

    assert (dear.cost_nano_usd, dear.n_unpriced, dear.n_repriced) == (600, 1, 0)


def test_changes_are_counted_against_the_record(simulation: Simulation) -> None:
    cheap, dear, closed = simulation.policies

    assert [(r.n_unchanged, r.n_compared) for r in (cheap, dear, closed)] == [(1, 4), (3, 4), (0, 4)]


def test_a_refused_call_costs_nothing_and_has_no_quality(simulation: Simulation) -> None:
    closed = simulation.policies[2]

    assert (closed.n_calls, closed.n_refused, closed.cost_nano_usd, closed.n_unpriced) == (4, 4, 0, 0)
    assert (closed.quality, closed.n_ungraded, closed.calls_by_model) == (None, 0, {})


def test_the_record_and_every_single_model_are_beside_it(simulation: Simulation) -> None:
    assert simulation.n_calls == 4
    assert simulation.recorded.cost_nano_usd == 600 + 520_000
    assert simulation.recorded.calls_by_model == {L: 3, S: 1}
    assert [r.name for r in simulation.singles] == [S, L]
    assert [msgspec.structs.replace(r, name="cheap", kind="policy") for r in simulation.singles[:1]] == [
        simulation.policies[0]
    ]


def test_differences_are_paired_by_prompt(simulation: Simulation) -> None:
    cheap = simulation.policies[0]

    assert cheap.quality_difference is not None
    # prompts 1, 2 and 4: 0, -1, 0; t(0.975, 2) = 4.3027, s / sqrt(3) = 1 / 3
    assert cheap.quality_difference.mean == pytest.approx(-1 / 3)
    assert cheap.quality_difference.upper == 1.0  # -0.333 + 1.434, cut at what is possible
    assert cheap.quality_difference.lower == -1.0
    assert cheap.quality_difference.n_samples == 3
    assert cheap.cost_difference_nano_usd is not None
    assert cheap.cost_difference_nano_usd.n_samples == 4
    assert cheap.cost_difference_nano_usd.mean == pytest.approx((-90 - 180 + 1_099_700 + 0) / 4)


def test_paired_interval_of_students_sleep_data() -> None:
    # Student (1908): ten differences 1.2 ... 1.4 with mean 1.58 and 95 % (0.70, 2.46), here in tenths as fractions.
    steps = (12, 24, 13, 13, 0, 10, 18, 8, 46, 14)
    prompts = [prompt(i, small=Outcome(0, 0.5 + step / 100), large=Outcome(0, 0.5)) for i, step in enumerate(steps)]

    result = simulate({"cheap": only(S)}, prompts, POOL, PRICES).policies[0].quality_difference

    assert result is not None
    assert (result.mean, result.lower, result.upper) == pytest.approx((0.158, 0.07001142, 0.24598858))


def test_evidence_decides_where_a_bar_is_set() -> None:
    policy = load_policy("policy: bar\norganisation: {quality_bar: 0.8}\n", origin="test")

    def measure(workload: str, model: str) -> Measured:
        lower = 0.85 if model == S else 0.95
        return Measured(quality=Estimate(mean=lower, lower=lower, upper=1.0, n_samples=50))

    blind = simulate({"p": policy.resolve}, PROMPTS, POOL, PRICES).policies[0]
    informed = simulate({"p": policy.resolve}, PROMPTS, POOL, PRICES, measure=measure).policies[0]

    assert (blind.calls_by_model, informed.calls_by_model) == ({S: 4}, {S: 4})
    dear = measure("any", L)
    only_large = simulate(
        {"p": policy.resolve}, PROMPTS, POOL, PRICES, measure=lambda w, m: dear if m == L else Measured()
    )
    assert only_large.policies[0].calls_by_model == {L: 4}


def test_a_per_call_budget_is_simulated() -> None:
    def resolve(facts: Facts, pool: Pool) -> Constraints:
        base = only(L, S)(facts, pool)
        return msgspec.structs.replace(base, budgets=(Budget(scope="organisation", per_call_nano_usd=3_000_000),))

    # 1,024 expected output tokens: 2.05 million nano-dollars on the small model, 20.5 on the large one
    assert simulate({"p": resolve}, PROMPTS, POOL, PRICES).policies[0].calls_by_model == {S: 4}


def test_a_table_without_calls_has_nothing_recorded() -> None:
    simulation = simulate({"cheap": only(S)}, [prompt(1, None, small=Outcome(10, 1.0))], POOL, PRICES)

    assert (simulation.recorded.n_calls, simulation.policies[0].n_compared) == (0, 0)
    assert simulation.policies[0].quality_difference is None
    assert simulation.singles[1].n_unpriced == 1  # nobody knows how long the large model's answer would be


amounts = st.none() | st.integers(0, 10**9)
grades = st.none() | st.floats(0, 1)


@given(st.lists(st.tuples(amounts, grades, amounts, grades, st.sampled_from([S, L])), max_size=30))
def test_every_way_accounts_for_every_call(
    rows: list[tuple[int | None, float | None, int | None, float | None, str]],
) -> None:
    prompts = [
        prompt(i, base, small=Outcome(c1, q1), large=Outcome(c2, q2)) for i, (c1, q1, c2, q2, base) in enumerate(rows)
    ]

    simulation = simulate({"cheap": only(S)}, prompts, POOL, PRICES)

    for result in (simulation.recorded, *simulation.policies, *simulation.singles):
        n_graded = result.quality.n_samples if result.quality is not None else None
        assert sum(result.calls_by_model.values()) + result.n_refused == result.n_calls == len(rows)
        assert n_graded in (None, len(rows) - result.n_ungraded)
    assert simulation.singles[0].cost_nano_usd == sum(row[0] or 0 for row in rows)


def test_thirty_thousand_prompts_and_three_policies_take_seconds() -> None:
    prompts = [
        prompt(i, small=Outcome(i, float(i % 3 == 0)), large=Outcome(3 * i, float(i % 5 > 0))) for i in range(30_000)
    ]
    started_s = time.process_time()

    simulate({"a": only(S), "b": only(L), "c": only(S, L)}, prompts, POOL, PRICES)

    assert time.process_time() - started_s < 10  # about 1 s here
