"""One scope's or rule's terms, and whom of a pool they remove."""

from collections.abc import Iterator
from dataclasses import dataclass

from trimtab.catalog import ModelCard, Pool
from trimtab.core import to_nano_usd
from trimtab.policy.builtins import POLICY_TIER
from trimtab.policy.constraints import Budget, Pin, Removal
from trimtab.policy.document import BudgetTerm, Terms
from trimtab.policy.expression import Node, Test, compiled
from trimtab.policy.matching import matching

REQUESTED = "call:requested-model"
REQUESTED_MODE = "call:requested-mode"
DEFAULT = "policy:default"


@dataclass(frozen=True, slots=True)
class Scope:
    """Terms with the name they go by in records: ``organisation``, ``app:NAME``, ``workload:NAME`` or a rule's id."""

    id: str
    terms: Terms
    by: str
    """Who says so, as the end of a sentence."""
    budget: Budget | None
    pin: Pin | None


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule ready to be asked."""

    scope: Scope
    when: Node
    test: Test
    priority: int


def scope_of(scope_id: str, terms: Terms) -> Scope:
    """Return the scope for the organisation, an app or a workload."""
    return _scope(scope_id, terms, by=f"by {scope_id}", budget_scope=scope_id)


def rule_of(rule_id: str, when: Node, terms: Terms, *, priority: int, why: str | None) -> CompiledRule:
    """Return the rule, compiled."""
    by = f"by rule {rule_id} (when {when})" + (f": {why.rstrip('.')}" if why else "")
    scope = _scope(rule_id, terms, by=by, budget_scope=f"rule:{rule_id}")
    return CompiledRule(scope, when, compiled(when), priority)


def _scope(scope_id: str, terms: Terms, *, by: str, budget_scope: str) -> Scope:
    pin = terms.pin
    return Scope(
        id=scope_id,
        terms=terms,
        by=by,
        budget=_budget(budget_scope, terms.budget) if terms.budget is not None else None,
        pin=Pin(model=pin.model, review_at=pin.review_at.isoformat(), reason=pin.reason or "") if pin else None,
    )


def _budget(scope: str, term: BudgetTerm) -> Budget:
    def nano(amount: object) -> int | None:
        return None if amount is None else to_nano_usd(amount)  # type: ignore[arg-type]  # a Decimal or None

    return Budget(
        scope=scope,
        per_call_nano_usd=nano(term.per_call_usd),
        per_day_nano_usd=nano(term.per_day_usd),
        per_month_nano_usd=nano(term.per_month_usd),
        on_exhausted=term.on_exhausted,
        queue_timeout_s=term.queue_timeout_s,
    )


def removals_of(scope: Scope, pool: Pool) -> tuple[Removal, ...]:
    """Return the models of the pool that the scope alone takes out, each with its reason."""
    wording = _Wording(scope, pool)
    return tuple(
        Removal(model=card.name, tier=POLICY_TIER, rule_id=scope.id, reason=f"{reason}, {scope.by}.")
        for card in pool
        if (reason := wording.reason(card)) is not None
    )


class _Wording:
    """The first reason for which a scope removes a card."""

    def __init__(self, scope: Scope, pool: Pool) -> None:
        terms = scope.terms
        lists = terms.models
        self._scope = scope
        self._denied = {
            name: pattern for pattern in reversed((lists and lists.deny) or []) for name in matching(pattern, pool)
        }
        self._allow = (lists and lists.allow) or None
        self._allowed = {name for pattern in self._allow or [] for name in matching(pattern, pool)}
        self._pinned = matching(scope.pin.model, pool) if scope.pin is not None else ()

    def reason(self, card: ModelCard) -> str | None:
        """Return why the card goes out, or ``None`` when it may stay."""
        return next(self._reasons(card), None)

    def _reasons(self, card: ModelCard) -> Iterator[str]:
        pattern = self._denied.get(card.name)
        if pattern is not None:
            yield f"{card.name} is denied" + (f" as {pattern}" if pattern != card.name else "")
        if self._allow is not None and card.name not in self._allowed:
            yield f"{card.name} is not among the allowed models ({', '.join(self._allow)})"
        yield from self._missing(card)
        pin = self._scope.pin
        # A pin that means two models is ambiguous, and nothing is chosen on a guess.
        if pin is not None and self._pinned != (card.name,):
            yield f"Calls are pinned to {pin.model} until the review on {pin.review_at}; {card.name} goes out"

    def _missing(self, card: ModelCard) -> Iterator[str]:
        needs = self._scope.terms.require
        if needs is None:
            return
        if needs.boundary is not None and card.boundary != needs.boundary:
            yield f"{card.name} runs {card.boundary} the boundary and {needs.boundary} is required"
        if needs.regions is not None and card.region not in needs.regions:
            yield f"{card.name} runs in region {card.region or 'unknown'} and {', '.join(needs.regions)} is required"
        if needs.capabilities is not None and not card.capabilities.issuperset(needs.capabilities):
            lacking = ", ".join(c for c in needs.capabilities if c not in card.capabilities)
            yield f"{card.name} lacks {lacking}, which is required"
        if needs.approved and not card.is_approved:
            yield f"{card.name} is not approved for regulated workloads and approval is required"
