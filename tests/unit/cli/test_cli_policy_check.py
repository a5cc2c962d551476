import json
from pathlib import Path

import pytest

from trimtab.cli.frame import run

CONFIG = """
providers: [{name: local, kind: openai, base_url: "http://127.0.0.1:1/v1"}]
models:
  - {provider: local, model: small, boundary: inside}
  - {provider: local, model: large, boundary: inside}
"""
GOOD = """
policy: good
rules:
  - id: code-large
    when: {task_type: code}
    then: {models: {allow: ["local:large", "local:small"]}}
tests:
  - name: code may go to large
    facts: {task_type: code}
    expect: {model_allowed: ["local:large"], rule: code-large}
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRIMTAB_CONFIG", raising=False)
    (tmp_path / "trimtab.yaml").write_text(CONFIG)
    (tmp_path / "good.yaml").write_text(GOOD)


def test_a_sound_policy_passes_and_makes_no_database(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["policy", "lint", "good.yaml"]) == 0
    assert run(["policy", "test", "good.yaml"]) == 0

    assert "1 passed, 0 failed" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good.yaml", "trimtab.yaml"]


def test_a_policy_that_cannot_be_read_is_named_by_file_and_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "bad.yaml").write_text("policy: bad\norganisation:\n  modle: eco\n")

    assert run(["policy", "lint", "bad.yaml"]) == 1
    assert capsys.readouterr().out.startswith("bad.yaml:3: error: unknown key 'modle'")


def test_lint_names_an_unknown_model_and_the_failed_test(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(
        GOOD.replace("local:large", "local:lrage").replace("policy: good", "policy: bad")
    )

    assert run(["policy", "lint", "bad.yaml", "good.yaml", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)

    assert {row["code"] for row in found if row["is_error"]} == {"unknown-model", "failed-test"}
    assert {row["where"] for row in found if row["code"] == "unknown-model"} == {"bad.yaml:6"}
    assert any("'local:large'" in row["hint"] for row in found)


def test_a_failed_test_says_what_came_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(GOOD.replace("expect: {model_allowed", "expect: {refused: true, model_allowed"))

    assert run(["policy", "test", "bad.yaml"]) == 1
    assert "FAILED  bad.yaml:8  code may go to large: The call is allowed" in capsys.readouterr().out


def test_without_a_configuration_models_are_not_checked_and_that_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "trimtab.yaml").unlink()

    assert run(["policy", "lint", "good.yaml"]) == 0
    assert "were not checked" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_an_error_of_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "lint", "nowhere.yaml"]) == 2
    assert "nowhere.yaml cannot be read: No such file" in capsys.readouterr().err


def test_the_schema_is_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Trimtab policy"
