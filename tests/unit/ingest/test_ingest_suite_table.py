"""Tables of questions become suites; what is wrong with them is said with column and row."""

from pathlib import Path

import msgspec
import pytest

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Message
from trimtab.ingest.suites import SuiteOptions, read_table_suite

OPTIONS = SuiteOptions(name="s")


def table(tmp_path: Path, text: str, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def mapped(**columns: str) -> SuiteOptions:
    return SuiteOptions(name="s", mapping=columns)


def test_usual_column_names_are_understood_whatever_their_case(tmp_path: Path) -> None:
    columns = "ID,Question,System Prompt,Answer,Category,task_type,tags,context,cluster"
    text = f"{columns}\n7,2 + 2 =,Brief.,4,math,math,a;b,c,doc-1\n"

    suite = read_table_suite(table(tmp_path, text), OPTIONS).reading.required()

    (case,) = suite.cases
    assert (case.case_id, case.expected, case.stratum, case.task_type) == ("7", "4", "math", "math")
    assert case.messages == (Message(role="system", content="Brief."), Message(role="user", content="2 + 2 ="))
    assert (case.tags, case.cluster, case.context) == (("a", "b", "cluster:doc-1"), "doc-1", "c")


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = table(tmp_path, "frage,antwort,answer\nq,right,wrong\n")

    imported = read_table_suite(path, mapped(prompt="frage", expected="antwort"))

    assert imported.reading.required().cases[0].expected == "right"
    assert imported.notes == ("Columns: prompt=frage, expected=antwort",)


def test_rows_without_id_and_stratum_are_numbered_in_one_stratum(tmp_path: Path) -> None:
    path = table(tmp_path, "prompt,expected\nq,a\nr,b\n")

    cases = read_table_suite(path, OPTIONS).reading.required().cases

    assert [(case.case_id, case.stratum) for case in cases] == [("row-1", "all"), ("row-2", "all")]


def test_a_text_that_reads_like_nothing_is_still_an_answer(tmp_path: Path) -> None:
    path = table(tmp_path, "prompt,expected\nq,None\nr,null\ns,0042\n")

    cases = read_table_suite(path, OPTIONS).reading.required().cases

    assert [case.expected for case in cases] == ["None", "null", "0042"]


def test_json_lines_may_hold_conversations_and_numbers(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "2 + 2.50 ="}]
    lines = [{"messages": turns, "expected": 4.5}, {"prompt": "q", "expected": True}]
    path = table(tmp_path, "".join(f"{msgspec.json.encode(line).decode()}\n" for line in lines), "t.jsonl")

    first, second = read_table_suite(path, OPTIONS).reading.required().cases

    assert (first.messages, first.expected, second.expected) == (
        (Message(role="user", content="2 + 2.50 ="),),
        "4.5",
        "true",
    )


@pytest.mark.parametrize(
    ("header", "options", "said"),
    [
        ("prompt,solution", OPTIONS, "no column for `expected`; it has prompt, solution"),
        ("q,expected", OPTIONS, "no column for `prompt`"),
        ("prompt,expected", mapped(stratum="topik"), "no column 'topik', which was named for `stratum`"),
    ],
)
def test_a_missing_column_is_named(tmp_path: Path, header: str, options: SuiteOptions, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        read_table_suite(table(tmp_path, f"{header}\na,b\n"), options)

    assert "--map" in str(caught.value.hint)


def test_every_bad_row_is_named_by_line_and_column(tmp_path: Path) -> None:
    path = table(tmp_path, 'id,prompt,expected\n1,"two\nlines",a\n1,q,a\n2,,a\n3,q,\n4,q,a,more\n')

    reading = read_table_suite(path, OPTIONS).reading

    assert [problem.line for problem in reading.problems] == [4, 5, 6, 7]
    rules = " ".join(problem.rule for problem in reading.problems)
    for said in ("used twice, first in line", "'prompt' (prompt) is empty", "'expected' (expected)", "4 cells under 3"):
        assert said in rules
    assert (reading.n_skipped, len(reading.required(skip_invalid=True).cases)) == (4, 1)


def test_turns_that_are_none_are_a_problem_of_their_row(tmp_path: Path) -> None:
    path = table(tmp_path, '{"messages": [{"role": "boss", "content": "q"}], "expected": "a"}\n', "t.jsonl")

    (problem,) = read_table_suite(path, OPTIONS).reading.problems

    assert "no list of turns" in problem.rule
