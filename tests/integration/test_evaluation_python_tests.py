"""The scorer that runs code passes the shared checks, and takes code from answers as models write them."""

import asyncio
import time
from collections.abc import Callable

import pytest
from hypothesis import strategies as st
from tests.support.scorer_suite import Rig, Sample, ScorerSuite, graded

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Case, Score, Scorer, ScorerSpec, scorer_for, user_prompt
from trimtab.evaluation.scoring.python_tests import code_of

TESTS = "def test_two():\n    assert double(2) == 4\ndef test_none():\n    assert double('') == ''"
RIGHT = "def double(x):\n    return 2 * x"
HALF = "def double(x):\n    return x ** 2"
WRONG = "def double(x):\n    return None"


def sample(answer: str, value: float) -> Sample:
    return Sample(expected=TESTS, answer=answer, value=value)


RIGS = [
    Rig(
        spec=ScorerSpec(name="python_tests"),
        samples=(sample(f"Here:\n```python\n{RIGHT}\n```\n", 1), sample(HALF, 0), sample(WRONG, 0)),
        is_its_own_best=False,
        texts=st.sampled_from([TESTS, RIGHT, WRONG, "assert True", "print(1)", "1 +", "\0"]),
        n_examples=8,
    ),
    Rig(
        spec=ScorerSpec(name="python_tests", options={"partial": True, "timeout_s": 5.0, "memory_mb": 256}),
        samples=(sample(RIGHT, 1), sample(HALF, 0.5), sample(WRONG, 0)),
        is_its_own_best=False,
        texts=st.sampled_from([TESTS, RIGHT, HALF, "import sys; sys.exit()"]),
        n_examples=8,
    ),
]


@pytest.fixture(scope="module", params=RIGS, ids=lambda rig: rig.name)
def rig(request: pytest.FixtureRequest) -> Rig:
    found: Rig = request.param
    return found


@pytest.fixture(scope="module")
def make() -> Callable[[ScorerSpec], Scorer]:
    return scorer_for


class TestPythonTests(ScorerSuite):
    pass


def score(tests: str, answer: str) -> Score:
    case = Case(case_id="a", messages=user_prompt("?"), expected=tests, stratum="code")
    return graded(scorer_for(ScorerSpec(name="python_tests", options={"timeout_s": 2.0})), case, answer)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("x = 1", "x = 1"),
        ("A\n```python\nx = 1\n```\nB\n```py\ny = 2\n```", "x = 1\n\ny = 2\n"),
        ("```\nx = 1\n```\n```bash\nls\n```", "x = 1\n"),
        ("```python\nx = 1\n", "x = 1\n"),  # cut off
    ],
)
def test_code_is_taken_from_the_blocks_that_are_python(answer: str, code: str) -> None:
    assert code_of(answer) == code


@pytest.mark.parametrize(
    ("tests", "why"),
    [
        ("", "the case's tests check nothing"),
        ("def check(f):\n    assert f(2) == 4\n", "the case's tests check nothing"),  # and nobody calls it
        ("'only words'", "the case's tests check nothing"),
        ("assert (", "the case's tests are no Python: '(' was never closed (<unknown>, line 1)"),
    ],
)
def test_tests_that_cannot_fail_grade_nothing(tests: str, why: str) -> None:
    assert score(tests, RIGHT) == Score(value=None, why=why)


def test_a_checker_that_is_called_grades() -> None:
    tests = "def check(f):\n    assert f(2) == 4\ncheck(double)"

    assert score(tests, RIGHT).value == 1
    assert score(tests, WRONG) == Score(value=0.0, why="the tests: AssertionError")


def test_the_first_failure_is_named() -> None:
    assert (
        score(TESTS, HALF).why == "test_none: TypeError: unsupported operand type(s) for ** or pow(): 'str' and 'int'"
    )
    assert score(TESTS, "while True: pass").why == "took longer than 2 s"


def test_several_answers_run_at_a_time_and_none_stops_the_loop() -> None:
    scorer = scorer_for(ScorerSpec(name="python_tests"))
    case = Case(case_id="a", messages=user_prompt("?"), expected="assert True", stratum="code")

    async def run() -> tuple[list[Score], int]:
        n_turns = 0
        scores = asyncio.gather(*(scorer.score(case, "import time\ntime.sleep(0.3)") for _ in range(4)))
        while not scores.done():
            await asyncio.sleep(0.01)
            n_turns += 1
        return await scores, n_turns

    started = time.monotonic()
    scores, n_turns = asyncio.run(run())

    assert [found.value for found in scores] == [1.0] * 4
    assert n_turns > 10
    assert time.monotonic() - started < 30


def test_a_limit_out_of_range_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"timeout_s is 0\.1 to 600"):
        scorer_for(ScorerSpec(name="python_tests", options={"timeout_s": 0.0}))
