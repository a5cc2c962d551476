"""Judges that really compute: a small model that knows nothing is asked, and no gate believes it."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.service import run_cli, write_config
from tests.support.tiny_gguf import write_tiny_model

from trimtab.lab import pool_models

pytest.importorskip("xllamacpp", reason="llama.cpp is the extra `serving`")


def configure(folder: Path, path: Path) -> None:
    write_config(
        folder,
        providers=[],
        engines=[{"name": "local", "kind": "llama_cpp", "path": str(path), "model": "m", "slots": 2, "threads": 1}],
        models=[{"provider": "local", "model": "m", "boundary": "inside"}],
        policy="policy: any\norganisation: {sensitivity: internal}\n",
    )
    judge = {"name": "judge", "options": {"model": "local:m", "criteria": ["Names the capital of France."]}}
    case = {"case_id": "fr", "prompt": "Capital of France?", "expected": "Paris", "stratum": "s"}
    write_lines(folder / "suite.jsonl", [{"suite": "capitals", "version": "1", "plan": {"scorer": judge}}, case])
    answers = ("Paris", "paris.", "It is Paris.")
    write_lines(folder / "labels.jsonl", [{"case_id": "fr", "answer": one, "is_good": True} for one in answers])


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def card(folder: Path) -> Any:
    words = ("eval", "judge", "card", "suite.jsonl", "--labels", "labels.jsonl", "--attacks", "0", "--pairs", "0")
    (found,) = json.loads(run_cli(folder, *words, "--json").stdout)
    return found


def test_a_model_of_random_weights_is_asked_twice_cannot_be_read_and_is_refused(tmp_path: Path) -> None:
    configure(tmp_path, write_tiny_model(tmp_path / "tiny.gguf", context_tokens=8192))

    found = card(tmp_path)

    assert (found["card"]["n_unparsable"], found["card"]["n_asked"]) == (3, 6)
    assert found["admission"]["outcome"] == "refused"  # none of three: at most 0.56, which is below 0.7
    checked = run_cli(tmp_path, "eval", "judge", "check", "suite.jsonl", "--kept", expect=1)
    assert "Gates        refused" in checked.stdout


def test_the_embedded_model_whose_context_is_too_short_for_a_judge_is_not_admitted(tmp_path: Path) -> None:
    small, _ = pool_models()
    configure(tmp_path, small.path)

    found = card(tmp_path)

    assert (found["card"]["n_unanswered"], found["admission"]["outcome"]) == (3, "insufficient_labels")
    why = "the judge gave no answer: policy_refused, on 3 of 3 labelled answers; at most 10% may"
    assert why in found["admission"]["reasons"]
