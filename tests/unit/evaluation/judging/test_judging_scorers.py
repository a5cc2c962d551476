"""Judges are scorers like any other: they pass the shared checks, asked through a model that reads what it is shown."""

from collections.abc import Callable

import pytest
from tests.support.judges import RUBRIC, Script, as_json, enclosed
from tests.support.scorer_suite import Rig, Sample, ScorerSuite

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Scorer, ScorerSpec, scorer_for
from trimtab.evaluation.judging import JUDGES, JudgeQuestion, judge_for
from trimtab.evaluation.scoring import registry

OPTIONS: dict[str, str | tuple[str, ...]] = {"model": "p:judge", "criteria": RUBRIC.criteria}


def rates(question: JudgeQuestion) -> str:
    answer = enclosed(question, "answer")
    return as_json("rating", 5 if "Paris" in answer else 1) if len(answer) < 40 else "I cannot say."


def compares(question: JudgeQuestion) -> str:
    first, second = ("Paris" in enclosed(question, f"{place}-answer") for place in ("first", "second"))
    return as_json("better", "tie" if first is second else "first" if first else "second")


def make(spec: ScorerSpec) -> Scorer:
    reply = rates if spec.name == "judge" else compares
    return scorer_for(spec, judges=lambda one: judge_for(one, lambda name: Script(reply).model))


RIGS = [
    Rig(
        spec=ScorerSpec(name="judge", options=OPTIONS),
        samples=(
            Sample(expected="Paris", answer="It is Paris.", value=1),
            Sample(expected="Paris", answer="Lyon", value=0),
        ),
        is_its_own_best=False,
        make=make,
    ),
    Rig(
        spec=ScorerSpec(name="pairwise_judge", options=OPTIONS),
        samples=(
            Sample(expected="Lutetia", answer="Paris", value=1),
            Sample(expected="Paris", answer="Paris!", value=0.5),
            Sample(expected="Paris", answer="Lyon", value=0),
        ),
        is_its_own_best=False,
        make=make,
    ),
]


@pytest.fixture(scope="module", params=RIGS, ids=lambda rig: rig.name)
def rig(request: pytest.FixtureRequest) -> Rig:
    found: Rig = request.param
    return found


@pytest.fixture(scope="module", name="make")
def make_of_rig(rig: Rig) -> Callable[[ScorerSpec], Scorer]:
    return rig.make or scorer_for


class TestJudges(ScorerSuite):
    pass


def test_the_registry_knows_every_judge() -> None:
    assert set(registry.JUDGES) == set(JUDGES)


@pytest.mark.parametrize("name", JUDGES)
def test_where_no_model_can_be_asked_a_judge_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="asks a model, and none can be asked here"):
        scorer_for(ScorerSpec(name=name, options=OPTIONS))
