"""A decision laid out for people: the same structure behind the command line, the API and the pages."""

import msgspec

from trimtab.core import STRICTEST, Sensitivity, format_usd, from_nano_usd
from trimtab.policy import Budget, Constraints, Latency, Removal, RuleTrace
from trimtab.routing.decide import replay
from trimtab.routing.decision import BudgetState, CandidateFacts, Decision, TierTrace


class PolicyInput(msgspec.Struct, frozen=True, kw_only=True):
    """One of the four things a policy chooses by."""

    name: str
    """``task_type``, ``sensitivity``, ``latency_target`` or ``cost_budget``."""
    value: str
    """As a person reads it."""


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """A model that could have been asked, with what was known of it."""

    place: int
    """1 is the chosen one, 2 its first failover; 0 when nobody was chosen."""
    facts: CandidateFacts


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a call went where it went."""

    model: str | None
    reason: str
    inputs: tuple[PolicyInput, ...]
    removed: tuple[Removal, ...]
    scores: tuple[Scored, ...]
    """Everyone left, in the order they would be asked."""
    failovers: tuple[str, ...]
    trace: tuple[TierTrace, ...]
    rules: tuple[RuleTrace, ...]
    """Every rule with its verdict and the leaf that decided it."""
    rule_ids: tuple[str, ...]
    budgets: tuple[BudgetState, ...]
    policy_id: str
    policy_version: str
    router_version: str
    pool_digest: str
    mode: str
    preset: str
    quality_bar: float | None
    propensity: float
    replays: bool
    """Whether the record alone leads to the same model again."""


def explain_decision(decision: Decision) -> Explanation:
    """Return the decision's parts in the order a person asks for them."""
    constraints = decision.constraints
    gone = {removal.model for removal in decision.removed}
    order = (decision.model, *decision.failovers) if decision.model is not None else ()
    places = {name: place for place, name in enumerate(order, start=1)}
    left = (candidate for candidate in decision.candidates if candidate.model not in gone)
    scores = sorted((Scored(place=places.get(c.model, 0), facts=c) for c in left), key=lambda score: score.place)
    return Explanation(
        model=decision.model,
        reason=decision.reason,
        inputs=_inputs(decision),
        removed=decision.removed,
        scores=tuple(scores),
        failovers=decision.failovers,
        trace=decision.trace,
        rules=constraints.trace,
        rule_ids=decision.rule_ids,
        budgets=decision.budgets,
        policy_id=constraints.policy_id,
        policy_version=constraints.policy_version,
        router_version=decision.router_version,
        pool_digest=decision.pool_digest,
        mode=constraints.mode,
        preset=constraints.preset,
        quality_bar=constraints.quality_bar,
        propensity=decision.propensity,
        replays=replay(decision) == decision.model,
    )


def _inputs(decision: Decision) -> tuple[PolicyInput, ...]:
    facts, constraints = decision.facts, decision.constraints
    return (
        PolicyInput(name="task_type", value=facts.task_type),
        PolicyInput(name="sensitivity", value=_sensitivity(constraints)),
        PolicyInput(name="latency_target", value=_latency(constraints.latency)),
        PolicyInput(name="cost_budget", value=_budgets(constraints.budgets)),
    )


def _sensitivity(constraints: Constraints) -> str:
    # A level outside the scale counts as the strictest everywhere, so it reads like that too.
    level = constraints.sensitivity
    return Sensitivity(level).label if 0 <= level <= STRICTEST else STRICTEST.label


def _latency(target: Latency | None) -> str:
    if target is None:
        return "none"
    parts = [
        f"p95 time to first token <= {target.ttft_p95_ms:,.0f} ms" if target.ttft_p95_ms is not None else "",
        f"p95 of the whole call <= {target.total_p95_ms:,.0f} ms" if target.total_p95_ms is not None else "",
        f">= {target.min_output_tokens_per_s:,.1f} tokens/s" if target.min_output_tokens_per_s is not None else "",
    ]
    return f"{', '.join(part for part in parts if part) or 'none'} (from n = {target.min_samples})"


def _budgets(budgets: tuple[Budget, ...]) -> str:
    return "; ".join(_budget(budget) for budget in budgets) or "none"


def _budget(budget: Budget) -> str:
    limits = (
        ("call", budget.per_call_nano_usd),
        ("day", budget.per_day_nano_usd),
        ("month", budget.per_month_nano_usd),
    )
    parts = [f"{format_usd(from_nano_usd(limit))} a {period}" for period, limit in limits if limit is not None]
    return f"{budget.scope}: {', '.join(parts) or 'no limit'}, then {budget.on_exhausted}"
