from trimtab.evaluation import Case, Plan, ScorerSpec, Suite, unreadable_cases, user_prompt
from trimtab.evaluation.case import ScorerOption


def case(case_id: str, expected: str, scorer: ScorerSpec | None = None) -> Case:
    return Case(case_id=case_id, messages=user_prompt("?"), expected=expected, stratum="routine", scorer=scorer)


def suite(*cases: Case, name: str = "exact_match", **options: ScorerOption) -> Suite:
    plan = Plan(scorer=ScorerSpec(name=name, options=options))
    return Suite(name="s", version="1", cases=cases, plan=plan)


async def test_cases_that_no_answer_could_score_on_are_named() -> None:
    tests = ScorerSpec(name="python_tests")
    found = await unreadable_cases(
        suite(
            case("a", "12"),
            case("b", "many"),
            case("c", "assert f()", tests),
            case("d", "f = 1", tests),
            name="numeric",
        )
    )

    assert found == [
        "case 'b': the case expects 'many', which is no number",
        "case 'd': the case's tests check nothing",
    ]


async def test_the_parts_of_a_composite_are_looked_at_one_by_one() -> None:
    found = await unreadable_cases(
        suite(case("a", "x"), name="composite", scorers=("numeric", "exact_match"), combine="all")
    )

    assert found == ["case 'a': the case expects 'x', which is no number"]


async def test_a_scorer_that_cannot_be_made_is_named_once() -> None:
    found = await unreadable_cases(suite(case("a", "x"), case("b", "y"), name="regex", pattern="("))

    assert found == [
        "Scorer 'regex' cannot use its option 'pattern': '(' is no regular expression of RE2: missing ): ("
    ]


async def test_models_are_not_asked() -> None:
    judge = ScorerSpec(name="judge", options={"model": "local:small"})
    similar = ScorerSpec(name="embedding_similarity", options={"embedder": "local:embed"})

    assert await unreadable_cases(suite(case("a", "x", judge), case("b", "y", similar))) == []
