import json
from dataclasses import replace

import pytest
from tests.support.office_pool import pool_model

from trimtab.core import CallRecord
from trimtab.evaluation import Answer as CaseAnswer
from trimtab.evaluation import CaseResult, Run
from trimtab.lab import (
    Answer,
    Graded,
    WorkCase,
    check_money,
    compare_policies,
    draw_work,
    grade,
    graded_run,
    outcome_lines,
    parts_of,
    price_list,
    read_completion,
    run_of_calls,
    scorer_for,
    suite_of,
)

SMALL, LARGE = "local-small:office-small", "local-large:office-large"
PRICE = price_list(
    {
        SMALL: pool_model("office-small", input_usd="0.02", output_usd="0.04"),
        LARGE: pool_model("office-large", input_usd="0.08", output_usd="0.16"),
    }
)


def cases(n: int) -> list[WorkCase]:
    return draw_work(40, seed=1)[0][:n]


def answer(sent: WorkCase, text: str, *, model: str = LARGE, cost_nano_usd: int | None = None) -> Answer:
    return Answer(
        prompt_id=sent.prompt_id,
        workload=sent.work.name,
        call_id=f"call_{sent.prompt_id}",
        model=model,
        is_stream=cost_nano_usd is None,
        text=text,
        input_tokens=100,
        output_tokens=10,
        cost_nano_usd=cost_nano_usd,
    )


def graded(sent: WorkCase, model: str, cost_nano_usd: int, *, is_right: bool) -> Graded:
    return Graded(
        sent=sent,
        model=model,
        text="",
        input_tokens=1,
        output_tokens=1,
        cost_nano_usd=cost_nano_usd,
        is_right=is_right,
    )


def test_the_checker_grades_and_a_streams_cost_follows_from_its_tokens() -> None:
    one, two = cases(2)

    right, wrong = grade([one, two], [answer(one, one.case.expected), answer(two, "?", cost_nano_usd=5)], PRICE)

    assert (right.is_right, wrong.is_right) == (True, False)
    assert (right.cost_nano_usd, wrong.cost_nano_usd) == (9600, 5)  # 100 x 80 + 10 x 160 nano-dollars


def test_what_callers_were_told_and_what_nobody_was_told_add_up_to_the_journal() -> None:
    (one,) = cases(1)
    sent = answer(one, "", cost_nano_usd=7)
    records = {
        sent.call_id: CallRecord(call_id=sent.call_id, started_at_us=0, cost_nano_usd=7),
        "cut": CallRecord(call_id="cut", started_at_us=0, cost_nano_usd=3),
    }

    money = check_money([sent], [7], records, journal_nano_usd=10)

    assert (money.n_calls, money.n_streamed, money.n_untold, money.untold_nano_usd) == (1, 0, 1, 3)
    assert money.agrees
    assert not check_money([sent], [7], records, journal_nano_usd=11).agrees


def test_parts_add_up_to_all() -> None:
    first, second = cases(2)
    second = replace(second, work=first.work)
    calls = [graded(first, SMALL, 10, is_right=True), graded(second, LARGE, 30, is_right=False)]

    part, everything = parts_of(calls)

    assert (part.workload, part.n_calls, part.cost_nano_usd) == (first.work.name, 2, 40)
    assert everything.calls_by_model == {SMALL: 1, LARGE: 1}
    assert everything.cost_per_1000_nano_usd == 20_000
    assert everything.quality is not None
    assert (everything.quality.mean, everything.quality.n_samples) == (0.5, 2)


def test_both_policies_are_compared_prompt_by_prompt() -> None:
    sent = cases(4)
    today = [graded(each, LARGE, 40, is_right=place < 3) for place, each in enumerate(sent)]
    after = [graded(each, SMALL, 10, is_right=place > 0) for place, each in enumerate(sent[:2])] + today[2:]

    found = compare_policies(today, after)

    assert (found.n_calls, found.n_moved, found.today_nano_usd, found.cost_nano_usd) == (4, 2, 160, 100)
    assert found.saved_nano_usd is not None
    assert found.saved_nano_usd.mean == 15  # (30 + 30 + 0 + 0) / 4
    assert (found.quality_today.mean, found.quality.mean, found.quality_difference.mean) == (0.75, 0.5, -0.25)
    assert found.quality_difference.lower < -0.25 < found.quality_difference.upper


def test_an_unknown_cost_is_not_zero() -> None:
    (sent,) = cases(1)
    unknown = replace(graded(sent, LARGE, 0, is_right=True), cost_nano_usd=None)

    with pytest.raises(ValueError, match="is unknown"):
        compare_policies([unknown], [unknown])


def test_served_calls_are_a_run_of_the_suite_that_the_other_model_is_asked() -> None:
    sent = cases(3)
    served = grade(sent, [answer(each, each.case.expected) for each in sent], PRICE)
    suite = suite_of("first", sent)

    run = run_of_calls(suite, served, model=LARGE, digest="0" * 64, started_at_us=5)

    assert (run.suite_digest, run.n_failed, run.scorer) == (suite.digest, 0, scorer_for(sent).name)
    assert [result.score for result in run.results] == [1.0, 1.0, 1.0]
    assert suite.strata == tuple(sorted({each.work.name for each in sent}))


def test_an_evaluated_case_without_an_answer_is_left_out_and_the_others_are_priced() -> None:
    one, two = cases(2)
    run = Run(
        suite_name="s",
        suite_version="1",
        suite_digest="d",
        model=SMALL,
        scorer="x",
        options={},
        started_at_us=0,
        results=(
            CaseResult(
                case_id=one.prompt_id,
                stratum="w",
                answer=CaseAnswer(text="a", input_tokens=100, output_tokens=10),
                score=1.0,
            ),
            CaseResult(case_id=two.prompt_id, stratum="w", error="engine_failed"),
        ),
    )

    found = graded_run(run, [one, two], PRICE)

    assert list(found) == [one.prompt_id]
    assert found[one.prompt_id].cost_nano_usd == 2400  # 100 x 20 + 10 x 40 nano-dollars
    row = json.loads(outcome_lines(list(found.values())))
    assert (row["model"], row["app"], row["cost_usd"], row["score"]) == ("office-small", "evaluation", "0.000002400", 1)


def test_a_streams_text_and_tokens_are_put_together() -> None:
    body = (
        b'data: {"choices": [{"delta": {"role": "assistant", "content": null}}]}\n\n'
        b'data: {"choices": [{"delta": {"content": "EUR "}}]}\n\ndata: {"choices": [{"delta": {"content": "7"}}]}\n\n'
        b'data: {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}\n\ndata: [DONE]\n\n'
    )

    found = read_completion(body, is_stream=True)

    assert (found.text, found.input_tokens, found.output_tokens) == ("EUR 7", 9, 2)
