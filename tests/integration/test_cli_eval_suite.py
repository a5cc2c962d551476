"""``trimtab eval suite``: what a person sees of a suite, and of what is wrong with one."""

from pathlib import Path

import pytest
from tests.support.cli import Cli, command_line
from tests.support.inspect_logs import header, sample, write_eval_log, write_json_log

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


def test_check_names_cases_that_no_answer_could_score_on(cli: Cli) -> None:
    graded = CASE.replace("}", ', "scorer": {"name": "numeric"}}')
    Path("s.jsonl").write_text(HEAD + graded + graded.replace('"a"', '"b"').replace('"4"', '"four"'))

    said = cli("eval", "suite", "check", "s.jsonl", expect=2).out

    assert "s.jsonl: case 'b': the case expects 'four', which is no number\n" in said


def test_lines_are_left_out_only_when_asked_and_counted_aloud(cli: Cli) -> None:
    Path("s.jsonl").write_text(HEAD + CASE + "x\n")

    assert "s.jsonl:3" in cli("eval", "suite", "show", "s.jsonl", expect=2).err
    assert "1 line of s.jsonl left out" in cli("eval", "suite", "show", "s.jsonl", "--skip-invalid").err


def test_a_table_becomes_a_suite_that_loads(cli: Cli) -> None:
    Path("t.csv").write_text("question,gold,kind\n2 + 2 =,4,math\n")
    words = ("eval", "suite", "import", "t.csv", "--from", "csv", "-o", "s.jsonl", "--map", "stratum=kind")

    assert "no column for `expected`" in cli(*words, expect=2).err
    made = cli(*words, "--map", "expected=gold", "--margin", "0.05", "--scorer", "normalised_match", "--json").json()

    shown = cli("eval", "suite", "show", "s.jsonl", "--json").json()
    assert (made["digest"], made["strata"], made["runs"]) == (shown["digest"], {"math": 1}, [])
    assert shown["plan"] == {"scorer": {"name": "normalised_match"}, "margin": 0.05} | shown["plan"]


def test_nothing_is_written_when_a_row_is_no_case_unless_it_may_be_left_out(cli: Cli) -> None:
    Path("t.csv").write_text("prompt,expected\nq,a\nr,\n")
    words = ("eval", "suite", "import", "t.csv", "--from", "csv", "-o", "s.jsonl")

    assert "t.csv:3" in cli(*words, expect=2).err
    assert not Path("s.jsonl").exists()
    assert "1 row left out" in cli(*words, "--skip-invalid").err
    assert Path("s.jsonl").stat().st_mode & 0o077 == 0


def test_logs_become_a_suite_and_runs_that_are_kept_once(cli: Cli) -> None:
    write_eval_log(Path("a.eval"), header(), [sample(1), sample(2, "I")], zstd=True)
    write_json_log(Path("b.json"), header("x/small"), [sample(1), sample(2)])
    words = ("eval", "suite", "import", "a.eval", "b.json", "--from", "inspect", "-o", "s.jsonl")

    made = cli(*words, "--json").json()
    again = cli(*words, "--json").json()

    assert [(run["model"], run["score"]["mean"], run["is_new"]) for run in made["runs"]] == [
        ("openai:gpt-4o", 0.5, True),
        ("x:small", 1.0, True),
    ]
    assert [run["is_new"] for run in again["runs"]] == [False, False]
    assert "0.500 [0.095, 0.905] (n = 2)" in cli(*words).out  # Wilson's interval of 1 in 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--from", "csv"], "reads files"),
        (["t.csv"], "Missing option '--from'"),
        (["t.csv", "--from", "csv", "--map", "expected"], "is not FIELD=COLUMN"),
        (["t.csv", "--from", "csv", "--map", "expcted=a"], "there is no field 'expcted'"),
        (["t.csv", "--from", "csv", "--traffic", "a=b"], "has no share"),
        (["t.csv", "--from", "csv", "--scorer-option", "a=1"], "belongs to a scorer"),
        (["t.csv", "--from", "csv", "--protect", "nope"], "names stratum 'nope'"),
        (["t.csv", "--from", "csv", "--margin", "0"], "margin 0"),
        (["s.jsonl", "--from", "csv"], "is one of the files to read"),
        (["t.csv", "--from", "csv", "--cases", "5"], "--cases does nothing with --from csv"),
        (["t.csv", "--from", "csv", "--at", "2026-01-01"], "--at does nothing with --from csv"),
        (["t.csv", "--from", "inspect", "--dataset", "d"], "--dataset does nothing with --from inspect"),
        (["t.csv", "--from", "outcomes", "--score", "s"], "--score does nothing with --from outcomes"),
        (["--from", "journal", "--map", "stratum=x"], "--map does nothing with --from journal"),
        (["--from", "journal", "--traffic", "a=1"], "measures the traffic itself"),
        (["t.csv", "--from", "csv", "--judge-floor", "0.4"], "judge_floor 0.4"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_before_anything_is_written(
    cli: Cli, words: list[str], said: str
) -> None:
    Path("t.csv").write_text("prompt,expected\nq,a\n")

    assert said in cli("eval", "suite", "import", *words, "-o", "s.jsonl", expect=2).err
    assert not Path("s.jsonl").exists()


def test_recorded_outcomes_become_a_suite_with_a_run_a_model(cli: Cli) -> None:
    rows = [
        f'{{"prompt_id": "x-{topic}-{n}", "prompt": "{topic} {n}?", "model": "{model}", "score": {score}}}\n'
        for n in range(4)
        for topic in ("law", "art")
        for model, score in (("strong", 1), ("weak", n % 2))
    ]
    Path("o.jsonl").write_text("".join(rows))
    words = (
        "eval",
        "suite",
        "import",
        "o.jsonl",
        "--from",
        "outcomes",
        "-o",
        "s.jsonl",
        "--stratum-pattern",
        "x-(.+)-",
    )

    made = cli(*words, "--json").json()

    assert made["strata"] == {"art": 4, "law": 4}
    assert [(run["model"], run["strata"]["law"]["mean"]) for run in made["runs"]] == [
        ("recorded:strong", 1.0),
        ("recorded:weak", 0.5),
    ]
    assert "In the files: strong, weak" in cli(*words, "--model", "no", expect=2).err
    assert "no regular expression" in cli(*words[:-1], "(", expect=2).err


def test_the_journal_becomes_a_suite_with_its_own_mix(cli: Cli) -> None:
    row = '{{"prompt_id": "{n}", "dataset": "{d}", "prompt": "{n}?", "model": "m", "answer": "yes", "score": 1}}\n'
    Path("calls.jsonl").write_text("".join(row.format(n=n, d="faq" if n < 8 else "legal") for n in range(10)))
    calls = ("calls", "import", "calls.jsonl", "--store", "full")
    words = ("eval", "suite", "import", "--from", "journal", "-o", "s.jsonl")

    assert "No call lies in the window" in cli(*words, expect=2).err
    cli(*calls)
    assert "--max-sensitivity is internal" in cli(*words, expect=2).err
    made = cli(*words, "--max-sensitivity", "restricted", "--allocation", "equal", "--cases", "4", "--json").json()

    plan = cli("eval", "suite", "show", "s.jsonl", "--json").json()["plan"]
    assert made["strata"] == {"faq": 2, "legal": 2}
    assert plan["traffic"] == {"faq": 0.8, "legal": 0.2}
    assert "reads no file" in cli(*words, "calls.jsonl", expect=2).err


def test_a_run_leaves_out_lines_only_when_asked_and_never_grades_by_recorded_scores(cli: Cli) -> None:
    Path("s.jsonl").write_text(HEAD + CASE + "x\n")
    Path("r.jsonl").write_text(HEAD.replace('"margin": 0.05', '"scorer": {"name": "recorded"}') + CASE)
    words = ("--models", "p:m", "--dry-run")

    assert "s.jsonl:3" in cli("eval", "run", "--suite", "s.jsonl", *words, expect=2).err
    skipped = cli("eval", "run", "--suite", "s.jsonl", "--skip-invalid", *words, expect=2).err
    assert skipped.splitlines()[-2].startswith("error: Model 'p:m' is not in the pool")
    assert "1 line of s.jsonl left out" in skipped
    assert "grades nothing" in cli("eval", "run", "--suite", "r.jsonl", *words, expect=2).err
