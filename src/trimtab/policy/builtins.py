"""Rules that hold whatever a policy says: applied where a policy is resolved, and again where a model is chosen."""

from trimtab.catalog import ModelCard
from trimtab.policy.constraints import Removal

POLICY_TIER = "policy"
RESTRICTED_STAYS_INSIDE = "builtin:restricted-stays-inside"
REGULATED_NEEDS_APPROVAL = "builtin:regulated-needs-approval"
BUILTINS = frozenset({RESTRICTED_STAYS_INSIDE, REGULATED_NEEDS_APPROVAL})


def unless_inside(card: ModelCard) -> Removal | None:
    """Return why the model may not take a restricted call, or ``None`` when it may."""
    if card.boundary == "inside":
        return None
    reason = f"The call is restricted, and {card.name} runs outside the boundary."
    return Removal(model=card.name, tier=POLICY_TIER, rule_id=RESTRICTED_STAYS_INSIDE, reason=reason)


def unless_approved(card: ModelCard) -> Removal | None:
    """Return why the model may not take a call in mode ``regulated``, or ``None`` when it may."""
    if card.is_approved:
        return None
    reason = f"Mode regulated takes approved models only, and {card.name} is not approved."
    return Removal(model=card.name, tier=POLICY_TIER, rule_id=REGULATED_NEEDS_APPROVAL, reason=reason)
