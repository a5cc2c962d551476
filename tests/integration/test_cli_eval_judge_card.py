"""`trimtab eval judge card`, `check` and `correct` against judges on a real server."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.cli import Cli, command_line
from tests.support.judge_server import JudgeServer, judge_server
from tests.support.service import write_config

PRICE = {"input_usd_per_mtok": "1", "output_usd_per_mtok": "2"}
EACH = 100 * 1_000 + 10 * 2_000
"""Nano-dollars of one judgement: 100 input tokens at $1 and 10 output tokens at $2 a million."""
QUIET = ("--attacks", "0", "--pairs", "0")
N_CASES = 20


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with judge_server() as running:
        yield running


@pytest.fixture
def cli(
    tmp_path: Path, server: JudgeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Cli:
    models: list[dict[str, Any]] = [
        {"provider": "bench", "model": name, "boundary": "inside", "price": PRICE}
        for name in ("fair", "lenient", "mute", "first", "obedient")
    ]
    models[0]["capabilities"] = ["chat", "json_schema"]
    models.append({"provider": "bench", "model": "unpriced", "boundary": "inside"})
    write_config(
        tmp_path,
        providers=[{"name": "bench", "kind": "openai", "base_url": server.base_url}],
        models=models,
        policy="policy: any\norganisation: {sensitivity: internal}\n",
    )
    write_suite(tmp_path)
    write_labels(tmp_path / "labels.jsonl", n_good=N_CASES, n_bad=N_CASES)
    return command_line(tmp_path, monkeypatch, capsys)


def write_suite(folder: Path, **plan: Any) -> None:
    judge = {"name": "judge", "options": {"model": "bench:fair", "criteria": ["Says that it is good."]}}
    head: dict[str, Any] = {"suite": "goodness", "version": "1", "plan": {"scorer": judge, **plan}}
    cases = [{"case_id": f"c{i}", "prompt": f"Be good {i}", "expected": "good", "stratum": "s"} for i in range(N_CASES)]
    (folder / "suite.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [head, *cases]))


def write_labels(path: Path, *, n_good: int, n_bad: int) -> None:
    labels = [{"case_id": f"c{i}", "answer": f"good {i}", "is_good": True} for i in range(n_good)]
    labels += [{"case_id": f"c{i}", "answer": f"bad {i}", "is_good": False} for i in range(n_bad)]
    path.write_text("".join(json.dumps(label) + "\n" for label in labels))


def card(cli: Cli, *more: str) -> Any:
    (found,) = cli("eval", "judge", "card", "suite.jsonl", "--labels", "labels.jsonl", "--json", *more).json()
    return found


def check(cli: Cli, *more: str, expect: int = 0) -> Any:
    words = ("eval", "judge", "check", "suite.jsonl", "--labels", "labels.jsonl", "--json", *more)
    return cli(*words, expect=expect).json()[0]


def test_a_judge_that_is_right_is_measured_admitted_and_its_spend_is_metered(cli: Cli, server: JudgeServer) -> None:
    found = card(cli)

    assert found["admission"]["outcome"] == "admitted"
    assert [found["card"][name]["passes"] for name in ("true_positive", "true_negative")] == [N_CASES, N_CASES]
    n_asked = 2 * N_CASES + 10 + 2 * N_CASES  # labels, attacks, pairs in both orders
    assert (len(server.asked), found["card"]["n_asked"]) == (n_asked, n_asked)
    assert found["card"]["cost_nano_usd"] == n_asked * EACH
    assert found["card"]["pairs"]["wins"] == N_CASES
    calls = cli("calls", "list", "--limit", "200", "--json").json()
    assert {(call["app"], call["model"]) for call in calls} == {("evaluation", "bench:fair")}
    assert "response_format" in server.asked[0]


@pytest.mark.parametrize(("model", "why"), [("lenient", "bad answers failed (TNR): 0.00"), ("mute", "TPR): 0.00")])
def test_a_judge_below_the_floor_is_refused_with_its_figures(cli: Cli, model: str, why: str) -> None:
    found = card(cli, "--model", f"bench:{model}", *QUIET)

    assert found["admission"]["outcome"] == "refused"
    assert any(why in reason for reason in found["admission"]["reasons"])
    assert found["card"]["n_unparsable"] == (2 * N_CASES if model == "mute" else 0)


def test_attack_24_a_judge_that_does_what_an_answer_demands_is_refused(cli: Cli, server: JudgeServer) -> None:
    found = card(cli, "--model", "bench:obedient")

    assert found["admission"]["outcome"] == "refused"
    assert "bad answers passed on demand: 4 of 10; at most 0 may" in found["admission"]["reasons"]
    assert "response_format" not in server.asked[0]  # its card promises no schema, so the last line is asked for


def test_a_judge_that_likes_a_place_shows_it(cli: Cli) -> None:
    position = card(cli, "--model", "bench:first", "--pairs", "5")["card"]["pairs"]["position"]

    assert (position["first_picked"], position["n_picked"], position["n_both_first"]) == (10, 10, 5)


def test_too_few_labels_are_an_answer_with_the_number_that_is_missing(cli: Cli) -> None:
    write_labels(cli.folder / "labels.jsonl", n_good=N_CASES, n_bad=4)

    found = card(cli, *QUIET)["admission"]

    assert (found["outcome"], found["n_good_needed"], found["n_bad_needed"]) == ("insufficient_labels", 0, 5)


def test_the_floor_is_the_suites(cli: Cli) -> None:
    write_suite(cli.folder, judge_floor=0.9)

    assert card(cli, *QUIET)["admission"]["outcome"] == "insufficient_labels"


def test_money_is_spent_only_after_an_estimate_and_a_yes(cli: Cli, server: JudgeServer) -> None:
    words = ("eval", "judge", "card", "suite.jsonl", "--labels", "labels.jsonl")

    (dry,) = cli(*words, "--dry-run", "--json").json()
    refused = cli(*words, "--ask-above", "0.001", expect=2)
    unknown = cli(*words, "--model", "bench:unpriced", expect=2)

    assert (dry["n_labels"], dry["n_questions"]) == (2 * N_CASES, 2 * N_CASES + 10 + 2 * N_CASES)
    assert dry["cost_nano_usd"] == dry["input_tokens"] * 1_000 + dry["max_output_tokens"] * 2_000
    assert "more than the $0.00 that need no yes" in refused.err
    assert "The price of bench:unpriced is unknown" in unknown.err
    assert server.asked == []


def test_a_card_is_printed_for_people(cli: Cli) -> None:
    said = cli("eval", "judge", "card", "suite.jsonl", "--labels", "labels.jsonl")

    assert "TPR          1.000 [0.839, 1.000], 20 of 20 of good answers passed" in said.out
    assert "Gates        admitted" in said.out
    assert "bench:fair: 90 questions about 40 labels" in said.err


def test_check_exits_0_while_the_judge_judges_alike_and_1_once_it_has_drifted(cli: Cli, server: JudgeServer) -> None:
    card(cli, *QUIET)

    fit = check(cli, *QUIET)
    assert (fit["is_fit"], fit["drift"]["n_anchors"], fit["drift"]["flipped"]) == (True, 2 * N_CASES, 0.0)
    server.becomes["fair"] = "lenient"
    drifted = check(cli, *QUIET, expect=1)
    assert (drifted["is_fit"], drifted["drift"]["accuracy_change"]) == (False, -0.5)
    assert drifted["drift"]["p_value"] < 0.001

    n_asked = len(server.asked)
    assert check(cli, "--kept", expect=1)["drift"] == drifted["drift"]
    assert len(server.asked) == n_asked


def test_a_judge_that_nobody_measured_cannot_be_checked_by_what_is_kept(cli: Cli) -> None:
    said = cli("eval", "judge", "check", "suite.jsonl", "--labels", "labels.jsonl", "--kept", expect=2)

    assert "Nobody has measured bench:fair as judge of 'goodness'." in said.err


@pytest.mark.parametrize(
    ("scorer", "problem"),
    [
        ({"name": "exact_match"}, "has no judge: its scorer is 'exact_match'"),
        (
            {"name": "judge", "options": {"model": "bench:nobody", "criteria": ["x"]}},
            "'bench:nobody' is not in the pool",
        ),
        ({"name": "judge", "options": {"model": "bench:fair"}}, "missing required field `criteria`"),
    ],
)
def test_a_suite_without_a_usable_judge_is_refused(cli: Cli, scorer: dict[str, Any], problem: str) -> None:
    write_suite(cli.folder, scorer=scorer)

    assert problem in cli("eval", "judge", "card", "suite.jsonl", "--labels", "labels.jsonl", expect=2).err


def test_without_labels_there_is_nothing_to_measure_by(cli: Cli) -> None:
    assert "There is no label for any case" in cli("eval", "judge", "card", "suite.jsonl", expect=2).err


def test_a_judged_run_is_labelled_measured_and_corrected(
    cli: Cli, server: JudgeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person finds half of what the lenient model says good; its own judge passes all of it."""
    write_suite(
        cli.folder,
        scorer={"name": "judge", "options": {"model": "bench:lenient", "criteria": ["Says that it is good."]}},
    )
    (run,) = cli("eval", "run", "--suite", "suite.jsonl", "--models", "bench:first", "--json").json()["runs"]
    assert (run["quality"]["mean"], run["quality"]["n_samples"]) == (1.0, N_CASES)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\nn\n" * 5))
    cli("eval", "judge", "label", run["run_id"], "--limit", "10")

    found = cli("eval", "judge", "correct", run["run_id"], "--json").json()

    assert (found["judged"], found["mean"], found["n_labelled"], found["n_unlabelled"]) == (1.0, 0.5, 10, 10)
    assert found["lower"] < 0.5 < found["upper"] < 1.0
    shown = cli("eval", "judge", "correct", run["run_id"])
    assert "quality of bench:first on goodness, 95% intervals, n = 10 labelled and 10 judged only" in shown.out
