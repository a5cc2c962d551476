"""The generator: the same cases everywhere, no sentence in two splits, no in-house record in the base training."""

import hashlib
import json
import re
from collections import Counter

import pytest

from trimtab.core import Api
from trimtab.core.messages import WireRequest
from trimtab.lab.office import BASE_STRATA, STRATA, TASKS, OfficeCase, Split, Task, is_right, office_cases
from trimtab.workloads.tasks import CLASS_OF_TASK, task_type_of


def _case(expected: str) -> OfficeCase:
    first = office_cases("test", 1, seed=1)[0]
    return OfficeCase(
        case_id=first.case_id,
        prompt=first.prompt,
        expected=expected,
        stratum=first.stratum,
        task=first.task,
        task_type=first.task_type,
        template_id=first.template_id,
        split=first.split,
    )


def test_a_seed_gives_the_same_cases_on_every_machine() -> None:
    cases = office_cases("train", 500, seed=3)

    assert cases == office_cases("train", 500, seed=3)
    assert cases != office_cases("train", 500, seed=4)
    text = "\n".join(f"{case.prompt}\n{case.expected}" for case in cases)
    assert hashlib.sha256(text.encode()).hexdigest()[:12] == "614e5f3b8796", "raise OFFICE_VERSION when cases change"


def test_more_cases_begin_with_the_same_ones() -> None:
    assert office_cases("test", 200, seed=1)[:50] == office_cases("test", 50, seed=1)


def test_strata_and_tasks_get_equal_shares() -> None:
    cases = office_cases("test", 480, seed=1)

    assert Counter(case.stratum for case in cases) == dict.fromkeys(STRATA, 120)
    assert set(Counter(case.task for case in cases if case.stratum == "edge").values()) == {20}
    assert {case.task for case in cases} == {task.name for task in TASKS}


def test_no_prompt_and_no_case_id_comes_twice() -> None:
    cases = office_cases("train", 5_000, seed=1)

    assert len({case.prompt for case in cases}) == len({case.case_id for case in cases}) == 5_000


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_train_and_test_share_no_sentence(task: Task) -> None:
    train, test = task.train, task.test

    assert not set(train.asks) & set(test.asks)
    assert not set(train.texts) & set(test.texts)
    assert len(test.asks) * len(test.texts) >= 6


def test_train_and_test_share_no_template_and_no_prompt() -> None:
    train, test = office_cases("train", 20_000, seed=1), office_cases("test", 4_000, seed=1)

    assert not {case.template_id for case in train} & {case.template_id for case in test}
    assert not {case.prompt for case in train} & {case.prompt for case in test}


def test_the_house_convention_is_absent_from_base_training() -> None:
    record = re.compile(r"[@!] [A-Z][a-z]+ .+ \| .+ > [A-Z]")
    drafted = office_cases("train", 200, seed=1, strata=("drafting",))

    assert all(record.fullmatch(case.expected) for case in drafted)
    for case in office_cases("train", 20_000, seed=1, strata=BASE_STRATA):
        assert not re.search(r"[@|>]|! [A-Z]|house record", case.prompt + case.expected)


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_gateways_rules_see_what_each_prompt_asks_for(split: Split) -> None:
    cases = office_cases(split, 4_000, seed=1)

    seen = [(case.template_id, _task_type(case.prompt), case.task_type) for case in cases]
    assert [row for row in seen if row[1] != row[2]] == []


def test_strata_are_routine_or_reasoning_as_the_gateway_classes_them() -> None:
    for task in TASKS:
        assert CLASS_OF_TASK[task.task_type] == ("reasoning" if task.stratum == "reasoning" else "routine")


def test_prompts_and_answers_are_short() -> None:
    for case in office_cases("train", 5_000, seed=2):
        assert len(case.prompt) < 300
        assert len(case.expected) < 110


def test_only_case_and_white_space_are_forgiven() -> None:
    case = _case("Altus 44, Borea 40: Borea")

    assert is_right(case, " altus 44,  borea 40: borea\n")
    assert not is_right(case, "Altus 44, Borea 40: Altus")
    assert not is_right(case, "Borea")
    assert not is_right(case, "")


def _task_type(prompt: str) -> str:
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": prompt}]}).encode()
    return task_type_of(WireRequest(Api.CHAT_COMPLETIONS, body))
