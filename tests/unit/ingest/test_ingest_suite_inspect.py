"""Logs of Inspect AI become a suite and recorded runs."""

import math
from pathlib import Path

import pytest
from tests.support.inspect_logs import header, sample, write_eval_log, write_json_log

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Message, compare_runs, user_prompt
from trimtab.ingest.suites import SuiteOptions, read_inspect_suite

OPTIONS = SuiteOptions(name="s")


def test_every_form_of_a_log_gives_the_same_suite_and_run(tmp_path: Path) -> None:
    samples = [sample(1, "C"), sample(2, "I", metadata={"category": "odd"})]
    paths = [
        write_json_log(tmp_path / "a.json", header(), samples),
        write_eval_log(tmp_path / "a.eval", header(), samples),
        write_eval_log(tmp_path / "b.eval", header(), samples, zstd=True),
    ]

    found = [read_inspect_suite([path], OPTIONS) for path in paths]

    first = found[0]
    suite, (run,) = first.reading.required(), first.runs
    assert {each.reading.required().digest for each in found} == {suite.digest}
    assert {each.runs[0].results for each in found} == {run.results}
    assert [(case.case_id, case.expected, case.stratum) for case in suite.cases] == [
        ("1", "target 1", "even"),
        ("2", "target 2", "odd"),
    ]
    assert (run.model, run.scorer, run.is_binary) == ("openai:gpt-4o", 'recorded{"by":"inspect/match"}', True)
    assert [(result.score, result.why) for result in run.results] == [(1.0, "as graded"), (0.0, "as graded")]
    answer = run.results[0].answer
    assert answer is not None
    assert (answer.text, answer.input_tokens, answer.output_tokens, answer.latency_ms) == ("answer 1", 10, 2, 500.0)
    assert run.options["temperature"] == 0.0
    assert run.started_at_us == 1767323046_000000  # stats.started_at


def test_two_logs_are_two_runs_that_can_be_compared_on_what_both_have(tmp_path: Path) -> None:
    strong = write_eval_log(tmp_path / "a.eval", header(), [sample(n) for n in range(1, 4)])
    weak = write_eval_log(tmp_path / "b.eval", header("ollama/small"), [sample(1), sample(2, "I")])

    imported = read_inspect_suite([strong, weak], OPTIONS)

    assert imported.left_out == {"not in every log": 1}
    comparison = compare_runs(*imported.runs, margin=0.1)
    assert (comparison.overall.n_pairs, comparison.overall.difference) == (2, -0.5)


def test_the_model_is_asked_again_what_it_was_asked_then(tmp_path: Path) -> None:
    said = {"role": "assistant", "content": "B", "source": "generate"}
    templated = [{"role": "system", "content": "Brief."}, {"role": "user", "content": "Choose: 1?"}, said]
    samples = [
        sample(1, messages=templated, choices=["x", "y"]),
        sample(2, input=[{"role": "user", "content": [{"type": "text", "text": "attachment://h"}]}], messages=[])
        | {"attachments": {"h": "a long text"}, "choices": ["x", "y"]},
    ]

    first, second = (
        read_inspect_suite([write_json_log(tmp_path / "a.json", header(), samples)], OPTIONS).reading.required().cases
    )

    assert first.messages == (Message(role="system", content="Brief."), Message(role="user", content="Choose: 1?"))
    assert second.messages == user_prompt("a long text\nA) x\nB) y")


def test_epochs_are_repeated_samples_of_a_case(tmp_path: Path) -> None:
    samples = [sample(1, "C", epoch=1), sample(1, "I", epoch=2)]

    imported = read_inspect_suite([write_eval_log(tmp_path / "a.eval", header(), samples)], OPTIONS)

    assert len(imported.reading.required().cases) == 1
    assert [(result.sample, result.score) for result in imported.runs[0].results] == [(0, 1.0), (1, 0.0)]
    assert imported.runs[0].options["samples"] == 2


def test_a_sample_that_failed_is_an_answer_not_given_and_a_score_of_nan_is_none(tmp_path: Path) -> None:
    failed = sample(1, scores=None, output={"model": "m", "choices": []}, error={"message": "boom", "traceback": ""})
    log = write_json_log(tmp_path / "a.json", header(), [failed, sample(2, math.nan), sample(3, 0.25)])

    (run,) = read_inspect_suite([log], OPTIONS).runs

    assert [(each.error, each.score) for each in run.results] == [("sample_error", None), (None, None), (None, 0.25)]
    assert (run.n_failed, run.is_binary) == (1, False)


def test_cached_tokens_that_were_counted_apart_are_input_too(tmp_path: Path) -> None:
    usage = {"input_tokens": 10, "output_tokens": 2, "total_tokens": 112, "input_tokens_cache_read": 100}
    priced = usage | {"total_cost": 0.0125}
    log = write_json_log(tmp_path / "a.json", header(), [sample(1, model_usage={"openai/gpt-4o": priced})])

    answer = read_inspect_suite([log], OPTIONS).runs[0].results[0].answer

    assert answer is not None
    assert (answer.input_tokens, answer.cost_nano_usd) == (110, 12_500_000)


def test_metadata_gives_stratum_task_type_tags_and_cluster_by_name(tmp_path: Path) -> None:
    metadata = {"level": 3, "kind": "math", "doc": "d1"}
    log = write_json_log(tmp_path / "a.json", header(), [sample(1, metadata=metadata)])
    mapping = {"stratum": "level", "task_type": "kind", "tags": "kind,level", "cluster": "doc"}

    (case,) = read_inspect_suite([log], SuiteOptions(name="s", mapping=mapping)).reading.required().cases

    assert (case.stratum, case.task_type, case.cluster) == ("3", "math", "d1")
    assert case.tags == ("kind:math", "level:3", "cluster:d1")


def test_several_targets_are_each_right(tmp_path: Path) -> None:
    log = write_json_log(tmp_path / "a.json", header(), [sample(1, target=["four", "4"])])

    (case,) = read_inspect_suite([log], OPTIONS).reading.required().cases

    assert case.expected == "four\n4"
    assert case.scorer is not None
    assert (case.scorer.name, case.scorer.options) == ("contains", {"require": "any"})


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"target": ""}, "has no target"),
        ({"scores": {"match": {"value": {"a": 1}}}}, "not one number"),
        ({"scores": {"match": {"value": 7}}}, "not between 0 and 1"),
        ({"input": [{"role": "tool", "content": "x"}], "messages": []}, "turn of 'tool'"),
        ({"input": [{"role": "user", "content": [{"type": "image", "image": "x"}]}], "messages": []}, "type 'image'"),
        ({"id": None}, "no sample of an Inspect log"),
    ],
)
def test_a_sample_that_makes_no_case_is_named(tmp_path: Path, change: dict[str, object], rule: str) -> None:
    log = write_json_log(tmp_path / "a.json", header(), [sample(1), sample(2, **change)])  # type: ignore[arg-type]  # fields of any kind

    imported = read_inspect_suite([log], OPTIONS)

    (problem,) = imported.reading.problems
    assert (problem.place, rule in problem.rule) == (f"{log}:2", True), problem.rule
    assert imported.reading.suite is not None
    assert len(imported.runs[0].results) == 1


def test_a_file_that_is_no_log_is_refused(tmp_path: Path) -> None:
    damaged = write_eval_log(tmp_path / "d.eval", header(), [sample(1)])
    damaged.write_bytes(damaged.read_bytes()[:-40])
    (tmp_path / "x.json").write_text('{"a": 1}')
    (tmp_path / "y.json").write_text("no json")
    later = write_json_log(tmp_path / "z.json", header(version=3), [])

    for path in (damaged, tmp_path / "x.json", tmp_path / "y.json", later, tmp_path / "nowhere.eval"):
        with pytest.raises(ConfigurationError, match=str(path)):
            read_inspect_suite([path], OPTIONS)


def test_a_sample_that_was_asked_otherwise_in_another_log_is_left_out_and_counted(tmp_path: Path) -> None:
    one = write_json_log(tmp_path / "a.json", header(), [sample(1), sample(2)])
    other = write_json_log(tmp_path / "b.json", header("x/y"), [sample(1), sample(2, target="else")])

    imported = read_inspect_suite([one, other], OPTIONS)

    assert len(imported.reading.required().cases) == 1
    assert imported.left_out["asked or expected otherwise in another log"] == 1
