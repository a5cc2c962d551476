import msgspec

from trimtab.catalog import ModelCard, Pool
from trimtab.policy import Budget, Constraints, Facts, Latency, Removal, RuleTrace
from trimtab.routing import CandidateFacts, Estimate, Explanation, decide, explain_decision

POOL = Pool.of(
    [
        ModelCard(provider="local", model="small", boundary="inside"),
        ModelCard(provider="local", model="large", boundary="inside", capabilities=frozenset({"chat", "tools"})),
        ModelCard(provider="local", model="spare", boundary="inside", capabilities=frozenset({"chat", "tools"})),
    ]
)


def explained() -> Explanation:
    terms = Constraints(
        policy_id="house",
        policy_version="ab12",
        allowed=tuple(POOL.cards),
        removed=(Removal(model="cloud:frontier", tier="policy", rule_id="keep-home", reason="It is away."),),
        rule_ids=("keep-home", "organisation"),
        trace=(RuleTrace(rule_id="keep-home", matched=True, leaf="task_type eq code"),),
        quality_bar=0.8,
        latency=Latency(ttft_p95_ms=800, min_output_tokens_per_s=20),
        budgets=(Budget(scope="app:chat", per_call_nano_usd=50_000_000, per_day_nano_usd=20_000_000_000),),
    )
    quality = Estimate(mean=0.9, lower=0.85, upper=0.93, n_samples=120)
    candidates = [
        CandidateFacts(model=name, cost_nano_usd=1000, quality=quality if name == "local:large" else None)
        for name in POOL.cards
    ]
    return explain_decision(decide(Facts(task_type="code", n_tools=1), terms, candidates, POOL))


def test_s18_an_explanation_has_the_four_inputs_the_removed_the_scores_and_the_winner() -> None:
    explanation = explained()

    assert {i.name: i.value for i in explanation.inputs} == {
        "task_type": "code",
        "sensitivity": "restricted",
        "latency_target": "p95 time to first token <= 800 ms, >= 20.0 tokens/s (from n = 20)",
        "cost_budget": "app:chat: $0.05000 a call, $20.00 a day, then refuse",
    }
    assert [(r.model, r.rule_id) for r in explanation.removed] == [
        ("cloud:frontier", "keep-home"),
        ("local:small", "builtin:capability"),
    ]
    assert [(s.place, s.facts.model) for s in explanation.scores] == [(1, "local:large"), (2, "local:spare")]
    assert explanation.scores[0].facts.quality is not None
    assert explanation.scores[0].facts.quality.n_samples == 120
    assert (explanation.model, explanation.failovers) == ("local:large", ("local:spare",))
    assert explanation.reason.startswith("local:large is the only model whose measured quality clears the bar of 0.8")
    assert "keep-home (task_type eq code)" in explanation.reason


def test_s18_the_record_says_which_policy_and_replays() -> None:
    explanation = explained()

    assert (explanation.policy_id, explanation.policy_version) == ("house", "ab12")
    assert explanation.rule_ids == ("keep-home", "organisation")
    assert explanation.replays


def test_each_tier_says_who_came_in_and_who_left() -> None:
    first, second = explained().trace

    assert (first.tier, first.name, second.tier, second.name) == (1, "policy", 2, "constraints")
    assert set(first.candidates_in) - set(first.candidates_out) == {"cloud:frontier"}
    assert first.candidates_out == second.candidates_in == tuple(POOL.cards)
    assert second.candidates_out == ("local:large", "local:spare")


def test_an_explanation_of_a_refusal_places_nobody() -> None:
    decision = decide(
        Facts(sensitivity=0, n_images=1),
        Constraints(policy_id="p", policy_version="v", allowed=("local:small",), rule_ids=("organisation",)),
        (),
        POOL,
    )

    explanation = explain_decision(decision)

    assert (explanation.model, explanation.scores) == (None, ())
    assert explanation.replays


def test_an_explanation_is_json() -> None:
    explanation = explained()

    assert msgspec.json.decode(msgspec.json.encode(explanation), type=Explanation) == explanation
