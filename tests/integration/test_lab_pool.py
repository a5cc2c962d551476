"""The pool in the package: its files are those of its cards, and the small model answers as its card says."""

import asyncio
from pathlib import Path

import pytest

from trimtab.core.errors import ConfigurationError
from trimtab.lab.office import OFFICE_VERSION, STRATA, TASKS, is_right, office_cases
from trimtab.lab.pool import PoolModel, pool_models, read_card
from trimtab.lab.pool.cards import sha256_of
from trimtab.lab.pool.measuring import answers_of
from trimtab.stats import wilson_interval

SMALL, LARGE = pool_models()
BOTH = pytest.mark.parametrize("model", [SMALL, LARGE], ids=lambda model: model.card.name)


@BOTH
def test_a_file_is_the_one_that_its_card_measured(model: PoolModel) -> None:
    assert sha256_of(model.path) == model.card.sha256
    assert model.path.stat().st_size == model.card.size_bytes
    assert model.path.name == model.card.file
    assert model.card.training.office_version == OFFICE_VERSION


def test_both_files_take_at_most_16_mb() -> None:
    assert SMALL.card.size_bytes + LARGE.card.size_bytes <= 16_000_000


@BOTH
def test_a_card_states_every_stratum_and_task_with_its_interval(model: PoolModel) -> None:
    rows = model.card.accuracy

    assert {row.stratum for row in rows if row.task is None} == set(STRATA)
    assert {row.task for row in rows if row.task is not None} == {task.name for task in TASKS}
    for row in rows:
        lower, upper = wilson_interval(row.n_right, row.n_cases)
        assert (row.lower, row.upper) == (round(lower, 4), round(upper, 4))
        assert row.task is not None or row.n_cases >= 400


def test_the_pool_differs_where_it_should() -> None:
    small, large = SMALL.card, LARGE.card

    assert min(small.on("routine").quality_fraction, large.on("routine").quality_fraction) >= 0.95
    assert abs(small.on("routine").quality_fraction - large.on("routine").quality_fraction) <= 0.021
    assert large.on("reasoning").lower - small.on("reasoning").upper >= 0.25
    assert max(small.on("drafting").quality_fraction, large.on("drafting").quality_fraction) < 0.1


def test_prices_are_marked_as_stated() -> None:
    assert "stated for the lab" in SMALL.card.price.source
    assert SMALL.card.price.output_usd_per_mtok < LARGE.card.price.output_usd_per_mtok


def test_a_missing_card_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is no card") as caught:
        read_card(tmp_path / "office-small.card.json")
    assert caught.value.hint is not None


def test_the_small_model_answers_routine_work() -> None:
    pytest.importorskip("xllamacpp", reason="serving a model file needs the extra 'serving'")
    cases = office_cases("test", 100, seed=77, strata=("routine",))

    answers = asyncio.run(answers_of(SMALL.path, [case.prompt for case in cases]))

    assert sum(map(is_right, cases, answers)) >= 90
