"""Tier 1: whom policy permits. What it removed stays removed; no later tier can bring a model back."""

from trimtab.catalog import Pool
from trimtab.core import STRICTEST
from trimtab.policy import BUILTINS, POLICY_TIER, Constraints, Removal, unless_approved, unless_inside
from trimtab.routing.decision import TierTrace

NOT_IN_POOL = "builtin:not-in-pool"
CARD_RULES = BUILTINS | {NOT_IN_POOL}


def guard(constraints: Constraints, pool: Pool) -> tuple[Removal, ...]:
    """Return the permitted models that must not be permitted, whoever wrote the constraints.

    Policy applies these rules itself. They are checked again here because everything that is ever asked, failovers
    included, passes this point.
    """
    objections = (_objection(name, constraints, pool) for name in dict.fromkeys(constraints.allowed))
    return tuple(removal for removal in objections if removal is not None)


def _objection(name: str, constraints: Constraints, pool: Pool) -> Removal | None:
    card = pool.cards.get(name)
    if card is None:
        reason = f"Policy permits {name}, which is not in the pool."
        return Removal(model=name, tier=POLICY_TIER, rule_id=NOT_IN_POOL, reason=reason)
    is_restricted = not 0 <= constraints.sensitivity < STRICTEST
    return (unless_inside(card) if is_restricted else None) or (
        unless_approved(card) if constraints.mode == "regulated" else None
    )


def trace_of(constraints: Constraints, removed: tuple[Removal, ...], permitted: tuple[str, ...]) -> TierTrace:
    """Return who came into the tier, the removed ones last, and who left it."""
    everyone = dict.fromkeys((*constraints.allowed, *(removal.model for removal in removed)))
    return TierTrace(
        tier=1,
        name=POLICY_TIER,
        candidates_in=tuple(everyone),
        candidates_out=permitted,
        note=f"policy {constraints.policy_id}, rules {', '.join(constraints.rule_ids)}",
    )
