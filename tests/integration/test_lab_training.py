"""Training: a run that was cut off ends with the same weights, and the reduced pool reaches its stated accuracy."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra 'lab'")
pytest.importorskip("transformers", reason="training needs the extra 'lab'")

from trimtab.lab.pool import read_card
from trimtab.lab.training import FAST, FAST_FLOOR, train_model, train_pool

TINY = replace(
    FAST, name="tiny", width=32, n_layers=1, n_heads=2, feed_forward_width=64, n_steps=6, n_drill_steps=2,
    batch_tokens=256, vocabulary_size=400,
)  # fmt: skip


class Cut(Exception):
    """As a kill would: in the middle of training."""


def test_a_run_that_was_cut_off_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole = train_model(TINY, tmp_path / "whole", say=_silent)

    lines: list[str] = []

    def cut(line: str) -> None:
        lines.append(line)
        if len(lines) == 4:
            raise Cut

    with pytest.raises(Cut):
        train_model(TINY, tmp_path / "cut", say=cut, say_every_s=0, checkpoint_every_s=0)
    resumed = train_model(TINY, tmp_path / "cut", say=lines.append)

    assert "going on at step 3" in lines[4]
    assert "left" in lines[0]
    assert (resumed.n_tokens, resumed.loss) == (whole.n_tokens, whole.loss)
    assert _weights(resumed.folder) == _weights(whole.folder)
    assert not (tmp_path / "cut/checkpoint.pt").exists()


def test_a_checkpoint_of_another_recipe_is_not_used(tmp_path: Path) -> None:
    lines: list[str] = []

    def cut(line: str) -> None:
        lines.append(line)
        if len(lines) == 2:
            raise Cut

    with pytest.raises(Cut):
        train_model(TINY, tmp_path, say=cut, say_every_s=0, checkpoint_every_s=0)
    train_model(replace(TINY, seed=2), tmp_path, say=lines.append)

    assert "is of another recipe and is not used" in lines[2]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_reduced_pool_reaches_its_stated_accuracy(tmp_path: Path) -> None:
    # One thread: beside other tests two wait for each other, and took 600 s once where one takes 200.
    (model,) = train_pool([FAST], tmp_path, say=_silent, n_cases=200, n_threads=1)

    assert model.card.on("routine").quality_fraction >= FAST_FLOOR
    assert read_card(tmp_path / "office-fast.card.json") == model.card
    assert model.path.stat().st_size == model.card.size_bytes < 4_000_000


def _silent(line: str) -> None:
    pass


def _weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()
