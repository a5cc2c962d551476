"""Tier 2: who can take this call at all, and whose measured speed, cost and energy fit the policy's limits."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from trimtab.catalog import Capability, ModelCard, Pool
from trimtab.core import format_usd, from_nano_usd
from trimtab.policy import Budget, Constraints, Facts, Latency, Removal
from trimtab.routing.decision import CandidateFacts

TIER = "constraints"
API = "builtin:api"
CAPABILITY = "builtin:capability"
CONTEXT = "builtin:context-length"
LATENCY = "builtin:latency-target"
PER_CALL = "builtin:per-call-budget"
ENERGY = "builtin:energy-budget"
CARD_RULES = frozenset({API, CAPABILITY})


class Outcome(NamedTuple):
    """Who was removed by what is measured, and what could not be checked."""

    removed: tuple[Removal, ...]
    notes: tuple[str, ...]
    is_degraded: bool
    """Whether a limit had to be set aside."""


def unable(facts: Facts, names: Iterable[str], pool: Pool) -> tuple[Removal, ...]:
    """Return the models whose cards say that they cannot take the call."""
    needs = _needs(facts)
    removed = []
    for name in names:
        found = _inability(facts, needs, pool.cards[name])
        if found is not None:
            removed.append(Removal(model=name, tier=TIER, rule_id=found[0], reason=found[1]))
    return tuple(removed)


def _needs(facts: Facts) -> list[tuple[Capability, str]]:
    if facts.api == "embeddings":
        return [("embeddings", "asks for embeddings")]
    needs: list[tuple[Capability, str]] = [("chat", "is a chat")]
    if facts.n_tools:
        needs.append(("tools", f"offers {facts.n_tools} tools"))
    if facts.n_images:
        needs.append(("vision", f"carries {facts.n_images} images"))
    if facts.json_mode == "json_schema":
        needs.append(("json_schema", "asks for JSON by a schema"))
    elif facts.json_mode is not None:
        needs.append(("json_object", "asks for JSON"))
    if facts.is_stream:
        needs.append(("streaming", "asks for a stream"))
    return needs


def _inability(facts: Facts, needs: list[tuple[Capability, str]], card: ModelCard) -> tuple[str, str] | None:
    if facts.api not in card.apis and facts.api != "embeddings":
        spoken = ", ".join(sorted(card.apis)) or "nothing"
        return API, f"The call comes as {facts.api}, and {card.name} speaks {spoken}."
    for capability, why in needs:
        # Whoever can follow a schema can write any JSON.
        if capability not in card.capabilities and not (
            capability == "json_object" and "json_schema" in card.capabilities
        ):
            return CAPABILITY, f"The call {why}, and the card of {card.name} does not list {capability!r}."
    return None


def unfit(facts: Facts, constraints: Constraints, candidates: Sequence[CandidateFacts]) -> Outcome:
    """Return the models that break a limit by what is known of this call and measured of them.

    A latency target that would remove everybody is set aside and said so: with nobody left to ask, nothing would
    ever be measured again, and one slow hour would close the workload for good.
    """
    removed: list[Removal] = []
    notes: list[str] = []
    left = list(candidates)
    for check in (_context(facts), _per_call(constraints.budgets), _energy(constraints.energy_wh_per_call, notes)):
        left = _apply(check, left, removed)
    target = constraints.latency
    if target is None or not left:
        return Outcome(tuple(removed), tuple(notes), False)
    slow: list[Removal] = []
    if not _apply(_too_slow(target, notes), left, slow):
        notes.append("every model left misses the latency target, so it was set aside: " + _reasons(slow))
        return Outcome(tuple(removed), tuple(notes), True)
    return Outcome((*removed, *slow), tuple(notes), False)


Check = Callable[[CandidateFacts], tuple[str, str] | None]


def _apply(check: Check, candidates: list[CandidateFacts], removed: list[Removal]) -> list[CandidateFacts]:
    left = []
    for candidate in candidates:
        found = check(candidate)
        if found is None:
            left.append(candidate)
        else:
            removed.append(Removal(model=candidate.model, tier=TIER, rule_id=found[0], reason=found[1]))
    return left


def _context(facts: Facts) -> Check:
    surely = least_tokens(facts)

    def check(candidate: CandidateFacts) -> tuple[str, str] | None:
        limit = candidate.context_tokens
        if limit is None or surely < limit:
            return None
        return CONTEXT, f"The call needs more than {surely:,} tokens, and {candidate.model} takes {limit:,}."

    return check


def least_tokens(facts: Facts) -> int:
    """Return a lower bound on input and output tokens; the facts are rounded up to powers of two."""
    return facts.input_tokens // 2 + (facts.max_output_tokens or 0) // 2


def may_overflow(facts: Facts, candidate: CandidateFacts) -> bool:
    """Return whether the call may be too long for the model, by its upper bound."""
    limit = candidate.context_tokens
    return limit is not None and facts.input_tokens + (facts.max_output_tokens or 0) > limit


def _per_call(budgets: tuple[Budget, ...]) -> Check:
    caps = [(b.per_call_nano_usd, b.scope) for b in budgets if b.per_call_nano_usd is not None]

    def check(candidate: CandidateFacts) -> tuple[str, str] | None:
        if not caps:
            return None
        cap, scope = min(caps)
        limit = format_usd(from_nano_usd(cap))
        cost = candidate.cost_nano_usd
        if cost is None:
            return PER_CALL, (
                f"{candidate.model} has no price, and {scope} allows {limit} a call: unknown is not shown to be less."
            )
        if cost > cap:
            amount = format_usd(from_nano_usd(cost))
            return PER_CALL, f"The call may cost {amount} on {candidate.model}, and {scope} allows {limit}."
        return None

    return check


def _energy(cap_wh: float | None, notes: list[str]) -> Check:
    def check(candidate: CandidateFacts) -> tuple[str, str] | None:
        if cap_wh is None:
            return None
        energy = candidate.energy_wh
        if energy is None:
            notes.append(f"{candidate.model}: energy unknown, not checked")
            return None
        if energy > cap_wh:
            return ENERGY, f"The call may take {energy:.4g} Wh on {candidate.model}; the limit is {cap_wh:.4g} Wh."
        return None

    return check


def _too_slow(target: Latency, notes: list[str]) -> Check:
    def check(candidate: CandidateFacts) -> tuple[str, str] | None:
        if candidate.n_latency < target.min_samples:
            source = "" if candidate.probe_day is None else f" (probe of {candidate.probe_day})"
            notes.append(f"{candidate.model}: {candidate.n_latency} latencies{source}, fewer than {target.min_samples}")
            return None
        source = "" if candidate.probe_day is None else f" of the probe of {candidate.probe_day}"
        missed = _missed(target, candidate)
        if missed is None:
            if source:
                notes.append(f"{candidate.model}: within the target by n = {candidate.n_latency} calls{source}")
            return None
        return LATENCY, f"{candidate.model}: {missed}, n = {candidate.n_latency} calls{source}."

    return check


def _missed(target: Latency, candidate: CandidateFacts) -> str | None:
    for label, measured, limit in (
        ("p95 time to first token", candidate.ttft_p95_ms, target.ttft_p95_ms),
        ("p95 of the whole call", candidate.total_p95_ms, target.total_p95_ms),
    ):
        if limit is not None and measured is not None and measured > limit:
            return f"{label} {measured:,.0f} ms misses the target of {limit:,.0f} ms"
    speed, floor = candidate.output_tokens_per_s, target.min_output_tokens_per_s
    if floor is not None and speed is not None and speed < floor:
        return f"output speed {speed:,.1f} tokens/s misses the target of {floor:,.1f} tokens/s"
    return None


def _reasons(removed: Iterable[Removal]) -> str:
    return " ".join(removal.reason for removal in removed)
