"""Policy at run time: what a changed word in the policy, a label or a measurement does to the next call."""

from dataclasses import replace
from decimal import Decimal

import pytest
from tests.support.gateway_rig import OPEN_POLICY, POOL, Rig, body_of, chat_answer, stream_answer

from trimtab.core.errors import PolicyRefused
from trimtab.gateway import Caller
from trimtab.routing import Estimate

CODE = "Please fix the bug in this Python function: def f(x): return x"
CHAT = "Hello, how are you?"
BY_TASK = """
policy: by-task
organisation: {sensitivity: internal}
rules:
  - id: code-to-large
    when: {task_type: code}
    then: {models: {allow: ["cloud:large"]}}
  - id: chat-to-middle
    when: {task_type: chat}
    then: {models: {allow: ["cloud:middle"]}}
"""


async def test_s04_two_tasks_of_one_client_at_one_endpoint_go_to_two_models() -> None:
    rig = Rig(BY_TASK)

    models = [(await rig.call(body_of(text))).call.model for text in (CODE, CHAT)]

    assert models == ["cloud:large", "cloud:middle"]


async def test_s05_an_edit_moves_the_next_thousand_calls_of_one_category_and_no_other() -> None:
    rig = Rig(BY_TASK)
    calls = [body_of((CODE if i % 2 else CHAT) + " " * i) for i in range(1_000)]
    before = [(await rig.call(call)).call for call in calls]

    edited = BY_TASK.replace('["cloud:middle"]', '["local:small"]')
    rig.chooser.replace(replace(rig.rulebook, policy=rig.policy(edited)))
    after = [(await rig.call(call)).call for call in calls]

    assert {call.model for call in after if call.task_type == "chat"} == {"local:small"}
    assert [c.model for c in after if c.task_type == "code"] == [c.model for c in before if c.task_type == "code"]
    assert len({call.policy_version for call in (*before, *after)}) == 2


async def test_s07_serving_leaves_the_pool_and_its_digest_as_they_were() -> None:
    cards, digest = dict(POOL.cards), POOL.digest
    rig = Rig(BY_TASK)

    for text in (CODE, CHAT):
        await rig.call(body_of(text))

    assert (dict(rig.rulebook.pool.cards), rig.rulebook.pool.digest) == (cards, digest)


async def test_s22_task_type_alone_changes_who_is_eligible_and_the_reason_names_it() -> None:
    rig = Rig(BY_TASK)

    one, other = [rig.decision_of((await rig.call(body_of(text))).call) for text in (CODE, CHAT)]

    assert one.constraints.allowed != other.constraints.allowed
    assert "task_type" in one.reason
    assert "task_type" in other.reason


async def test_s23_a_call_without_any_label_is_restricted_and_stays_inside() -> None:
    outcome = await Rig("policy: silent\nrules: []\n").call()

    assert (outcome.call.sensitivity, outcome.call.model) == (3, "local:small")


@pytest.mark.parametrize(
    ("caller_label", "call_label", "level"),
    [
        (None, None, 1),
        (None, "restricted", 3),
        ("restricted", "public", 3),
        ("confidential", None, 2),
        ("public", "public", 1),
    ],
)
async def test_s23_the_strictest_label_of_policy_key_and_call_holds(
    caller_label: str | None, call_label: str | None, level: int
) -> None:
    caller = Caller(key_id="k", app="a", sensitivity=caller_label)
    headers = {} if call_label is None else {"x-trimtab-sensitivity": call_label}

    outcome = await Rig(OPEN_POLICY).call({}, headers=headers, caller=caller)

    assert outcome.call.sensitivity == level


async def test_s23_a_key_in_the_content_raises_the_call_to_restricted() -> None:
    outcome = await Rig().call(body_of("my key is sk-proj-4fjK29dkfLs93kdLwP01"))

    assert (outcome.call.sensitivity, outcome.call.model) == (3, "local:small")


async def test_s24_a_measured_latency_moves_the_next_call_and_the_record_shows_figure_and_n() -> None:
    rig = Rig(
        "policy: fast\norganisation: {sensitivity: internal, latency: {ttft_p95_ms: 300}}\n",
        script=lambda _: stream_answer("Hi"),
    )
    assert (await rig.call({"stream": True})).call.model == "cloud:large"
    for _ in range(25):
        rig.measurements.observe("cloud:large", total_ms=900.0, ttft_ms=800.0, output_tokens=5)
    rig.chooser.forget()

    call = (await rig.call({"stream": True})).call

    assert call.model == "cloud:middle"
    (removal,) = rig.decision_of(call).removed
    assert (removal.model, removal.rule_id) == ("cloud:large", "builtin:latency-target")
    assert "800" in removal.reason
    assert "26" in removal.reason  # the call above and 25 more


async def test_s24_the_gateway_measures_what_it_serves() -> None:
    rig = Rig(script=lambda _: stream_answer("Hi"))

    await rig.call({"stream": True})
    await rig.call({})

    speed = rig.measurements.speed("cloud:large")
    assert speed.n_samples == 2
    assert speed.ttft_p95_ms is not None


async def test_failed_calls_do_not_count_as_measurements() -> None:
    rig = Rig("policy: none\norganisation: {sensitivity: internal, models: {allow: ['no:one']}}\n")

    await rig.call()

    assert rig.measurements.speed("none").n_samples == 0


class Graded:
    def quality(self, workload: str, model: str) -> Estimate | None:
        mean = {"cloud:large": 0.95, "cloud:middle": 0.9, "local:small": 0.5}[model]
        return Estimate(mean=mean, lower=mean - 0.02, upper=mean + 0.02, n_samples=400)


@pytest.mark.parametrize(("large_usd", "model"), [(10, "cloud:large"), (100, "cloud:middle")])
async def test_measured_quality_picks_the_cheapest_that_clears_the_bar(large_usd: int, model: str) -> None:
    prices = {"cloud:large": Decimal(large_usd), "cloud:middle": Decimal(10), "local:small": Decimal(1)}
    rig = Rig("policy: p\norganisation: {sensitivity: internal, quality_bar: 0.8}\n", prices=prices)
    rig.chooser.replace(replace(rig.rulebook, evidence=Graded()))

    assert (await rig.call()).call.model == model  # at equal price the more capable one


async def test_a_key_may_use_only_its_own_models_failovers_included() -> None:
    caller = Caller(key_id="k", app="a", models=("local:*",))
    rig = Rig()

    served = await rig.call({}, caller=caller)
    refused = await rig.call({"model": "cloud:large"}, caller=caller)

    assert (served.call.model, rig.decision_of(served.call).failovers) == ("local:small", ())
    assert isinstance(refused.error, PolicyRefused)


@pytest.mark.parametrize(
    ("policy_mode", "asked", "mode"),
    [("auto", "regulated", "regulated"), ("regulated", "auto", "regulated"), ("auto", None, "auto")],
)
async def test_a_call_narrows_its_mode_and_never_widens_it(policy_mode: str, asked: str | None, mode: str) -> None:
    rig = Rig(f"policy: p\norganisation: {{sensitivity: internal, mode: {policy_mode}}}\n")

    outcome = await rig.call({}, headers={} if asked is None else {"x-trimtab-mode": asked})

    assert outcome.call.mode == mode


async def test_calls_under_way_keep_the_policy_they_started_with() -> None:
    rig = Rig()

    async def swap(index: int) -> None:
        rig.chooser.replace(replace(rig.rulebook, policy=rig.policy("policy: next\norganisation: {mode: fixed}\n")))

    rig.providers["cloud"].script = lambda _: replace(chat_answer(), before_chunk=swap)
    started = (await rig.call()).call
    following = (await rig.call()).call

    assert rig.decision_of(started).constraints.policy_id == "open"
    assert rig.decision_of(following).constraints.policy_id == "next"


async def test_equal_looking_calls_share_one_stored_decision() -> None:
    rig = Rig()

    outcomes = [await rig.call(body_of(f"Hello {i:03}")) for i in range(50)]

    assert len({outcome.call.decision_digest for outcome in outcomes}) == 1
    assert sum(outcome.entries[0].decision is not None for outcome in outcomes) == 1
