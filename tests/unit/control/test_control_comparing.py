"""What another policy would do with recorded calls."""

from decimal import Decimal

import pytest
from tests.support.control_rig import NO_SMALL, POLICY, Rig, call, decided_call

from trimtab.control import InfrastructureLine, Move
from trimtab.core import Usage
from trimtab.core.errors import ConfigurationError, PolicyInvalid, PolicyMissing
from trimtab.policy import Facts
from trimtab.store import CallFilter

CODE = Facts(workload="code", task_type="code", sensitivity=0, input_tokens=1024)
CHEAP = "policy: cheap\norganisation: {sensitivity: public, mode: eco}\n"


def test_s26_a_diff_says_which_recorded_decisions_would_change(rig: Rig) -> None:
    rig.apply(CHEAP)
    rig.book(*(decided_call(n, CHEAP, facts=CODE) for n in range(3)), *(decided_call(n, CHEAP) for n in range(3, 5)))

    found = rig.desk.diff(NO_SMALL.replace("public", "public, mode: eco"), origin="new.yaml")

    assert (found.decisions.n_calls, found.decisions.n_changed) == (5, 3)
    assert found.decisions.moves == (Move(before="local:small", after="cloud:large", n_calls=3),)
    assert found.decisions.examples[0].recorded == "local:small"
    assert ("policy", '"cheap"', '"second"') in [(c.path, c.before, c.after) for c in found.changes]


def test_a_diff_reads_the_calls_of_one_app_where_it_is_asked_to(rig: Rig) -> None:
    rig.apply(POLICY)
    rig.book(call(1, app="shop"), call(2, app="other"))

    assert rig.desk.diff(NO_SMALL, origin="new.yaml", app="shop").decisions.n_calls == 1


def test_a_diff_needs_a_policy_in_force_and_a_sound_one_to_compare(rig: Rig) -> None:
    with pytest.raises(PolicyMissing):
        rig.desk.diff(POLICY, origin="new.yaml")
    rig.apply(POLICY)
    with pytest.raises(PolicyInvalid, match=r"new\.yaml:2"):
        rig.desk.diff("policy: p\nnonsense: 1\n", origin="new.yaml")
    with pytest.raises(PolicyInvalid, match="gone:model"):
        rig.desk.diff("policy: p\norganisation: {models: {allow: ['gone:model']}}\n", origin="new.yaml")


def test_a_simulation_reads_cost_and_quality_off_the_outcomes_of_each_prompt(rig: Rig) -> None:
    for n in range(10):
        rig.book(
            call(2 * n, prompt_id=f"p{n}", cost_nano_usd=1_000, quality_fraction=float(n < 6)),
            call(2 * n + 1, prompt_id=f"p{n}", cost_nano_usd=50_000, quality_fraction=1.0, model="cloud:large"),
        )
    only_large = "policy: large\norganisation: {sensitivity: public, models: {allow: ['cloud:large']}}\n"

    found = rig.desk.simulate({"cheap": CHEAP, "large": only_large}, CallFilter())

    cheap, large = found.policies
    assert (found.n_calls, found.recorded.n_calls) == (10, 0)  # a table of outcomes has no call of its own
    assert (cheap.cost_nano_usd, large.cost_nano_usd) == (10_000, 500_000)
    assert cheap.quality is not None
    assert large.quality is not None
    assert (cheap.quality.mean, large.quality.mean) == (0.6, 1.0)
    assert dict(cheap.calls_by_model) == {"local:small": 10}


def test_a_simulation_of_what_happened_costs_what_was_recorded(rig: Rig) -> None:
    rig.book(*(decided_call(n, CHEAP, cost_nano_usd=n * 7, prompt_id="same") for n in range(1, 6)))

    found = rig.desk.simulate({"cheap": CHEAP}, CallFilter())

    assert (found.recorded.n_calls, found.recorded.cost_nano_usd) == (5, 105)  # 7 + 14 + 21 + 28 + 35
    assert (found.policies[0].cost_nano_usd, found.policies[0].n_unchanged) == (105, 5)


def test_a_model_that_was_never_asked_is_priced_by_tokens_and_stays_ungraded(rig: Rig) -> None:
    rig.book(call(1, usage=Usage(input_tokens=1000, output_tokens=100), quality_fraction=1.0))
    only_large = "policy: large\norganisation: {sensitivity: public, models: {allow: ['cloud:large']}}\n"

    (large,) = rig.desk.simulate({"large": only_large}, CallFilter()).policies

    assert (large.cost_nano_usd, large.n_repriced) == (12_000_000, 1)  # 1,000 x $10 + 100 x $20 a million
    assert (large.quality, large.n_ungraded) == (None, 1)


def test_recorded_models_that_are_not_configured_take_part_on_request(rig: Rig) -> None:
    rig.book(call(1, prompt_id="p"), call(2, prompt_id="p", model="elsewhere:big", cost_nano_usd=9))

    without = rig.desk.simulate({}, CallFilter())
    with_them = rig.desk.simulate({}, CallFilter(), recorded_models=True)

    assert [single.name for single in without.singles] == ["local:small", "cloud:large"]
    assert [single.name for single in with_them.singles] == ["local:small", "cloud:large", "elsewhere:big"]
    assert with_them.singles[2].cost_nano_usd == 9


def test_recorded_models_are_ranked_by_what_they_cost_in_the_record(rig: Rig) -> None:
    usage = Usage(input_tokens=900, output_tokens=100)
    dear = [call(n, prompt_id=f"p{n}", model="elsewhere:dear", cost_nano_usd=9_000_000, usage=usage) for n in range(3)]
    cheap = [
        call(n + 3, prompt_id=f"p{n}", model="elsewhere:cheap", cost_nano_usd=1_000, usage=usage) for n in range(3)
    ]
    rig.book(*dear, *cheap)
    policy = "policy: p\norganisation: {sensitivity: public, mode: eco, models: {allow: ['elsewhere:*']}}\n"

    found = rig.desk.simulate({"eco": policy}, CallFilter(), recorded_models=True).policies[0]

    assert found.calls_by_model == {"elsewhere:cheap": 3}
    assert found.cost_nano_usd == 3_000


def test_a_simulation_reads_the_chosen_calls_only(rig: Rig) -> None:
    rig.book(call(1, app="shop"), call(2, app="other"), call(3, app="shop", workload="code"))

    assert rig.desk.simulate({}, CallFilter(app="shop", workload="faq")).n_calls == 1


def test_a_policy_with_a_model_outside_the_pool_is_not_simulated(rig: Rig) -> None:
    with pytest.raises(PolicyInvalid, match=r"p\.yaml:2"):
        rig.desk.simulate({"p.yaml": "policy: p\norganisation: {models: {allow: ['gone:model']}}\n"}, CallFilter())


def test_s9_a_switch_to_a_configured_model_takes_nothing_new(rig: Rig) -> None:
    rig.apply(CHEAP)
    rig.book(*(decided_call(n, CHEAP, facts=CODE) for n in range(3)))

    found = rig.desk.diff(NO_SMALL.replace("public", "public, mode: eco"), origin="new.yaml")

    assert found.infrastructure == (
        InfrastructureLine(model="cloud:large", is_new=False, n_calls=3, usd_per_month="0"),
    )


def test_s9_a_switch_to_a_model_nobody_serves_lists_it_as_a_cost(rig: Rig) -> None:
    rig.apply(CHEAP)
    rig.book(*(decided_call(n, CHEAP, facts=CODE) for n in range(3)))
    text = "policy: p\norganisation: {sensitivity: public, mode: fixed, prefer: ['own:tiny']}\n"

    with pytest.raises(PolicyInvalid, match="own:tiny"):
        rig.desk.diff(text, origin="new.yaml")
    priced = rig.desk.diff(text, origin="new.yaml", planned={"own:tiny": Decimal("1.20")})
    unpriced = rig.desk.diff(text, origin="new.yaml", planned={"own:tiny": None})

    # $1.20 an hour, 730 hours a month
    assert priced.infrastructure == (
        InfrastructureLine(model="own:tiny", is_new=True, n_calls=3, usd_per_month="876.00"),
    )
    assert unpriced.infrastructure[0].usd_per_month is None
    with pytest.raises(ConfigurationError, match="is in the pool already"):
        rig.desk.diff(text, origin="new.yaml", planned={"local:small": None})
