"""Bad input: everything that is wrong is said at once, and nothing is left out unasked."""

from pathlib import Path

import pytest

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Plan, load_suite, read_suite, recorded_scorer, save_suite, scorer_for
from trimtab.evaluation.problems import SHOWN_PROBLEMS

HEAD = '{"suite": "sums", "version": "1"}'
GOOD = '{"case_id": "a", "prompt": "2 + 2 =", "expected": "4", "stratum": "routine"}'
OTHER = GOOD.replace('"a"', '"b"')


def written(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "s.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def planned(plan: str) -> str:
    return HEAD.replace("}", f', "plan": {plan}}}')


def test_all_bad_lines_are_reported_together_with_line_and_rule(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD, GOOD, GOOD, "no json", "", OTHER.replace('"routine"', '""'))

    with pytest.raises(ConfigurationError, match="3 problems") as caught:
        load_suite(path)

    _, *lines = caught.value.message.splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"  {path}:{number}" for number in (3, 4, 6)]
    assert "case_id 'a' is used twice, first in line 2" in lines[0]
    assert "--skip-invalid" in str(caught.value.hint)


def test_the_first_problems_are_spelled_out_and_the_others_counted(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD, GOOD, *(["x"] * (SHOWN_PROBLEMS + 3)))

    with pytest.raises(ConfigurationError, match="13 problems") as caught:
        load_suite(path)

    assert len(caught.value.message.splitlines()) == 1 + SHOWN_PROBLEMS + 1
    assert caught.value.message.endswith("and 3 more")
    assert len(read_suite(path).problems) == SHOWN_PROBLEMS + 3


def test_the_rest_is_loaded_only_when_asked_and_what_was_left_out_is_counted(tmp_path: Path) -> None:
    reading = read_suite(written(tmp_path, HEAD, GOOD, "x", OTHER))

    assert reading.n_skipped == 1
    assert [case.case_id for case in reading.required(skip_invalid=True).cases] == ["a", "b"]
    with pytest.raises(ConfigurationError):
        reading.required()


@pytest.mark.parametrize(
    ("plan", "rule"),
    [
        ('{"margin": 0}', "margin 0 of the plan"),
        ('{"margin": -0.02}', "margin -0.02 of the plan"),
        ('{"alpha": 0.5}', "alpha 0.5 of the plan"),
        ('{"alpha": 0}', "alpha 0 of the plan"),
        ('{"judge_floor": 0.5}', "judge_floor 0.5 of the plan"),
        ('{"protected": ["hard"]}', "names stratum 'hard', which has no case"),
        ('{"protected": []}', "protects no stratum"),
        ('{"traffic": {"routine": 0.5, "hard": 0.5}}', "names stratum 'hard', which has no case"),
        ('{"traffic": {"routine": 0.9}}', "add up to 0.9, not to 1"),
        ('{"traffic": {"routine": 1.5}}', "is 1.5, not a share"),
    ],
)
def test_a_plan_that_cannot_be_kept_is_refused_even_when_lines_may_be_left_out(
    tmp_path: Path, plan: str, rule: str
) -> None:
    reading = read_suite(written(tmp_path, planned(plan), GOOD))

    assert reading.suite is None
    assert any(rule in problem.rule for problem in reading.problems)
    with pytest.raises(ConfigurationError):
        reading.required(skip_invalid=True)


def test_shares_of_traffic_may_be_rounded_to_three_digits(tmp_path: Path) -> None:
    plan = planned('{"traffic": {"routine": 0.667, "hard": 0.3333}}')
    suite = load_suite(written(tmp_path, plan, GOOD, OTHER.replace("routine", "hard")))

    assert suite.plan.traffic == {"routine": 0.667, "hard": 0.3333}


def test_a_suite_without_a_case_that_can_be_used_is_refused(tmp_path: Path) -> None:
    for lines in ((HEAD,), (HEAD, "x"), ("x",), ()):
        with pytest.raises(ConfigurationError):
            read_suite(written(tmp_path, *lines)).required(skip_invalid=True)


def test_a_plan_comes_back_from_its_file(tmp_path: Path) -> None:
    plan = Plan(margin=0.05, alpha=0.025, protected=("routine",), traffic={"routine": 1.0})
    suite = load_suite(written(tmp_path, HEAD, GOOD))
    planned_suite = type(suite)(name="sums", version="1", cases=suite.cases, plan=plan)

    save_suite(planned_suite, tmp_path / "t.jsonl")

    loaded = load_suite(tmp_path / "t.jsonl")
    assert (loaded.plan, loaded.digest) == (plan, planned_suite.digest)
    assert loaded.digest != suite.digest  # the plan is part of what was fixed


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(f"{HEAD}\n{GOOD}\n", encoding="utf-8-sig")

    assert load_suite(path).name == "sums"


@pytest.mark.parametrize(
    ("scorer", "rule"),
    [
        ('{"name": "exact_mach"}', "no scorer is called 'exact_mach'. Closest match: 'exact_match'"),
        ('{"name": "composite", "options": {"scorers": ["numeric", "exact_mach"]}}', "scorer is called 'exact_mach'"),
        ('{"name": "zzz"}', "no scorer is called 'zzz'. There are: exact_match"),
        ('{"name": "numeric", "options": {"absolut": 1}}', "has no option 'absolut'. Closest match: 'absolute'"),
        ('{"name": "contains", "options": {"require": 7}}', "cannot use its options"),
    ],
)
def test_an_unknown_scorer_is_named_where_it_stands(tmp_path: Path, scorer: str, rule: str) -> None:
    of_plan = read_suite(written(tmp_path, planned(f'{{"scorer": {scorer}}}'), GOOD))
    of_case = read_suite(written(tmp_path, HEAD, GOOD, OTHER.replace("}", f', "scorer": {scorer}}}')))

    assert (of_plan.suite, of_case.n_skipped) == (None, 1)
    assert rule in of_plan.problems[0].rule
    assert (of_case.problems[0].line, rule in of_case.problems[0].rule) == (3, True)


@pytest.mark.parametrize("name", ["judge", "pairwise_judge", "recorded", "json_schema"])
def test_scorers_that_need_a_model_or_a_package_may_be_named_without_it(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, planned(f'{{"scorer": {{"name": "{name}"}}}}'), GOOD)

    assert load_suite(path).plan.scorer.name == name


def test_scores_that_were_recorded_are_given_to_no_new_answer() -> None:
    with pytest.raises(ConfigurationError, match="grades nothing") as caught:
        scorer_for(recorded_scorer("inspect/match"))

    assert "name a scorer" in str(caught.value.hint)
