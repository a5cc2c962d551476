"""Scorers that stand on something else: an embedder, or other scorers."""

import math
from collections.abc import Sequence

import pytest
from tests.support.scorer_suite import graded

from trimtab.core.errors import ConfigurationError, UpstreamTimeout
from trimtab.evaluation import Case, Score, Scorer, ScorerSpec, scorer_for, user_prompt
from trimtab.evaluation.case import ScorerOption
from trimtab.evaluation.scoring.embedding import Embed


def expecting(text: str) -> Case:
    return Case(case_id="a", messages=user_prompt("?"), expected=text, stratum="routine")


def composite(*scorers: str | ScorerSpec, **options: ScorerOption) -> Scorer:
    return scorer_for(ScorerSpec(name="composite", options={"scorers": scorers, **options}))


def scripted(vectors: Sequence[Sequence[float]]) -> Embed:
    async def embed(texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return vectors

    return embed


def by_model(embed: Embed, **options: ScorerOption) -> Scorer:
    spec = ScorerSpec(name="embedding_similarity", options={"embedder": "local:embed", **options})
    return scorer_for(spec, embedders={"local:embed": embed}.__getitem__)


def test_similarity_is_the_cosine_of_what_the_pools_model_gives() -> None:
    found = graded(by_model(scripted([[3.0, 4.0], [4.0, 3.0]])), expecting("a"), "b")

    assert found.value == 0.96
    assert graded(by_model(scripted([[3.0, 4.0], [4.0, 3.0]]), floor=0.8), expecting("a"), "b").value == pytest.approx(
        0.8
    )
    assert graded(by_model(scripted([[1.0, 0.0], [-1.0, 0.0]])), expecting("a"), "b").value == 0


@pytest.mark.parametrize(
    "vectors",
    [[[1.0]], [[1.0], [1.0, 2.0]], [[0.0], [1.0]], [[math.nan], [1.0]], [[math.inf], [1.0]]],
    ids=["too few", "lengths", "zero", "nan", "inf"],
)
def test_vectors_that_cannot_be_compared_leave_no_score(vectors: list[list[float]]) -> None:
    found = graded(by_model(scripted(vectors)), expecting("a"), "b")

    assert found.value is None
    assert "the embedder gave" in str(found.why)


def test_an_embedder_that_fails_leaves_no_score() -> None:
    async def embed(texts: Sequence[str]) -> Sequence[Sequence[float]]:
        raise UpstreamTimeout("too late")

    assert graded(by_model(embed), expecting("a"), "b") == Score(value=None, why="no embedding: upstream_timeout")


def test_a_model_that_nobody_can_ask_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"asks the model 'local:embed', and none can be asked here") as caught:
        scorer_for(ScorerSpec(name="embedding_similarity", options={"embedder": "local:embed"}))
    assert caught.value.hint == "The embedder 'tfidf' needs no model."


def test_rare_words_weigh_more_where_the_suites_texts_are_known() -> None:
    texts = [f"the {word}" for word in ("cat", "dog", "fox", "hen")]
    plain = scorer_for(ScorerSpec(name="embedding_similarity"))
    weighed = scorer_for(ScorerSpec(name="embedding_similarity"), texts=texts)

    common = (
        graded(plain, expecting("the cat"), "the dog").value,
        graded(weighed, expecting("the cat"), "the dog").value,
    )
    # 4 features a word, "the" in all 4 texts at weight 1, the others in one at ln(5/2) + 1
    rare = (math.log(5 / 2) + 1) ** 2
    assert common == pytest.approx((0.5, 1 / (1 + rare)), abs=1e-9)


def test_the_mean_is_weighed() -> None:
    scorer = composite("exact_match", "token_f1", weights=(1.0, 3.0))

    found = graded(scorer, expecting("a b"), "a")

    assert found.value == pytest.approx(0.5)  # (0 + 3 * 2/3) / 4
    assert found.why == "exact_match 0; token_f1 0.667"


def test_all_must_reach_the_bar() -> None:
    scorer = composite("contains", "token_f1", combine="all", bar=0.6)

    assert graded(scorer, expecting("a b"), "a b c").value == 1  # F1 is 4/5
    assert graded(scorer, expecting("a b"), "a b c d e f").value == 0  # F1 is 1/2
    assert scorer.is_binary
    assert not composite("contains", "token_f1").is_binary


def test_a_part_that_cannot_tell_leaves_no_mean_and_no_pass_but_a_failed_part_decides() -> None:
    assert graded(composite("numeric", "exact_match"), expecting("x"), "x").value is None
    assert graded(composite("numeric", "exact_match", combine="all"), expecting("x"), "x").value is None
    assert graded(composite("numeric", "exact_match", combine="all"), expecting("x"), "y").value == 0


def test_parts_have_options_and_may_be_composites_themselves() -> None:
    near = ScorerSpec(name="numeric", options={"absolute": 1.0})
    inner = ScorerSpec(name="composite", options={"scorers": (near, "contains"), "combine": "all"})
    scorer = composite(inner, "exact_match")

    assert graded(scorer, expecting("5"), "5 or 6").value == 0.5
    assert scorer.spec.options["scorers"] == (inner, "exact_match")


def test_costs_add_up_and_versions_grow_with_the_parts() -> None:
    class Judge:
        spec, meaning, is_binary, version = ScorerSpec(name="judge"), "", True, 3

        async def score(self, case: Case, answer: str) -> Score:
            return Score(value=1.0, cost_nano_usd=7)

    spec = ScorerSpec(name="composite", options={"scorers": ("judge", "judge", "exact_match")})
    scorer = scorer_for(spec, judges=lambda _: Judge())

    assert scorer.version == 5
    assert graded(scorer, expecting("x"), "x").cost_nano_usd == 14


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"scorers": ()}, "scorers are 1 to 20"),
        ({}, "missing required field `scorers`"),
        ({"scorers": ("numeric",), "weights": (1.0, 1.0)}, "weights are one for each scorer"),
        ({"scorers": ("numeric",), "weights": (0.0,)}, "not all 0"),
        ({"scorers": ("numeric",), "weights": (-1.0,)}, "not negative"),
        ({"scorers": ("numeric",), "combine": "all", "weights": (1.0,)}, "for mean only"),
        ({"scorers": ("numeric",), "bar": 0.5}, "for all only"),
        ({"scorers": ("numerical",)}, "No scorer is called 'numerical'"),
        ({"scorers": ("judge",)}, "asks a model, and none can be asked here"),
        ({"scorers": (1.5,)}, "Expected `str | object`, got `float`"),
    ],
)
def test_parts_that_make_no_sense_are_refused(options: dict[str, ScorerOption], rule: str) -> None:
    with pytest.raises(ConfigurationError, match=rule.replace("|", r"\|")):
        scorer_for(ScorerSpec(name="composite", options=options))
