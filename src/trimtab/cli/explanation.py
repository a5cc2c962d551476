"""A decision's explanation as text: the answer first, then what it rests on."""

from collections.abc import Iterable

from trimtab.cli import output
from trimtab.control.numbers import ms, quality
from trimtab.routing import Explanation, Scored

_LABEL = 11


def print_explanation(shown: Explanation) -> None:
    """Write an explanation to stdout."""
    _pair("Chosen", shown.model or "nobody")
    _pair("Because", shown.reason)
    _pair("Policy", f"{shown.policy_id} {shown.policy_version[:12]}: {', '.join(shown.rule_ids)}")
    bar = "" if shown.quality_bar is None else f", quality bar {shown.quality_bar:.2f}"
    _pair("Mode", f"{shown.mode}, preset {shown.preset}{bar}")
    _pair("Then", ", ".join(shown.failovers) or "nobody else may be asked")
    _list("Inputs", (f"{given.name:15} {given.value}" for given in shown.inputs))
    _list(
        "Budgets", (f"{b.scope}, {b.period}: used up, then {b.on_exhausted}" for b in shown.budgets if b.is_exhausted)
    )
    _removed(shown)
    _scores(shown)
    _list("Tiers", (_tier(n, shown) for n in range(len(shown.trace))))
    _list("Rules", (f"{'applied' if rule.matched else 'did not'}  {rule.rule_id}: {rule.leaf}" for rule in shown.rules))
    output.print_line()
    again = "leads to the same model again" if shown.replays else "DOES NOT lead to the same model again"
    output.print_line(
        f"Chosen with probability {shown.propensity:g} by router {shown.router_version} "
        f"from pool {shown.pool_digest or 'unknown'}; the record alone {again}."
    )


def _removed(shown: Explanation) -> None:
    if not shown.removed:
        return
    output.print_line()
    output.print_table(
        ["Removed", "Tier", "Rule", "Reason"], ([r.model, r.tier, r.rule_id, r.reason] for r in shown.removed)
    )


def _scores(shown: Explanation) -> None:
    if not shown.scores:
        return
    output.print_line()
    output.print_table(
        ["Left", ">Place", ">Cost (est.)", "Quality", ">TTFT p95", ">Total p95", ">Tokens/s", ">n (speed)"],
        map(_score, shown.scores),
    )


def _score(scored: Scored) -> list[output.Cell]:
    facts = scored.facts
    speed = None if facts.output_tokens_per_s is None else f"{facts.output_tokens_per_s:,.1f}"
    return [
        facts.model if facts.is_available else f"{facts.model} (unavailable)",
        scored.place or None,
        output.Usd(facts.cost_nano_usd),
        quality(facts.quality),
        ms(facts.ttft_p95_ms),
        ms(facts.total_p95_ms),
        speed,
        facts.n_latency if facts.probe_day is None else f"{facts.n_latency:,} (probe of {facts.probe_day})",
    ]


def _tier(place: int, shown: Explanation) -> str:
    tier = shown.trace[place]
    note = f"; {tier.note}" if tier.note else ""
    degraded = "; degraded" if tier.is_degraded else ""
    return f"{tier.tier} {tier.name:12} {len(tier.candidates_in)} in, {len(tier.candidates_out)} out{degraded}{note}"


def _pair(name: str, value: str) -> None:
    output.print_pair(name, value, _LABEL)


def _list(title: str, lines: Iterable[str]) -> None:
    shown = list(lines)
    if not shown:
        return
    output.print_line()
    for place, line in enumerate(shown):
        _pair(title if place == 0 else "", line)
