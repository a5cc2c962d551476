import asyncio

import msgspec
import pytest
from tests.support.clock import NOW_US, StillClock
from tests.support.evaluation import suite_of

from trimtab.core.errors import UpstreamTimeout
from trimtab.evaluation import EXACT_MATCH, Answer, Ask, Case, Plan, Run, Suite, run_suite, user_prompt

SUITE = suite_of({"routine": 6})


async def run(ask: Ask, *, suite: Suite = SUITE, n_concurrent: int = 2, deadline_s: float = 60.0) -> Run:
    return await run_suite(
        suite,
        ask,
        model="local:small",
        scorer=EXACT_MATCH,
        clock=StillClock(),
        model_digest="abc",
        options={"temperature": 0.0},
        n_concurrent=n_concurrent,
        deadline_s=deadline_s,
    )


async def test_every_case_has_its_answer_and_score_in_the_suites_order() -> None:
    async def ask(case: Case) -> Answer:
        number = int(case.case_id.split("-")[1])
        await asyncio.sleep(0.001 * (6 - number))  # later cases end first
        return Answer(text="yes" if number % 2 else "no", output_tokens=number, latency_ms=1.5)

    found = await run(ask, n_concurrent=6)

    assert [result.case_id for result in found.results] == [case.case_id for case in SUITE.cases]
    assert [result.score for result in found.results] == [0, 1, 0, 1, 0, 1]
    assert found.results[3].answer == Answer(text="yes", output_tokens=3, latency_ms=1.5)


async def test_a_run_says_what_it_takes_to_make_it_again_and_survives_being_written_down() -> None:
    async def ask(case: Case) -> Answer:
        return Answer(text="yes")

    found = await run(ask)

    assert (found.suite_digest, found.model, found.model_digest) == (SUITE.digest, "local:small", "abc")
    assert (found.scorer, found.options) == ("exact_match", {"temperature": 0.0, "deadline_s": 60.0})
    assert (found.started_at_us, found.n_failed) == (NOW_US, 0)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Run) == found


async def test_a_run_carries_what_its_comparisons_need() -> None:
    case = Case(
        case_id="a",
        messages=user_prompt("?"),
        expected="yes",
        stratum="routine",
        task_type="extraction",
        tags=("new", "cluster:document 7", "cluster:ignored"),
    )
    suite = Suite(name="s", version="1", cases=(case,), plan=Plan(margin=0.05))

    async def ask(case: Case) -> Answer:
        return Answer(text="yes")

    found = await run(ask, suite=suite)

    assert (found.plan, found.is_binary) == (suite.plan, True)
    assert (found.results[0].task_type, found.results[0].cluster) == ("extraction", "document 7")


async def test_a_failure_is_recorded_with_its_reason_and_no_score() -> None:
    async def ask(case: Case) -> Answer:
        match case.case_id:
            case "routine-1":
                raise UpstreamTimeout("too late")
            case "routine-2":
                raise ConnectionResetError
            case "routine-3":
                await asyncio.sleep(60)
        return Answer(text="yes")

    found = await run(ask, deadline_s=0.05)

    assert [r.error for r in found.results] == [
        None,
        "upstream_timeout",
        "ConnectionResetError",
        "deadline_passed",
        None,
        None,
    ]
    assert [(r.answer, r.score) for r in found.results[1:4]] == [(None, None)] * 3
    assert found.n_failed == 3


async def test_no_more_cases_are_asked_at_once_than_allowed() -> None:
    now, most = 0, 0

    async def ask(case: Case) -> Answer:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return Answer(text="yes")

    await run(ask, suite=suite_of({"routine": 40}), n_concurrent=3)

    assert most == 3


async def test_a_bug_ends_the_run_and_is_not_taken_for_a_failure_of_the_model() -> None:
    async def ask(case: Case) -> Answer:
        raise KeyError(case.case_id)

    with pytest.raises(ExceptionGroup) as caught:
        await run(ask)

    assert isinstance(caught.value.exceptions[0], KeyError)


@pytest.mark.parametrize(("n_concurrent", "deadline_s"), [(0, 60.0), (1, 0.0), (1, float("nan"))])
async def test_limits_that_allow_nothing_are_refused(n_concurrent: int, deadline_s: float) -> None:
    async def ask(case: Case) -> Answer:
        return Answer(text="yes")

    with pytest.raises(ValueError, match="make no run"):
        await run(ask, n_concurrent=n_concurrent, deadline_s=deadline_s)
