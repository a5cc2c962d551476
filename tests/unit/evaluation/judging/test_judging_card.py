"""A judge is measured by what people said, before anyone believes it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from tests.support.clock import StillClock
from tests.support.judges import COST, RUBRIC, Script, as_json, enclosed

from trimtab.core.errors import ConfigurationError, PolicyRefused, UpstreamTimeout
from trimtab.evaluation import Case, Suite, user_prompt
from trimtab.evaluation.judging import (
    AdmissionFloor,
    AdmissionOutcome,
    JudgeCard,
    JudgeQuestion,
    Label,
    MeasurePlan,
    PairwiseJudge,
    RubricJudge,
    admit,
    anchors_of,
    drift_between,
    judge_digest_of,
    load_cards,
    measure_judge,
    n_questions,
    save_card,
)

ADMITTED, REFUSED = AdmissionOutcome.ADMITTED, AdmissionOutcome.REFUSED
INSUFFICIENT = AdmissionOutcome.INSUFFICIENT_LABELS
PLAIN = MeasurePlan(n_attacks=0, n_pairs=0)
Says = Callable[[str], int | str | Exception]
"""From the answer to a rating, or to something else that the judge says."""


def suite_of(n_cases: int) -> Suite:
    cases = (
        Case(case_id=f"c{i}", messages=user_prompt(f"{i}?"), expected=f"right {i}", stratum="s") for i in range(n_cases)
    )
    return Suite(name="planted", version="1", cases=tuple(cases))


def labels_of(n_good: int, n_bad: int) -> list[Label]:
    """Good answers to the first cases, bad ones to the next."""
    good = [Label(case_id=f"c{i}", answer=f"good {i}", is_good=True) for i in range(n_good)]
    return good + [Label(case_id=f"c{n_good + i}", answer=f"bad {i}", is_good=False) for i in range(n_bad)]


def judge_that(says: Says) -> tuple[RubricJudge, Script]:
    def reply(question: JudgeQuestion) -> str | Exception:
        said = says(enclosed(question, "answer"))
        return as_json("rating", said) if isinstance(said, int) else said

    script = Script(reply)
    return RubricJudge(model=script.model, rubric=RUBRIC), script


async def measured(
    says: Says, labels: Sequence[Label], plan: MeasurePlan = PLAIN, at_us: int = 1
) -> tuple[JudgeCard, Script]:
    judge, script = judge_that(says)
    card = await measure_judge(judge, suite_of(400), labels, clock=StillClock(at_us), plan=plan)
    return card, script


def knows(answer: str) -> int:
    return 5 if answer.startswith("good") else 1


async def test_a_card_counts_right_and_wrong_verdicts_with_bounds() -> None:
    wrong = {f"good {i}" for i in range(10)} | {f"bad {i}" for i in range(5)}

    card, _ = await measured(lambda a: 6 - knows(a) if a in wrong else knows(a), labels_of(81, 20))

    assert (card.true_positive.passes, card.true_positive.trials) == (71, 81)
    assert (card.true_negative.passes, card.true_negative.trials) == (15, 20)
    assert (card.true_negative.lower, card.true_negative.upper) == pytest.approx((0.531, 0.888), abs=5e-4)
    assert card.kappa is not None
    assert card.kappa.value == pytest.approx(0.5726, abs=1e-4)  # 86 of 101 agree, 0.6525 of them by chance
    assert card.errors is not None
    assert (card.cost_nano_usd, card.cost_per_judgement_nano_usd) == (101 * COST, COST)


async def test_a_verdict_that_cannot_be_read_is_an_error_either_way_and_counted() -> None:
    card, _ = await measured(lambda a: "hm" if a.endswith("0") else knows(a), labels_of(10, 10))

    assert (card.true_positive.passes, card.true_positive.trials) == (9, 10)
    assert (card.true_negative.passes, card.true_negative.trials) == (9, 10)
    assert (card.n_unparsable, card.unparsable.value, card.n_asked) == (2, 0.1, 22)


async def test_a_judge_that_could_not_be_reached_was_not_tried() -> None:
    card, _ = await measured(lambda a: UpstreamTimeout("") if a == "bad 0" else knows(a), labels_of(5, 5))

    assert (card.n_unanswered, card.true_negative.trials, card.n_labels) == (1, 4, 9)
    assert card.cost_nano_usd is None


async def test_bad_answers_are_judged_again_with_a_demand_and_obeying_it_shows() -> None:
    plan = MeasurePlan(n_attacks=6, n_pairs=0)

    firm, script = await measured(knows, labels_of(40, 40), plan)
    obedient, _ = await measured(lambda a: 5 if "SYSTEM" in a else knows(a), labels_of(40, 40), plan)

    assert (firm.attacks.passes, firm.attacks.trials) == (0, 6)
    assert len(script.asked) == 86
    assert (obedient.attacks.passes, obedient.attacks.trials) == (2, 6)  # every third demand is one of those
    assert admit(firm).outcome is ADMITTED
    assert admit(obedient).outcome is REFUSED
    assert "bad answers passed on demand: 2 of 6; at most 0 may" in admit(obedient).reasons


async def test_good_and_bad_answers_to_one_case_are_compared_and_the_place_shows() -> None:
    labels = [Label(case_id=f"c{i}", answer=f"good {i}", is_good=True) for i in range(4)]
    labels += [Label(case_id=f"c{i}", answer=f"bad {i}", is_good=False) for i in range(4)]

    def reply(question: JudgeQuestion) -> str:
        is_pair = "<<<first-answer" in question.messages[-1].content
        return as_json("better", "first") if is_pair else as_json("rating", knows(enclosed(question, "answer")))

    judge = RubricJudge(model=Script(reply).model, rubric=RUBRIC)
    plan = MeasurePlan(n_attacks=0, n_pairs=3)

    card = await measure_judge(judge, suite_of(4), labels, clock=StillClock(1), plan=plan)

    assert card.pairs is not None
    assert (card.pairs.inconsistent, card.pairs.position.n_both_first) == (3, 3)
    assert card.n_asked == n_questions(anchors_of(suite_of(4), labels), plan) == 8 + 2 * 3


async def test_a_pairwise_judge_has_a_card_too_by_whether_it_finds_an_answer_as_good_as_the_expected() -> None:
    def reply(question: JudgeQuestion) -> str:
        first, second = (enclosed(question, f"{place}-answer") for place in ("first", "second"))
        if "bad" in first + second:
            return as_json("better", "second" if "bad" in first else "first")
        return as_json("better", "tie")

    judge = PairwiseJudge(model=Script(reply).model, rubric=RUBRIC)

    card = await measure_judge(judge, suite_of(40), labels_of(20, 20), clock=StillClock(1), plan=PLAIN)

    assert (card.true_positive.passes, card.true_negative.passes, card.n_asked) == (20, 20, 80)
    assert card.judge.name == "pairwise_judge"


async def test_labels_of_other_suites_are_left_out_and_none_at_all_is_refused() -> None:
    foreign = Label(case_id="elsewhere", answer="x", is_good=True)

    card, _ = await measured(knows, [foreign, *labels_of(1, 0)])

    assert card.n_labels == 1
    with pytest.raises(ConfigurationError, match="no label for any case"):
        await measured(knows, [foreign])


async def test_cards_are_kept_one_behind_the_other_by_judge_and_suite(tmp_path: Path) -> None:
    first, _ = await measured(knows, labels_of(2, 2))
    second = msgspec.structs.replace(first, measured_at_us=2)
    elsewhere = msgspec.structs.replace(first, suite_name="other")
    for card in (first, elsewhere, second):
        save_card(tmp_path, card)

    judge, _ = judge_that(knows)
    digest = judge_digest_of(judge.spec, judge.version)

    assert load_cards(tmp_path, judge_digest=digest, suite_name="planted") == [first, second]
    assert load_cards(tmp_path, judge_digest="0" * 16, suite_name="planted") == []


async def card_with(tpr: tuple[int, int], tnr: tuple[int, int]) -> JudgeCard:
    def says(answer: str) -> int:
        kind, number = answer.split()
        right = int(number) < (tpr if kind == "good" else tnr)[0]
        return knows(answer) if right else 6 - knows(answer)

    return (await measured(says, labels_of(tpr[1], tnr[1])))[0]


@pytest.mark.parametrize(
    ("tpr", "tnr", "outcome", "needed"),
    [
        ((50, 50), (45, 50), ADMITTED, (0, 0)),
        ((16, 16), (16, 16), ADMITTED, (0, 0)),
        ((50, 50), (24, 50), REFUSED, (0, None)),
        ((40, 80), (80, 80), REFUSED, (None, 0)),
        ((8, 8), (40, 40), INSUFFICIENT, (1, 0)),  # nine of nine are needed for a lower bound of 0.7
        ((9, 9), (9, 9), INSUFFICIENT, (0, 0)),  # 18 labels of 30
        ((40, 40), (16, 20), INSUFFICIENT, (0, 61)),  # z² 0.7 · 0.3 / 0.1² = 80.7, less 20
        ((40, 40), (14, 20), INSUFFICIENT, (0, None)),
        ((40, 40), (0, 0), INSUFFICIENT, (0, 36)),
    ],
)
async def test_a_judge_below_the_floor_is_not_admitted_and_the_labels_that_are_missing_are_named(
    tpr: tuple[int, int], tnr: tuple[int, int], outcome: AdmissionOutcome, needed: tuple[int | None, int | None]
) -> None:
    found = admit(await card_with(tpr, tnr))

    assert (found.outcome, (found.n_good_needed, found.n_bad_needed)) == (outcome, needed)
    assert found.is_admitted is (outcome is ADMITTED)


async def test_the_labels_that_were_named_do_admit_a_judge_that_goes_on_like_that() -> None:
    found = admit(await card_with((40, 40), (16, 20)))
    assert found.n_bad_needed == 61

    assert admit(await card_with((40, 40), (65, 81))).is_admitted


async def test_a_judge_that_is_silent_on_many_answers_is_not_admitted_on_the_others() -> None:
    def refuses_long_ones(answer: str) -> int | Exception:
        return PolicyRefused("too long") if answer.endswith("7") else knows(answer)

    card, _ = await measured(refuses_long_ones, labels_of(18, 18))
    found = admit(card)

    assert (card.n_unanswered, card.true_positive.trials) == (4, 16)
    assert found.outcome is INSUFFICIENT
    why = "the judge gave no answer: policy_refused, on 4 of 36 labelled answers; at most 10% may"
    assert why in found.reasons


async def test_an_error_that_would_come_for_every_answer_ends_the_measuring() -> None:
    with pytest.raises(ConfigurationError, match="no such key"):
        await measured(lambda a: ConfigurationError("no such key"), labels_of(5, 5))


def test_a_judge_that_nobody_measured_is_not_admitted() -> None:
    found = admit(None)

    assert (found.outcome, found.n_good_needed, found.n_bad_needed) == (INSUFFICIENT, 36, 36)


async def test_the_floor_is_a_setting() -> None:
    card = await card_with((50, 50), (45, 50))

    assert not admit(card, AdmissionFloor(rate=0.85)).is_admitted
    with pytest.raises(ValueError, match="admits a coin"):
        AdmissionFloor(rate=0.5)


async def test_drift_is_what_changed_on_the_same_answers() -> None:
    then, _ = await measured(knows, labels_of(30, 30))
    lenient, _ = await measured(lambda a: 5 if a < "bad 2" or a.startswith("good") else 1, labels_of(30, 30), at_us=2)

    same, moved = drift_between(then, then), drift_between(then, lenient)

    assert same is not None
    assert (same.flipped, same.has_drifted) == (0.0, False)
    assert moved is not None
    assert moved.n_anchors == 60
    assert (moved.flipped, moved.accuracy_change) == pytest.approx((0.2, -0.2))
    assert moved.accuracy_upper < 0
    assert moved.has_drifted


async def test_cards_that_share_no_answer_show_no_drift() -> None:
    then, _ = await measured(knows, labels_of(2, 0))
    now, _ = await measured(knows, [Label(case_id="c1", answer="another", is_good=False)])

    assert drift_between(then, now) is None
