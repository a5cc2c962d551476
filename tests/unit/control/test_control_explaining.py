"""Why a call or a workload is on its model."""

import pytest
from tests.support.control_rig import NO_SMALL, POLICY, Rig, call, decided_call

from trimtab.control.explaining import NEWEST
from trimtab.core import Feedback
from trimtab.core.errors import NotFound
from trimtab.policy import Facts
from trimtab.routing import Explanation, decode_decision, replay
from trimtab.store import FeedbackStore

CODE = Facts(workload="code", task_type="code", sensitivity=0, input_tokens=1024)
CHEAP = "policy: cheap\norganisation: {sensitivity: public, mode: eco}\n"
STRICT = """\
policy: strict
organisation:
  sensitivity: public
  latency: {ttft_p95_ms: 800}
  budget: {per_day_usd: 5, on_exhausted: refuse}
workloads:
  code: {quality_bar: 0.5}
rules:
  - id: large-for-code
    when: {task_type: code}
    then: {models: {deny: ["local:small"]}}
"""


def explained(explanation: Explanation | None) -> Explanation:
    assert explanation is not None
    return explanation


def test_s18_a_call_is_explained_by_inputs_removals_scores_winner_and_evidence(rig: Rig) -> None:
    entry = decided_call(1, STRICT, facts=CODE)
    rig.book(entry)

    why = explained(rig.desk.explain_call(rig.me, entry.call.call_id).current)

    assert {item.name: item.value for item in why.inputs} == {
        "task_type": "code",
        "sensitivity": "public",
        "latency_target": "p95 time to first token <= 800 ms (from n = 20)",
        "cost_budget": "organisation: $5.00 a day, then refuse",
    }
    assert [(gone.model, gone.rule_id) for gone in why.removed] == [("local:small", "large-for-code")]
    assert [(scored.place, scored.facts.model) for scored in why.scores] == [(1, "cloud:large")]
    assert why.scores[0].facts.cost_nano_usd == 30_720_000  # 1,024 tokens in at $10 and 1,024 out at $20 a million
    assert why.model == "cloud:large"
    assert why.reason


def test_s18_the_record_alone_replays_to_the_same_model(rig: Rig) -> None:
    entry = decided_call(1, STRICT, facts=CODE)
    rig.book(entry)
    rig.apply(POLICY)  # another policy by now

    stored = rig.desk.entry(rig.me, entry.call.call_id).decision

    assert stored is not None
    assert replay(decode_decision(stored)) == entry.call.model == "cloud:large"
    assert explained(rig.desk.explain_call(rig.me, entry.call.call_id).current).replays


def test_s18_a_workload_is_explained_by_its_newest_decision_under_the_policy_in_force(rig: Rig) -> None:
    rig.apply(STRICT)
    newest, older, other = (
        decided_call(1, CHEAP, facts=CODE),
        decided_call(2, STRICT, facts=CODE),
        decided_call(3, STRICT, facts=CODE),
    )
    rig.book(newest, older, other)

    why = rig.desk.explain_workload(rig.me, "code")

    assert older.call.call_id in why.basis
    current = explained(why.current)
    assert (current.model, current.policy_id, current.removed[0].rule_id) == ("cloud:large", "strict", "large-for-code")
    assert len(current.inputs) == 4
    assert [(share.model, share.n_calls) for share in why.models] == [("cloud:large", 2), ("local:small", 1)]


def test_s18_later_imports_do_not_hide_what_the_gateway_decided(rig: Rig) -> None:
    rig.apply(STRICT)
    decided = decided_call(NEWEST + 1, STRICT, facts=CODE)
    rig.book(decided, *(call(n, workload="code") for n in range(NEWEST + 1)))

    assert decided.call.call_id in rig.desk.explain_workload(rig.me, "code").basis


def test_s18_imported_traffic_is_explained_by_a_decision_made_now_with_its_evidence(rig: Rig) -> None:
    rig.apply(POLICY)
    rig.book(*(call(n, quality_fraction=float(n % 4 > 0)) for n in range(40)))
    rig.book(*(call(100 + n, model="cloud:large", quality_fraction=1.0) for n in range(40)))

    why = rig.desk.explain_workload(rig.me, "faq")

    current = explained(why.current)
    assert "the journal has no decision" in why.basis
    assert "80 of its newest 80" in why.basis
    quality = {scored.facts.model: scored.facts.quality for scored in current.scores}
    small, large = quality["local:small"], quality["cloud:large"]
    assert small is not None
    assert large is not None
    assert (small.mean, small.n_samples, large.mean, large.n_samples) == (0.75, 40, 1.0, 40)
    assert current.replays


def test_without_a_policy_a_workload_says_so(rig: Rig) -> None:
    rig.book(call(1))

    why = rig.desk.explain_workload(rig.me, "faq")

    assert why.current is None
    assert "No policy is in force" in why.basis


def test_a_call_carries_its_feedback(rig: Rig) -> None:
    rig.book(call(1))
    judged = Feedback(call_id=call(1).call.call_id, at_us=1, source="user", score_fraction=0.5, comment="so so")
    assert FeedbackStore(rig.database).add(judged, "default")

    shown = rig.desk.explain_call(rig.me, judged.call_id)

    assert [(row.source, row.score_fraction, row.comment) for row in shown.feedback] == [("user", 0.5, "so so")]
    assert shown.current is None


def test_attack_6_another_apps_calls_and_workloads_are_not_found(rig: Rig) -> None:
    rig.apply(NO_SMALL)
    rig.book(call(1, app="shop"))
    stranger = rig.operator(app="other", scopes=("calls:read",))

    for ask in (
        lambda: rig.desk.explain_call(stranger, call(1).call.call_id),
        lambda: rig.desk.entry(stranger, call(1).call.call_id),
        lambda: rig.desk.explain_workload(stranger, "faq"),
    ):
        with pytest.raises(NotFound):
            ask()


def test_attack_6_a_workloads_usual_call_is_that_of_the_operators_app(rig: Rig) -> None:
    rig.apply(POLICY)
    rig.book(call(1, app="shop"), *(call(n, app="other", task_type="code") for n in range(2, 9)))
    shop = rig.operator(app="shop", scopes=("calls:read",))

    why = rig.desk.explain_workload(shop, "faq")

    assert why.n_calls == 1
    assert explained(why.current).inputs[0].value == "qa"
