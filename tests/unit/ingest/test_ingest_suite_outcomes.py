"""Recorded outcomes become a suite and one run a model."""

import re
from pathlib import Path

import msgspec
import pytest

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import compare_runs, load_suite, save_suite
from trimtab.ingest.suites import OutcomeChoice, SuiteOptions, read_groups, read_outcome_suite

OPTIONS = SuiteOptions(name="s")
ALL = OutcomeChoice()


def row(prompt_id: str, model: str, score: float | None, **fields: object) -> dict[str, object]:
    return {"prompt_id": prompt_id, "dataset": "d", "prompt": f"{prompt_id}?", "model": model, "score": score, **fields}


def written(tmp_path: Path, *rows: dict[str, object], name: str = "o.jsonl") -> Path:
    path = tmp_path / name
    path.write_bytes(b"\n".join(map(msgspec.json.encode, rows)))
    return path


def test_each_model_becomes_a_run_over_the_same_cases(tmp_path: Path) -> None:
    figures = {"input_tokens": 7, "output_tokens": 2, "cost_usd": 0.00268, "latency_ms": 12.5, "answer": "18"}
    path = written(
        tmp_path,
        row("a", "strong", 1, **figures),
        row("a", "weak", 0),
        row("b", "strong", 1, task_type="math"),
        row("b", "weak", 1, task_type="math"),
    )

    imported = read_outcome_suite([path], OPTIONS, ALL)

    suite, (strong, weak) = imported.reading.required(), imported.runs
    assert [(case.case_id, case.stratum, case.task_type) for case in suite.cases] == [
        ("d:a", "d", "unknown"),
        ("d:b", "d", "math"),
    ]
    answer = strong.results[0].answer
    assert answer is not None
    assert (answer.text, answer.cost_nano_usd, answer.latency_ms) == ("18", 2_680_000, 12.5)
    assert (answer.input_tokens, answer.output_tokens) == (7, 2)
    assert (strong.model, strong.scorer, strong.is_binary) == ("recorded:strong", "recorded", True)
    comparison = compare_runs(strong, weak, margin=0.1)
    assert (comparison.overall.n_pairs, comparison.overall.difference) == (2, -0.5)


def test_a_prompt_that_not_every_model_has_a_score_for_is_left_out_and_counted(tmp_path: Path) -> None:
    path = written(
        tmp_path, row("a", "m", 1), row("a", "n", 1), row("b", "m", 1), row("b", "n", None), row("c", "n", 1)
    )

    imported = read_outcome_suite([path], OPTIONS, ALL)

    assert [case.case_id for case in imported.reading.required().cases] == ["d:a"]
    assert imported.left_out == {"prompts that not every model has a score for": 2}


def test_the_first_row_of_a_prompt_and_model_counts(tmp_path: Path) -> None:
    path = written(tmp_path, row("a", "m", 1), row("a", "m", 0))

    (run,) = read_outcome_suite([path], OPTIONS, ALL).runs

    assert [result.score for result in run.results] == [1.0]


def test_models_and_datasets_can_be_chosen(tmp_path: Path) -> None:
    path = written(
        tmp_path, row("a", "m", 1), row("a", "n", 1), row("a", "o", 1), row("b", "m", 1, dataset="e"), row("b", "o", 0)
    )
    choice = OutcomeChoice(datasets=frozenset({"d"}), models=("o", "m"))

    imported = read_outcome_suite([path], OPTIONS, choice)

    assert [run.model for run in imported.runs] == ["recorded:o", "recorded:m"]
    assert [case.case_id for case in imported.reading.required().cases] == ["d:a"]
    assert imported.left_out["of another dataset"] == 1
    with pytest.raises(ConfigurationError, match="no outcome of model 'x'"):
        read_outcome_suite([path], OPTIONS, OutcomeChoice(models=("x",)))


def test_strata_come_from_a_column_a_pattern_or_groups(tmp_path: Path) -> None:
    path = written(tmp_path, row("x-law-1", "m", 1, level="3"), row("x-art-2", "m", 0, level="4"))
    (tmp_path / "g.yaml").write_text("letters: [law]\n")
    pattern = re.compile(r"x-(.+)-\d")

    def strata(options: SuiteOptions, choice: OutcomeChoice) -> tuple[str, ...]:
        return read_outcome_suite([path], options, choice).reading.required().strata

    assert strata(SuiteOptions(name="s", mapping={"stratum": "level"}), ALL) == ("3", "4")
    assert strata(OPTIONS, OutcomeChoice(pattern=pattern)) == ("art", "law")
    grouped = OutcomeChoice(pattern=pattern, groups=read_groups(tmp_path / "g.yaml"))
    assert strata(OPTIONS, grouped) == ("letters",)
    assert read_outcome_suite([path], OPTIONS, grouped).left_out == {"in a stratum that --group leaves out": 1}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"score": 7}, "score is '7', not between 0 and 1"),
        ({"prompt": None}, "prompt is missing"),
        ({"model": None}, "model is missing"),
        ({"prompt_id": None}, "prompt_id is missing"),
        ({"input_tokens": -1}, "input_tokens is '-1'"),
    ],
)
def test_a_row_that_is_no_outcome_is_named(tmp_path: Path, change: dict[str, object], rule: str) -> None:
    path = written(tmp_path, row("a", "m", 1), {**row("b", "m", 1), **change})

    reading = read_outcome_suite([path], OPTIONS, ALL).reading

    assert [(problem.place, rule in problem.rule) for problem in reading.problems] == [(f"{path}:2", True)]
    assert len(reading.required(skip_invalid=True).cases) == 1


def test_a_pattern_that_does_not_fit_is_a_problem_unless_a_stratum_is_given(tmp_path: Path) -> None:
    path, choice = written(tmp_path, row("a", "m", 1)), OutcomeChoice(pattern=re.compile("x"))

    (problem,) = read_outcome_suite([path], OPTIONS, choice).reading.problems
    rest = read_outcome_suite([path], SuiteOptions(name="s", stratum="rest"), choice)

    assert "does not fit the pattern" in problem.rule
    assert rest.reading.required().strata == ("rest",)


def test_groups_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    for text, said in (("a: b", "cannot be read"), ("a: [x]\nb: [x]", "in two groups"), ("{", "cannot be read")):
        (tmp_path / "g.yaml").write_text(text)
        with pytest.raises(ConfigurationError, match=said):
            read_groups(tmp_path / "g.yaml")


def test_the_suite_comes_back_from_its_file_though_nothing_is_expected(tmp_path: Path) -> None:
    suite = read_outcome_suite([written(tmp_path, row("a", "m", 1))], OPTIONS, ALL).reading.required()

    save_suite(suite, tmp_path / "s.jsonl")

    assert load_suite(tmp_path / "s.jsonl").digest == suite.digest
