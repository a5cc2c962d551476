"""`trimtab models export`: GGUF from Hugging Face weights, and how close it comes, on its card."""

import json
from pathlib import Path

import pytest
from tests.support.service import run_cli

pytest.importorskip("torch", reason="the comparison needs the extra `lab`")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.support.tiny_llama import save_adapter, save_model, save_tokenizer

    folder = tmp_path_factory.mktemp("export")
    save_model(folder / "llama", save_tokenizer(folder / "llama"), tied=False)
    save_adapter(folder / "notes")
    return folder


def test_s27_an_export_is_the_same_model_and_its_card_says_how_closely(weights: Path, tmp_path: Path) -> None:
    done = run_cli(
        tmp_path, "models", "export", str(weights / "llama"), "--out", "llama-f16.gguf", "--verify", "--also", "q8_0",
        "--adapter", str(weights / "notes"), "--json",
    )  # fmt: skip

    exported = json.loads(done.stdout)
    assert exported["is_same_model"] is True
    rows = {row["name"]: row for row in exported["parity"]}
    assert list(rows) == ["llama-f16", "llama-q8_0", "llama-f16 + notes", "llama-q8_0 + notes"]
    assert rows["llama-f16 + notes"]["max_logprob_difference"] < 0.05
    card = json.loads(run_cli(tmp_path, "models", "card", "llama-f16", "--json").stdout)
    assert card["digest"] == exported["digest"]
    assert [row["name"] for row in card["facts"]["parity"]] == ["llama-f16", "llama-f16 + notes"]
    variant = json.loads(run_cli(tmp_path, "models", "card", "llama-q8_0", "--json").stdout)
    assert (variant["parent_digest"], variant["gate_outcome"]) == (card["digest"], "unjudged")
    shown = run_cli(tmp_path, "models", "card", card["digest"][:10]).stdout
    assert "trimtab export f16" in shown
    assert "llama-f16 + notes" in shown


def test_a_card_that_is_not_there_says_where_to_look(tmp_path: Path) -> None:
    done = run_cli(tmp_path, "models", "card", "nobody", expect=2)
    assert "no registered file is called 'nobody'" in done.stderr
    assert "trimtab models variants" in done.stderr
