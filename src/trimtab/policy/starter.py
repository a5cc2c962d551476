"""The policy that ``trimtab init`` writes: short, commented, and valid for the pool at hand."""

from trimtab.catalog import Pool

_HEAD = """\
# What is allowed and what is preferred. Every scope and rule can only narrow what wider ones left.
# `trimtab policy lint` and `trimtab policy test` check this file; `trimtab policy apply` puts it in force.
policy: {name}

organisation:
  # The label of calls that bring none. Remove this line and such calls count as restricted,
  # which keeps them on models inside your own boundary.
  sensitivity: internal
  # How much of each call is kept: none, metadata, redacted (personal data masked) or full.
  store: redacted
  # What a call that names a model gets: that one or none (narrows), or any with that one preferred (hint).
  requested_model: narrows
  # A cap on spending. When it is used up: refuse, downgrade or queue.
  # budget: {{per_day_usd: 20, on_exhausted: refuse}}
"""

_SCOPES = """
# Terms for one app or one workload; names come from keys and from workload rules.
# apps:
#   web-shop:
#     budget: {{per_month_usd: 300, on_exhausted: downgrade}}
# workloads:
#   contracts:
#     sensitivity: restricted
#   support-replies:
#     quality_bar: 0.85
#     latency: {{ttft_p95_ms: 800}}
#     models: {{allow: ["{example}"]}}

rules:
  - id: confidential-needs-approval
    when: {{sensitivity: confidential}}
    then: {{require: {{approved: true}}}}
    why: Confidential content goes only to models that somebody has approved.
"""

_TESTS = """
# Examples that must hold; all of them run before this policy is put in force.
tests:
  - name: an ordinary call is {ordinary}
    facts: {{app: default}}
    expect: {{refused: {is_refused}, sensitivity: internal}}
  - name: a restricted call stays inside
    facts: {{sensitivity: restricted}}
    expect: {{{restricted}}}
"""


def starter_policy(pool: Pool, *, name: str = "starter") -> str:
    """Return a policy file for the pool: it loads, lints without errors and passes its own tests."""
    outside = [card.name for card in pool if card.boundary != "inside"]
    inside = [card.name for card in pool if card.boundary == "inside"]
    if not inside:
        restricted = "refused: true"
    elif outside:
        restricted = f"model_allowed: {inside[0]!r}, model_denied: {outside[0]!r}"
    else:
        restricted = f"model_allowed: {inside[0]!r}"
    example = next(iter(pool.cards), "provider:model")
    return (
        _HEAD.format(name=name)
        + _SCOPES.format(example=example)
        + _TESTS.format(
            ordinary="served" if len(pool) else "refused while the pool is empty",
            is_refused="false" if len(pool) else "true",
            restricted=restricted,
        )
    )
