from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.support.store_rig import call

from trimtab.core import CallRecord, month_start
from trimtab.store import scopes as scopes_module
from trimtab.store.scopes import RuleIds, period_end, scopes_of


def nothing_stored(digest: str) -> bytes | None:
    return None


def test_a_call_counts_against_its_app_workload_key_and_rules_each_once() -> None:
    assert scopes_of(call(), ("cheap", "night", "cheap")) == [
        "organisation",
        "app:shop",
        "workload:faq",
        "key:key_1",
        "rule:cheap",
        "rule:night",
    ]


def test_without_a_key_there_is_no_keys_budget() -> None:
    assert scopes_of(call(key_id=None), ()) == ["organisation", "app:shop", "workload:faq"]


def test_rules_are_read_from_the_decision_and_scopes_and_builtins_left_out() -> None:
    rules = RuleIds()
    rules.learn("d", b'{"model":null,"rule_ids":["budget:app:shop:day","night","workload:faq","builtin:mode"]}')

    assert rules.of(call(decision_digest="d"), nothing_stored) == ("night",)


def test_a_decision_that_is_not_in_memory_is_looked_up_once() -> None:
    asked: list[str] = []

    def load(digest: str) -> bytes:
        asked.append(digest)
        return b'{"rule_ids":["night"]}'

    rules = RuleIds()
    made = call(decision_digest="d")

    assert [rules.of(made, load) for _ in range(3)] == [("night",)] * 3
    assert asked == ["d"]


def test_a_decision_that_is_nowhere_leaves_the_rule_of_the_row() -> None:
    assert RuleIds().of(call(decision_digest="d", rule_id="night"), nothing_stored) == ("night",)
    assert RuleIds().of(call(decision_digest="d", rule_id="builtin:mode"), nothing_stored) == ()
    assert RuleIds().of(call(decision_digest=None, rule_id="night"), nothing_stored) == ()


def test_an_unreadable_decision_has_no_rules() -> None:
    rules = RuleIds()
    rules.learn("d", b"not json")

    assert rules.of(call(decision_digest="d"), nothing_stored) == ()


def test_memory_holds_a_few_thousand_decisions() -> None:
    rules = RuleIds()
    for number in range(3 * scopes_module._REMEMBERED):
        rules.learn(str(number), b'{"rule_ids":[]}')

    assert len(rules._known) == scopes_module._REMEMBERED


@given(st.integers(-30_000, 60_000))
def test_periods_are_utc_days_and_calendar_months(day: int) -> None:
    date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)
    first = month_start(day)
    after = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=period_end("month", first))

    assert (date - timedelta(days=day - first)).day == 1
    assert after.day == 1
    assert first <= day < period_end("month", first) <= first + 31
    assert period_end("day", day) == day + 1


def test_a_record_with_defaults_counts_against_the_defaults() -> None:
    assert scopes_of(CallRecord(call_id="x", started_at_us=0), ()) == [
        "organisation",
        "app:default",
        "workload:unclassified",
    ]
