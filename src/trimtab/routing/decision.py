"""The decision record: one choice with everything needed to explain it and to make it again."""

import hashlib

import msgspec

from trimtab.policy import Constraints, Facts, Removal

ROUTER_VERSION = "tiers-1-2/1"
"""Changes whenever the same inputs could give another choice."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A measured mean with its interval and sample size."""

    mean: float
    lower: float
    upper: float
    n_samples: int


class CandidateFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What routing knew of one model at the moment of choice. Unknown is ``None``."""

    model: str
    cost_nano_usd: int | None = None
    """Estimated cost of this call: its token estimates at the model's price."""
    quality: Estimate | None = None
    """Measured on this workload (graded calls, feedback), 0 to 1."""
    ttft_p95_ms: float | None = None
    total_p95_ms: float | None = None
    output_tokens_per_s: float | None = None
    n_latency: int = 0
    """Calls behind the three above."""
    probe_day: str | None = None
    """ISO date of the probe that made those calls, where the journal has too few; ``None``: they were callers'."""
    energy_wh: float | None = None
    """Estimated for this call."""
    is_available: bool = True
    """False while its breaker is open, it cools down, or it drains."""
    capability_rank: float | None = None
    context_tokens: int | None = None


class TierTrace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one tier did: who came in, who went out, and whether it had to degrade."""

    tier: int
    name: str
    candidates_in: tuple[str, ...]
    candidates_out: tuple[str, ...]
    note: str = ""
    is_degraded: bool = False


class BudgetState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether a budget of the call's scopes is used up, and what the policy does then."""

    scope: str
    period: str
    """``day`` or ``month``."""
    is_exhausted: bool
    on_exhausted: str = "refuse"


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The model chosen for one call, why, and who would be next.

    It is a pure function of ``facts``, ``constraints``, ``candidates`` and ``budgets``, all of them inside, so the
    record alone replays to the same model (:func:`trimtab.routing.replay`).
    """

    model: str | None
    """``None`` when nothing was left; the reason then names the rule that removed the last candidate."""
    reason: str
    rule_ids: tuple[str, ...]
    facts: Facts
    """The policy inputs: task type, sensitivity and request shape."""
    constraints: Constraints
    """The rest of them: latency target, budgets, bar, mode; with policy id, version and rule ids."""
    candidates: tuple[CandidateFacts, ...]
    """Everyone tier 1 let through, with the scores they had."""
    removed: tuple[Removal, ...]
    """Everyone taken out, by every tier."""
    failovers: tuple[str, ...]
    """Whom to ask next, in order; from the permitted set only."""
    propensity: float = 1.0
    budgets: tuple[BudgetState, ...] = ()
    trace: tuple[TierTrace, ...] = ()
    router_version: str = ROUTER_VERSION
    pool_digest: str = ""

    def encoded(self) -> bytes:
        """Return the record as JSON, the same bytes for the same decision."""
        return msgspec.json.encode(self)


def digest_of(encoded: bytes) -> str:
    """Return the key a decision is stored under: sha256, first 32 hex digits."""
    return hashlib.sha256(encoded).hexdigest()[:32]


def decode_decision(encoded: bytes) -> Decision:
    """Return the decision that :meth:`Decision.encoded` wrote."""
    return msgspec.json.decode(encoded, type=Decision)
