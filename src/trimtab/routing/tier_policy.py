"""Tier 1: whom policy permits. What it removed stays removed; no later tier can bring a model back."""

from trimtab.catalog import Pool
from trimtab.core import STRICTEST
from trimtab.policy.constraints import Constraints, Removal
from trimtab.routing.decision import TierTrace

TIER = "policy"
RESTRICTED = "builtin:restricted-stays-inside"
REGULATED = "builtin:regulated-needs-approval"
NOT_IN_POOL = "builtin:not-in-pool"
CARD_RULES = frozenset({RESTRICTED, REGULATED, NOT_IN_POOL})


def guard(constraints: Constraints, pool: Pool) -> tuple[Removal, ...]:
    """Return the permitted models that must not be permitted, whoever wrote the constraints.

    Policy applies these rules itself. They are checked again here because everything that is ever asked, failovers
    included, passes this point.
    """
    removed = []
    for name in dict.fromkeys(constraints.allowed):
        found = _objection(name, constraints, pool)
        if found is not None:
            rule_id, reason = found
            removed.append(Removal(model=name, tier=TIER, rule_id=rule_id, reason=reason))
    return tuple(removed)


def _objection(name: str, constraints: Constraints, pool: Pool) -> tuple[str, str] | None:
    card = pool.cards.get(name)
    if card is None:
        return NOT_IN_POOL, f"Policy permits {name}, which is not in the pool."
    if not 0 <= constraints.sensitivity < STRICTEST and card.boundary != "inside":
        return RESTRICTED, f"The call is restricted, and {name} runs outside the boundary."
    if constraints.mode == "regulated" and not card.is_approved:
        return REGULATED, f"Mode regulated takes approved models only, and {name} is not approved."
    return None


def trace_of(constraints: Constraints, removed: tuple[Removal, ...], permitted: tuple[str, ...]) -> TierTrace:
    """Return who came into the tier, the removed ones last, and who left it."""
    everyone = dict.fromkeys((*constraints.allowed, *(removal.model for removal in removed)))
    return TierTrace(
        tier=1,
        name=TIER,
        candidates_in=tuple(everyone),
        candidates_out=permitted,
        note=f"policy {constraints.policy_id}, rules {', '.join(constraints.rule_ids)}",
    )
