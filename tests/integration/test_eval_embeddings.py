"""Answers graded by an embedding model of the pool, which answers from recorded vectors."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.cli import Cli, command_line
from tests.support.service import write_config

VECTORS = {"a dog": [3.0, 4.0], "a hound": [4.0, 3.0], "a cat": [-4.0, 3.0]}
"""The cosine of dog and hound is 24/25, of dog and cat 0."""


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    rows: list[dict[str, Any]] = [
        {"prompt_id": f"p{i}", "model": "chat", "prompt": f"Which {i}?", "response_text": said}
        for i, said in enumerate(("a hound", "a cat", "a bird"))
    ]
    rows += [
        {"prompt_id": text, "model": "embed", "prompt": text, "embedding": vector} for text, vector in VECTORS.items()
    ]
    (tmp_path / "outcomes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    models: list[dict[str, Any]] = [
        {"provider": "past", "model": "chat", "boundary": "inside"},
        {"provider": "past", "model": "embed", "boundary": "inside", "capabilities": ["embeddings"]},
    ]
    provider = {"name": "past", "kind": "recorded", "path": "outcomes.jsonl"}
    write_config(
        tmp_path, providers=[provider], models=models, policy="policy: any\norganisation: {sensitivity: internal}\n"
    )
    return command_line(tmp_path, monkeypatch, capsys)


def write_suite(embedder: str) -> None:
    scorer = {"name": "embedding_similarity", "options": {"embedder": embedder}}
    lines: list[dict[str, Any]] = [{"suite": "s", "version": "1", "plan": {"scorer": scorer}}]
    lines += [
        {"case_id": f"c{i}", "prompt": f"Which {i}?", "expected": "a dog", "stratum": "routine"} for i in range(3)
    ]
    Path("suite.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_answers_are_as_right_as_their_vectors_are_near(cli: Cli) -> None:
    write_suite("past:embed")

    said = cli("eval", "run", "--suite", "suite.jsonl", "--models", "past:chat", "--yes", "--json")

    (run,) = said.json()["runs"]
    assert run["n_answered"] == 3
    # The third answer has no recorded vector, so it has no score.
    assert (run["quality"]["n_samples"], run["quality"]["mean"]) == (2, pytest.approx((24 / 25 + 0) / 2))
    apis = [call["api"] for call in cli("calls", "list", "--json").json()]
    assert (apis.count("chat_completions"), apis.count("embeddings")) == (3, 3)


def test_a_model_without_embeddings_is_refused_before_anything_is_asked(cli: Cli) -> None:
    write_suite("past:chat")

    said = cli("eval", "run", "--suite", "suite.jsonl", "--models", "past:chat", "--yes", expect=2).err

    assert "Model past:chat makes no embeddings." in said.replace("'", "")
    assert cli("calls", "list", "--json").json() == []
