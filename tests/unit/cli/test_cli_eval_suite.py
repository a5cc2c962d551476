"""``trimtab eval suite``: what a person sees of a suite, and of what is wrong with one."""

from pathlib import Path

import pytest
from tests.support.cli import Cli, command_line

HEAD = '{"suite": "office", "version": "1", "plan": {"margin": 0.05}}\n'
CASE = '{"case_id": "a", "prompt": "2 + 2 =", "expected": "4", "stratum": "routine"}\n'


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return command_line(tmp_path, monkeypatch, capsys)


def test_a_suite_is_shown_with_what_its_margin_takes(cli: Cli) -> None:
    Path("s.jsonl").write_text(HEAD + CASE)

    shown = cli("eval", "suite", "show", "s.jsonl", "--json").json()

    assert (shown["suite"], shown["n_cases"], shown["plan"]["margin"]) == ("office", 1, 0.05)
    assert shown["strata"][0]["n_needed"] == 248
    assert shown["digest"][:12] in cli("eval", "suite", "show", "s.jsonl").out


def test_check_says_everything_and_exits_2(cli: Cli) -> None:
    Path("s.jsonl").write_text(HEAD + CASE + CASE + "x\n")

    said = cli("eval", "suite", "check", "s.jsonl", expect=2)
    checked = cli("eval", "suite", "check", "s.jsonl", "--json", expect=2).json()

    assert [line.split(": ")[0] for line in said.out.splitlines()] == ["s.jsonl:3", "s.jsonl:4", "s.jsonl"]
    assert [problem["line"] for problem in checked[0]["problems"]] == [3, 4]
    assert (checked[0]["is_usable"], checked[0]["n_cases"], checked[0]["n_skipped"]) == (False, 1, 2)


def test_check_of_a_good_suite_exits_0_and_of_a_missing_file_2(cli: Cli) -> None:
    Path("s.jsonl").write_text(HEAD + CASE)

    assert "nothing to correct" in cli("eval", "suite", "check", "s.jsonl").out
    assert "cannot be read" in cli("eval", "suite", "check", "s.jsonl", "nope.jsonl", expect=2).out


def test_lines_are_left_out_only_when_asked_and_counted_aloud(cli: Cli) -> None:
    Path("s.jsonl").write_text(HEAD + CASE + "x\n")

    assert "s.jsonl:3" in cli("eval", "suite", "show", "s.jsonl", expect=2).err
    assert "1 line of s.jsonl left out" in cli("eval", "suite", "show", "s.jsonl", "--skip-invalid").err
