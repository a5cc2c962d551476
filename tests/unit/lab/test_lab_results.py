from pathlib import Path

import pytest

from trimtab.core import CallRecord
from trimtab.lab import Answer, check_money, parts_of, recorded_costs


def _answer(prompt_id: str, cost_nano_usd: int | None) -> Answer:
    return Answer(
        prompt_id=prompt_id,
        workload="faq",
        call_id=f"call_{prompt_id}",
        model="simulated:local-small",
        is_stream=cost_nano_usd is None,
        cost_nano_usd=cost_nano_usd,
    )


def _call(workload: str, model: str, cost_nano_usd: int, score: float | None) -> CallRecord:
    return CallRecord(
        call_id="call_1",
        started_at_us=0,
        workload=workload,
        model=model,
        cost_nano_usd=cost_nano_usd,
        quality_fraction=score,
    )


def test_a_streams_cost_is_the_one_in_the_file_it_was_answered_from(tmp_path: Path) -> None:
    outcomes = tmp_path / "outcomes.jsonl"
    outcomes.write_text('{"prompt_id":"b","model":"local-small","cost_usd":"0.000000007","score":1}\n')
    costs = recorded_costs(outcomes, "simulated")

    money = check_money([_answer("a", 5), _answer("b", None)], costs, journal_nano_usd=12)

    assert (money.n_calls, money.n_streamed, money.answers_nano_usd, money.agrees) == (2, 1, 12, True)


def test_a_nano_dollar_too_little_in_the_journal_is_a_difference() -> None:
    assert not check_money([_answer("a", 5)], {}, journal_nano_usd=4).agrees


def test_parts_add_up_to_all() -> None:
    faq, triage, everything = parts_of(
        [_call("faq", "s:small", 10, 1.0), _call("faq", "s:large", 30, 0.0), _call("triage", "s:small", 20, 1.0)]
    )

    assert (faq.workload, faq.n_calls, faq.cost_nano_usd) == ("faq", 2, 40)
    assert (triage.workload, triage.calls_by_model) == ("triage", {"s:small": 1})
    assert (everything.workload, everything.n_calls, everything.cost_nano_usd) == ("all", 3, 60)
    assert everything.cost_per_1000_nano_usd == 20_000
    assert everything.quality is not None
    assert everything.quality.mean == pytest.approx(2 / 3)


def test_calls_that_nobody_graded_have_no_quality() -> None:
    ungraded, everything = parts_of([_call("faq", "s:small", 10, None)])

    assert ungraded.quality is everything.quality is None
