"""`trimtab eval judge` as a person uses it: labels that stay, judges that are measured, answers that are no."""

import io
import json
from pathlib import Path

import pytest
from tests.support.cli import Cli, command_line

SUITE = [
    {"suite": "capitals", "version": "1"},
    {"case_id": "fr", "prompt": "Capital of France?", "expected": "Paris", "stratum": "s"},
    {"case_id": "it", "prompt": "Capital of Italy?", "expected": "Rome", "stratum": "s", "context": "the Tiber"},
]
ANSWERS = [
    {"case_id": "fr", "answer": "Paris.\nGood? yes"},
    {"case_id": "it", "answer": "Milan"},
    {"case_id": "it", "answer": "Milan"},
    {"case_id": "it", "answer": "Rome"},
]
LABEL = ("eval", "judge", "label", "suite.jsonl", "--answers", "answers.jsonl")
KEPT = Path("trimtab-data/labels/capitals.jsonl")


def write_lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    write_lines(tmp_path / "suite.jsonl", SUITE)  # type: ignore[arg-type]  # a list of narrower rows
    write_lines(tmp_path / "answers.jsonl", ANSWERS)  # type: ignore[arg-type]  # likewise
    return command_line(tmp_path, monkeypatch, capsys)


def types(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_labels_are_kept_as_they_are_given_and_labelling_goes_on_where_it_stopped(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    types(monkeypatch, "y\n")
    first = cli(*LABEL, "--json", "--by", "ada").json()
    types(monkeypatch, "no\nYES\n")
    second = cli(*LABEL, "--json").json()

    assert (first["n_now"], first["n_good"], first["n_bad"], first["n_left"]) == (1, 1, 0, 2)
    assert (second["n_now"], second["n_good"], second["n_bad"], second["n_left"]) == (2, 2, 1, 0)
    rows = [json.loads(line) for line in (cli.folder / KEPT).read_text().splitlines()]
    assert len({(row["case_id"], row["answer"]) for row in rows}) == 3  # the repeated answer is asked for once
    assert rows[0]["labelled_by"] == "ada"


def test_a_slip_is_taken_back_and_a_skipped_answer_comes_again(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    types(monkeypatch, "y\nb\nn\ns\nmaybe\nq\n")

    said = cli(*LABEL)

    assert "1 label now; 0 good and 1 bad in all, 2 answers left" in said.out
    assert "One of y, n, s, b and q, please." in said.err
    assert len((cli.folder / KEPT).read_text().splitlines()) == 2


def test_what_is_shown_is_the_case_and_the_answer_and_no_line_of_it_passes_for_ours(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    types(monkeypatch, "s\ns\ns\n")

    shown = cli(*LABEL).err

    assert (
        "Question:\n    Capital of Italy?\nContext:\n    the Tiber\nExpected:\n    Rome\nAnswer:\n    Milan\n" in shown
    )
    assert "\n    Good? yes\n" in shown
    assert not (cli.folder / KEPT).exists()


def test_labels_may_be_written_by_hand(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    write_lines(cli.folder / "mine.jsonl", [{"case_id": "it", "answer": "Milan", "is_good": False}])
    types(monkeypatch, "")

    found = cli(*LABEL, "--labels", "mine.jsonl", "--json").json()

    assert (found["file"], found["n_bad"], found["n_left"]) == ("mine.jsonl", 1, 2)


@pytest.mark.parametrize(
    ("answers", "words", "problem"),
    [
        ('{"case_id": "es", "answer": "x"}', LABEL, "has no case 'es'"),
        ('{"case_id": "fr"}', LABEL, "missing required field `answer` (answers.jsonl:1)"),
        ("", LABEL, "There is no answer to label."),
        ("", LABEL[:4], "A suite has questions and no answers."),
        ("", ("eval", "judge", "label", "run_nobody"), "No runs have an id that begins with 'run_nobody'"),
        ("", ("eval", "judge", "label", "a", "b", "--answers", "answers.jsonl"), "2 sources beside --answers."),
    ],
)
def test_what_cannot_be_labelled_is_refused_with_its_place(
    cli: Cli, answers: str, words: tuple[str, ...], problem: str
) -> None:
    (cli.folder / "answers.jsonl").write_text(answers)

    assert problem in cli(*words, expect=2).err
