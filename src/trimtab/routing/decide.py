"""From constraints and candidates to one decision: pure, total, and repeatable from its own record."""

from collections.abc import Iterable, Sequence

from trimtab.catalog import Pool
from trimtab.policy import POLICY_TIER, Constraints, Facts, Removal
from trimtab.routing import modes, tier_constraints, tier_policy
from trimtab.routing.decision import BudgetState, CandidateFacts, Decision, TierTrace

EMPTY_POOL = "builtin:empty-pool"

_CARD_RULES = tier_policy.CARD_RULES | tier_constraints.CARD_RULES


def decide(
    facts: Facts,
    constraints: Constraints,
    candidates: Sequence[CandidateFacts],
    pool: Pool,
    budgets: Sequence[BudgetState] = (),
) -> Decision:
    """Choose a model, or none, and say why. Never raises and never leaves the reason empty.

    Args:
        facts: The call.
        constraints: Policy's word on it. Only models in ``constraints.allowed`` can be chosen or failed over to.
        candidates: What is known of them; an allowed model without facts takes part with nothing known, and facts of
            any other model are ignored.
        pool: The cards; what they say of a model is kept as removals in the record.
        budgets: The period budgets of the call's scopes.
    """
    guarded = tier_policy.guard(constraints, pool)
    stopped = {removal.model for removal in guarded}
    permitted = [name for name in dict.fromkeys(constraints.allowed) if name not in stopped]
    unable = tier_constraints.unable(facts, permitted, pool)
    known = {candidate.model: candidate for candidate in candidates}
    taking_part = tuple(known.get(name) or CandidateFacts(model=name) for name in permitted)
    return _settle(facts, constraints, taking_part, guarded, unable, tuple(budgets), pool.digest)


def replay(decision: Decision) -> str | None:
    """Return the model that the record leads to, worked out again from what is inside the record.

    What the cards said is taken from the recorded removals; everything else, from context length to the order, is
    computed afresh. It equals ``decision.model`` unless the record was altered or the router version differs.
    """
    own = decision.removed[len(decision.constraints.removed) :]
    by_card = [removal for removal in own if removal.rule_id in _CARD_RULES]
    guarded = tuple(removal for removal in by_card if removal.tier == POLICY_TIER)
    unable = tuple(removal for removal in by_card if removal.tier == tier_constraints.TIER)
    return _settle(
        decision.facts,
        decision.constraints,
        decision.candidates,
        guarded,
        unable,
        decision.budgets,
        decision.pool_digest,
    ).model


def _settle(
    facts: Facts,
    constraints: Constraints,
    candidates: tuple[CandidateFacts, ...],
    guarded: tuple[Removal, ...],
    unable: tuple[Removal, ...],
    budgets: tuple[BudgetState, ...],
    pool_digest: str,
) -> Decision:
    by_policy = (*constraints.removed, *guarded)
    gone = {removal.model for removal in unable}
    able = [candidate for candidate in candidates if candidate.model not in gone]
    measured = tier_constraints.unfit(facts, constraints, able)
    gone |= {removal.model for removal in measured.removed}
    left = [candidate for candidate in able if candidate.model not in gone]
    removed = (*by_policy, *unable, *measured.removed)
    order, reason, rule_ids = _choose(facts, constraints, left, removed, budgets)
    permitted = tuple(candidate.model for candidate in candidates)
    notes = (*measured.notes, *(f"{c.model}: not available now, so last" for c in left if not c.is_available))
    second = TierTrace(
        tier=2,
        name=tier_constraints.TIER,
        candidates_in=permitted,
        candidates_out=tuple(candidate.model for candidate in left),
        note="; ".join(notes),
        is_degraded=measured.is_degraded,
    )
    return Decision(
        model=order[0] if order else None,
        reason=reason + _because(constraints, (*unable, *measured.removed)),
        rule_ids=rule_ids,
        facts=facts,
        constraints=constraints,
        candidates=candidates,
        removed=removed,
        failovers=order[1:],
        budgets=budgets,
        trace=(tier_policy.trace_of(constraints, by_policy, permitted), second),
        pool_digest=pool_digest,
    )


def _choose(
    facts: Facts,
    constraints: Constraints,
    left: Sequence[CandidateFacts],
    removed: Sequence[Removal],
    budgets: Sequence[BudgetState],
) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    """Return the order to ask in, the reason and the rules, the one that settled it first."""
    rules = constraints.rule_ids
    if not left:
        last = removed[-1].rule_id if removed else EMPTY_POOL
        return (), _nobody(removed), _first(last, rules)
    refusing = _exhausted(budgets, "refuse")
    if refusing is not None:
        return (), f"{_used_up(refusing)} and its action is to refuse.", _first(_rule_of(refusing), rules)
    downgrading = _exhausted(budgets, "downgrade")
    if downgrading is not None:
        order, why = modes.rank_by_cost(left)
        reason = f"{_used_up(downgrading)} and its action is to downgrade: {why}."
        return order, reason, _first(_rule_of(downgrading), rules)
    order, why = modes.rank(facts, constraints, left)
    queueing = _exhausted(budgets, "queue")
    waits = f" {_used_up(queueing)}, so the call waits for room." if queueing is not None else ""
    alone = f" It is the only one of {_n_models(left, removed)} models left." if len(left) == 1 and removed else ""
    return order, f"{why}.{alone}{waits}", rules or ("builtin:mode",)


def _exhausted(budgets: Iterable[BudgetState], action: str) -> BudgetState | None:
    return next((b for b in budgets if b.is_exhausted and b.on_exhausted == action), None)


def _used_up(budget: BudgetState) -> str:
    return f"The {budget.period} budget of {budget.scope} is used up"


def _rule_of(budget: BudgetState) -> str:
    return f"budget:{budget.scope}:{budget.period}"


def _first(rule_id: str, rules: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((rule_id, *rules)))


def _nobody(removed: Sequence[Removal]) -> str:
    if not removed:
        return "The pool has no models."
    last, n = removed[-1], _n_models((), removed)
    who = f"All {n} models were removed, the last" if n > 1 else "The only model was removed"
    return f"{who} by {last.rule_id}: {last.reason}"


def _n_models(left: Sequence[CandidateFacts], removed: Sequence[Removal]) -> int:
    return len({candidate.model for candidate in left} | {removal.model for removal in removed})


def _because(constraints: Constraints, removed: Sequence[Removal]) -> str:
    """Return the rules that matched, with the fact that made them match, and what tier 2 took out."""
    matched = [f"{rule.rule_id} ({rule.leaf})" for rule in constraints.trace if rule.matched and rule.leaf]
    text = f" Rules that matched: {', '.join(matched)}." if matched else ""
    reasons = list(dict.fromkeys(removal.reason for removal in removed))
    return text + (f" Out: {' '.join(reasons)}" if reasons else "")
