"""What small models lack is measured; how many parameters they have decides nothing."""

import ast
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.evaluation import outcomes_of, run_of, suite_of

import trimtab
from trimtab.catalog import ModelCard, Pool, PriceBook
from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import FrontierGap, gap_to_frontier
from trimtab.policy import Constraints, Facts
from trimtab.routing import Estimate, candidate_facts, decide

SOURCES = Path(trimtab.__file__).parent
Mode = Literal["auto", "eco", "capability"]
CARDS = [
    ModelCard(provider="p", model=name, capability_rank=rank, parameters_b=size, is_approved=True)
    for name, rank, size in (("tiny", 1, 0.6), ("small", 2, 8.0), ("large", 3, 400.0))
]


def measured() -> tuple[FrontierGap, FrontierGap]:
    """Return the gap on routine work and on reasoning of a small model that is good at one of them."""
    suite = suite_of({"routine": 161, "reasoning": 100})
    routine = outcomes_of(both=80, candidate_only=6, baseline_only=16, neither=59)
    reasoning = outcomes_of(both=40, candidate_only=0, baseline_only=50, neither=10)
    frontier = run_of(suite, {"routine": routine[0], "reasoning": reasoning[0]}, "cloud:large")
    small = run_of(suite, {"routine": routine[1], "reasoning": reasoning[1]}, "local:small")
    return gap_to_frontier(small, frontier), gap_to_frontier(small, frontier, stratum="reasoning")


def test_s12_the_gap_to_frontier_on_the_routine_stratum_has_its_interval() -> None:
    routine, reasoning = measured()

    assert routine.gap == pytest.approx(10 / 161)
    assert (routine.lower, routine.upper) == pytest.approx((0.005433, 0.124023), abs=1e-6)  # Tango's published case
    assert str(routine) == (
        "Gap to frontier on routine: +0.062 [+0.005, +0.124]; "
        "local:small 0.534 vs cloud:large 0.596, n = 161, 95% confidence"
    )
    assert reasoning.gap == pytest.approx(0.5)
    assert reasoning.lower > 0.4


def test_a_stratum_without_cases_is_refused() -> None:
    suite = suite_of({"reasoning": 1})
    run = run_of(suite, {"reasoning": [True]})

    with pytest.raises(ConfigurationError, match="no case of stratum 'routine'"):
        gap_to_frontier(run, run)


def choices(cards: list[ModelCard], qualities: list[float | None], mode: Mode) -> tuple[str | None, tuple[str, ...]]:
    """Return the model and the failovers that the router chooses."""
    pool, prices, facts = Pool.of(cards), PriceBook({}), Facts(sensitivity=0)
    constraints = Constraints(
        policy_id="p",
        policy_version="v",
        allowed=tuple(pool.cards),
        rule_ids=("organisation",),
        sensitivity=0,
        mode=mode,
        quality_bar=0.7,
    )
    known = [
        None if q is None else Estimate(mean=q, lower=max(q - 0.05, 0), upper=min(q + 0.05, 1), n_samples=400)
        for q in qualities
    ]
    candidates = [candidate_facts(c, facts, prices, at_us=0, quality=q) for c, q in zip(cards, known, strict=True)]
    decision = decide(facts, constraints, candidates, pool)
    return decision.model, decision.failovers


@given(
    st.permutations([0.6, 8.0, 400.0]),
    st.lists(st.none() | st.floats(0, 1), min_size=3, max_size=3),
    st.sampled_from(get_args(Mode)),
)
def test_s12_exchanging_the_parameter_counts_of_a_pool_changes_no_choice(
    sizes: list[float], qualities: list[float | None], mode: Mode
) -> None:
    exchanged = [replace(card, parameters_b=size) for card, size in zip(CARDS, sizes, strict=True)]

    assert choices(exchanged, qualities, mode) == choices(CARDS, qualities, mode)


@pytest.mark.parametrize("room", ["evaluation", "gateway", "policy", "replay", "routing", "stats", "workloads"])
def test_s12_no_room_that_decides_reads_a_parameter_count(room: str) -> None:
    names = {
        node.attr if isinstance(node, ast.Attribute) else str(node.value)
        for path in (SOURCES / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute | ast.Constant)
    }

    assert names & {"parameters_b", "n_parameters"} == set()
