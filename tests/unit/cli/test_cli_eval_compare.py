"""`eval compare`, `gate`, `show` and `export` on runs from files and from the store."""

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from tests.support.cli import Cli, command_line
from tests.support.evaluation import outcomes_of, priced, run_of, suite_of

from trimtab.cli.eval_html import report_page
from trimtab.evaluation import ComparisonReport, Plan, Run, ScorerSpec, ScorerUse, report_on, save_suite
from trimtab.ingest.suites import SuiteOptions, read_inspect_suite

PLAN = Plan(margin=0.03, traffic={"routine": 0.9, "hard": 0.1})
SUITE = suite_of({"routine": 1_000, "hard": 500}, PLAN)
EVIL = '<script>alert("x")</script>'


def planted_runs() -> dict[str, Run]:
    """Return a large model, one that loses on hard cases only, and one that is as good."""
    routine = outcomes_of(both=950, candidate_only=10, baseline_only=10, neither=30)
    hard = outcomes_of(both=250, candidate_only=0, baseline_only=150, neither=100)
    runs = {
        "large": run_of(SUITE, {"routine": routine[0], "hard": hard[0]}, "p:large"),
        "small": run_of(SUITE, {"routine": routine[1], "hard": hard[1]}, f"p:small{EVIL}"),
        "twin": run_of(SUITE, {"routine": routine[1], "hard": hard[0]}, "p:twin"),
    }
    costs = {"large": 4_000_000, "small": 90_000, "twin": None}
    use = ScorerUse(spec=ScorerSpec(name="exact_match"))
    return {
        name: msgspec.structs.replace(priced(run, cost_nano_usd=costs[name]), scorers=(use,))
        for name, run in runs.items()
    }


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    for name, run in planted_runs().items():
        (tmp_path / f"{name}.json").write_bytes(msgspec.json.encode(run))
    save_suite(SUITE, tmp_path / "suite.jsonl")
    return command_line(tmp_path, monkeypatch, capsys)


def test_s14_compare_says_where_a_model_is_good_enough_and_warns_of_the_mix(cli: Cli) -> None:
    said = cli("eval", "compare", "large.json", "small.json")

    assert "margin 3.0%, alpha 0.05, fixed in the suite" in said.out
    assert "Default for: routine\nNot for: hard\n" in said.out
    assert re.search(r"^routine +1,000 +90\.0 % +0\.960 +0\.960 +\+0\.000 \[", said.out, re.MULTILINE)
    assert re.search(r"^all, as in traffic +1,500 +100\.0 % .* -0\.030 \[", said.out, re.MULTILINE)
    assert "cost 0.0225 x [" in said.out
    assert "warning: the suite's mix of strata is 0.23 away from the traffic's" in said.err


def test_json_is_the_report_and_so_is_the_file_that_is_kept(cli: Cli) -> None:
    said = cli("eval", "compare", "large.json", "small.json", "twin.json", "--json", "-o", "kept.json")

    found = msgspec.json.decode(said.out, type=ComparisonReport)
    assert [contest.advice.default_for for contest in found.contests] == [("routine",), ("hard", "routine")]
    assert msgspec.json.decode((cli.folder / "kept.json").read_bytes(), type=ComparisonReport) == found
    assert cli("eval", "show", "kept.json", "--json").json() == said.json()
    assert "p:twin against p:large" in cli("eval", "show", "kept.json").out


def test_a_gate_exits_0_for_yes_and_1_for_no_and_for_not_yet(cli: Cli) -> None:
    few = suite_of({"routine": 20}, Plan(margin=0.03))
    for name in ("a", "b"):
        (cli.folder / f"{name}.json").write_bytes(msgspec.json.encode(run_of(few, {"routine": [True] * 20}, name)))

    assert "Gate: PASS" in cli("eval", "gate", "large.json", "twin.json").out
    assert "Gate: FAIL, vetoed by hard" in cli("eval", "gate", "large.json", "small.json", expect=1).out
    assert "about 207 cases would settle" in cli("eval", "gate", "a.json", "b.json", expect=1).out
    verdicts = cli("eval", "gate", "large.json", "twin.json", "small.json", "--json", expect=1).json()
    assert [verdict["outcome"] for verdict in verdicts] == ["pass", "fail"]


def test_traffic_can_be_given_and_what_cannot_be_read_is_refused(cli: Cli) -> None:
    said = cli("eval", "compare", "large.json", "twin.json", "--traffic", "routine=2,hard=1,images=1", "--json")

    mix = said.json()["contests"][0]["comparison"]["mix"]
    assert (mix["source"], mix["covered_share"]) == ("measured", 0.75)
    for text in ("routine", "routine=x", "=3", "routine=inf"):
        assert "cannot be read" in cli("eval", "compare", "large.json", "twin.json", "--traffic", text, expect=2).err
    assert (
        "by nothing that calls have"
        in cli("eval", "compare", "large.json", "twin.json", "--traffic", "journal:colour", expect=2).err
    )


def test_what_cannot_be_compared_is_refused_with_the_next_step(cli: Cli) -> None:
    other = suite_of({"routine": 20})
    (cli.folder / "other.json").write_bytes(msgspec.json.encode(run_of(other, {"routine": [True] * 20}, "o")))
    (cli.folder / "torn.json").write_text('{"suite_name": "x"')

    assert "is compared with itself" in cli("eval", "gate", "large.json", "large.json", expect=2).err
    assert "and the baseline is of 'planted'" in cli("eval", "compare", "large.json", "other.json", expect=2).err
    assert "torn.json is no run" in cli("eval", "compare", "large.json", "torn.json", expect=2).err
    assert "is compared twice" in cli("eval", "compare", "large.json", "twin.json", "twin.json", expect=2).err
    assert "neither a file nor one run in the store" in cli("eval", "show", "run_gone", expect=2).err
    save_suite(other, cli.folder / "other.jsonl")
    assert (
        "The suite was changed after the run"
        in cli("eval", "compare", "large.json", "twin.json", "--suite", "other.jsonl", expect=2).err
    )


def test_a_plan_that_was_changed_by_hand_after_the_run_does_not_pass_beside_its_suite(cli: Cli) -> None:
    for name, run in planted_runs().items():
        lax = msgspec.structs.replace(run, plan=Plan(margin=0.5))
        (cli.folder / f"{name}.json").write_bytes(msgspec.json.encode(lax))

    assert (
        "with another plan" in cli("eval", "gate", "large.json", "small.json", "--suite", "suite.jsonl", expect=2).err
    )


def test_several_suites_are_one_decision_when_each_has_its_baseline(cli: Cli) -> None:
    second = suite_of({"invoices": 800}, Plan(margin=0.03))
    for name in ("large", "twin"):
        run = run_of(second, {"invoices": [True] * 800}, f"p:{name}")
        (cli.folder / f"{name}2.json").write_bytes(msgspec.json.encode(run))

    said = cli("eval", "gate", "large.json", "--baseline", "large2.json", "twin.json", "twin2.json", "--json")

    assert [(v["outcome"], v["n_claims"]) for v in said.json()] == [("pass", 2), ("pass", 2)]


def test_show_gives_a_runs_quality_with_interval_and_n(cli: Cli) -> None:
    said = cli("eval", "show", "large.json")

    assert re.search(r"^p:large +all +0\.907 \[0\.\d+, 0\.\d+\] \(n = 1,500\) +0 +0 +\$0\.0044", said.out, re.MULTILINE)
    assert cli("eval", "show", "large.json", "--json").json()["overall"]["n_cases"] == 1_500


class _Reader(HTMLParser):
    """Notes what a page would load, and which elements are left open."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.scripts: list[str | None] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag == "script":
            self.scripts.append(found.get("type"))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_report_is_one_file_that_loads_nothing_and_runs_nothing(cli: Cli) -> None:
    cli("eval", "compare", "large.json", "small.json", "twin.json", "--suite", "suite.jsonl", "--html", "report.html")

    page = (cli.folder / "report.html").read_text()
    reader = _Reader()
    reader.feed(page)
    assert (reader.loads, reader.open, reader.scripts) == ([], [], ["application/json"])
    assert EVIL not in page  # a model may be called as it likes, and answers say what they like
    assert "prefers-color-scheme: dark" in page
    assert page.count("<details>") == 40  # small differs on 170 cases, of which 20 are shown; twin on 20


def test_the_report_holds_its_own_figures_as_json(cli: Cli) -> None:
    runs = planted_runs()
    report = report_on([runs["large"]], [runs["small"]])

    page = report_page(report)

    text = page.split('<script type="application/json" id="report">')[1].split("</script>")[0]
    assert msgspec.json.decode(text, type=ComparisonReport) == report


def test_a_report_without_prices_or_of_one_run_alone_is_whole_too(cli: Cli) -> None:
    cli("eval", "show", "twin.json", "--html", "one.html")

    page = (cli.folder / "one.html").read_text()
    assert "No model has a price" in page
    assert "What p:twin can do" in page


def test_exports_hold_every_result(cli: Cli) -> None:
    for name in ("out.csv", "out.parquet", "out.json"):
        cli("eval", "export", "small.json", "-o", name, "--suite", "suite.jsonl")

    with (cli.folder / "out.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    table = pq.read_table(cli.folder / "out.parquet").to_pylist()
    assert (len(rows), len(table)) == (1_500, 1_500)
    assert (rows[0]["case_id"], rows[0]["prompt"], rows[0]["score"]) == ("routine-0", "routine 0?", "1.0")
    assert (table[0]["case_id"], table[0]["cost_nano_usd"]) == ("routine-0", 180_000)
    assert msgspec.json.decode((cli.folder / "out.json").read_bytes(), type=Run) == planted_runs()["small"]
    assert "names no format" in cli("eval", "export", "small.json", "-o", "out.xlsx", expect=2).err


def test_an_inspect_log_comes_back_as_the_run_it_was_made_of(cli: Cli) -> None:
    cli("eval", "export", "small.json", "-o", "log.json", "--format", "inspect", "--suite", "suite.jsonl")

    (run,) = read_inspect_suite([cli.folder / "log.json"], SuiteOptions(name="again")).runs
    was = planted_runs()["small"]
    assert [(r.case_id, r.stratum, r.score) for r in run.results] == [
        (r.case_id, r.stratum, r.score) for r in was.results
    ]
    log = json.loads((cli.folder / "log.json").read_text())
    assert (log["version"], log["status"], len(log["samples"])) == (2, "success", 1_500)
    assert "Name the suite" in cli("eval", "export", "small.json", "--format", "inspect", expect=2).err


def test_grades_of_a_judge_that_nobody_measured_decide_nothing(cli: Cli) -> None:
    judge = ScorerUse(spec=ScorerSpec(name="judge", options={"model": "p:judge"}))
    for name, run in planted_runs().items():
        judged = msgspec.structs.replace(run, scorers=(judge,))
        (cli.folder / f"{name}.json").write_bytes(msgspec.json.encode(judged))

    said = cli("eval", "gate", "large.json", "twin.json", "small.json", expect=1)

    assert said.out.count("Gate: INSUFFICIENT_EVIDENCE") == 2
    assert "the grades are those of p:judge, not admitted as judge" in said.out
    assert "Default for: none\nNot for: none\n" in cli("eval", "compare", "large.json", "twin.json").out
