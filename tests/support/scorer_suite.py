"""The checks that every scorer passes. ``tests/unit/evaluation/test_evaluation_scorers.py`` says on which ones."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Case, Score, Scorer, ScorerSpec, user_prompt

ANY_TEXT = st.text(st.characters(), max_size=60)
"""Half surrogate pairs included: a model's JSON may hold them."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What one answer scores."""

    expected: str
    answer: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Rig:
    """One scorer and what may be expected of it."""

    spec: ScorerSpec
    samples: tuple[Sample, ...]
    """At least one scores 1 and one 0. They may change only together with ``version``."""
    version: int = 1
    prompt: str = "?"
    is_its_own_best: bool = True
    """Whether the expected text is itself a right answer; a pattern or a schema is none."""
    texts: st.SearchStrategy[str] = ANY_TEXT
    """Expected texts and answers that come near what the scorer reads."""
    n_examples: int = 60
    make: Callable[[ScorerSpec], Scorer] | None = None
    """For scorers that need more than their spec."""

    @property
    def name(self) -> str:
        """What tests call it."""
        return "-".join([self.spec.name, *self.spec.options])

    def case(self, expected: str) -> Case:
        """Return a case that expects this."""
        return Case(case_id="a", messages=user_prompt(self.prompt), expected=expected, stratum="routine")


def graded(scorer: Scorer, case: Case, answer: str) -> Score:
    """Return the score of an answer."""
    return asyncio.run(scorer.score(case, answer))


class ScorerSuite:
    """Needs two fixtures of a wider scope than a test: ``rig``, and ``make``, which builds a scorer of a spec."""

    def test_samples_score_what_this_version_always_gave_them(
        self, rig: Rig, make: Callable[[ScorerSpec], Scorer]
    ) -> None:
        scorer = make(rig.spec)

        found = [graded(scorer, rig.case(sample.expected), sample.answer).value for sample in rig.samples]

        assert found == pytest.approx([sample.value for sample in rig.samples], abs=5e-7)
        assert scorer.version == rig.version
        assert {0.0, 1.0} <= {sample.value for sample in rig.samples}

    def test_the_expected_text_scores_the_maximum(self, rig: Rig, make: Callable[[ScorerSpec], Scorer]) -> None:
        if not rig.is_its_own_best:
            pytest.skip("what this scorer expects is no answer")
        scorer = make(rig.spec)

        @settings(max_examples=rig.n_examples, deadline=None)
        @given(expected=rig.texts)
        def check(expected: str) -> None:
            assert graded(scorer, rig.case(expected), expected).value in (1.0, None)

        check()
        best = [graded(scorer, rig.case(sample.expected), sample.expected).value for sample in rig.samples]
        assert set(best) == {1.0}

    def test_any_text_is_scored_within_the_range_and_the_same_each_time(
        self, rig: Rig, make: Callable[[ScorerSpec], Scorer]
    ) -> None:
        first, second = make(rig.spec), make(rig.spec)
        texts = rig.texts | ANY_TEXT | st.sampled_from([sample.expected for sample in rig.samples])

        @settings(max_examples=rig.n_examples, deadline=None)
        @given(expected=texts, answer=texts)
        def check(expected: str, answer: str) -> None:
            score = graded(first, rig.case(expected), answer)
            assert score.value is None or 0 <= score.value <= 1
            assert score.value is not None or score.why
            assert score.value in (0.0, 1.0, None) or not first.is_binary
            assert graded(second, rig.case(expected), answer) == score

        check()

    def test_an_empty_answer_is_wrong_and_no_failure(self, rig: Rig, make: Callable[[ScorerSpec], Scorer]) -> None:
        scorer = make(rig.spec)

        assert {graded(scorer, rig.case(sample.expected), "").value for sample in rig.samples} == {0.0}

    def test_the_meaning_names_range_and_direction(self, rig: Rig, make: Callable[[ScorerSpec], Scorer]) -> None:
        scorer = make(rig.spec)

        ending = "otherwise 0; higher is better" if scorer.is_binary else "; 0 to 1, higher is better"
        assert scorer.meaning.endswith(ending)
        assert not scorer.is_binary or scorer.meaning.startswith("1 when ")

    def test_its_spec_makes_it_again_through_json(self, rig: Rig, make: Callable[[ScorerSpec], Scorer]) -> None:
        scorer = make(rig.spec)

        again = make(msgspec.json.decode(msgspec.json.encode(scorer.spec), type=ScorerSpec))

        assert scorer.spec == again.spec
        assert (scorer.meaning, scorer.is_binary, scorer.version) == (again.meaning, again.is_binary, again.version)
        assert scorer.spec.name == rig.spec.name
        assert scorer.spec.options.items() <= dict(rig.spec.options).items()  # defaults are left out

    def test_an_option_that_it_lacks_is_refused_by_name(self, rig: Rig, make: Callable[[ScorerSpec], Scorer]) -> None:
        with pytest.raises(ConfigurationError, match=f"{rig.spec.name!r} has no option 'nonsense'"):
            make(ScorerSpec(name=rig.spec.name, options={**rig.spec.options, "nonsense": 1}))
