"""`trimtab eval run` against a scripted provider: what is asked, kept, charged and refused."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.support.cli import Cli, command_line
from tests.support.mock_upstream import MockUpstream
from tests.support.service import write_config

ANSWER = "w0 w1 w2 w3 w4 "
"""What the mock says, 12 input and 5 output tokens."""
PRICE = {"input_usd_per_mtok": "1", "output_usd_per_mtok": "2"}


@pytest.fixture
def cli(
    tmp_path: Path, mock_upstream: MockUpstream, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Cli:
    models = [{"provider": "mock", "model": name, "boundary": "inside"} for name in ("unpriced", "b/status-500")]
    priced = [{"provider": "mock", "model": name, "boundary": "inside", "price": PRICE} for name in ("priced", "dear")]
    write_config(
        tmp_path,
        providers=[{"name": "mock", "kind": "openai", "base_url": f"{mock_upstream.url}/v1"}],
        models=[*priced, *models],
        policy="policy: any\norganisation: {sensitivity: internal}\nworkloads: {triage: {prefer: ['mock:dear']}}\n",
    )
    write_suite(tmp_path)
    return command_line(tmp_path, monkeypatch, capsys)


def write_suite(folder: Path, n_cases: int = 6, **plan: Any) -> Path:
    head = {"suite": "words", "version": "1", **({"plan": plan} if plan else {})}
    lines: list[dict[str, Any]] = [head]
    for i in range(n_cases):
        expected, stratum = (ANSWER.strip(), "routine") if i % 3 else ("other", "hard")
        lines.append({"case_id": f"c{i}", "prompt": f"Say {i}", "expected": expected, "stratum": stratum})
    path = folder / "suite.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def evaluate(cli: Cli, models: str, *more: str, expect: int = 0) -> Any:
    said = cli("eval", "run", "--suite", "suite.jsonl", "--models", models, "--json", *more, expect=expect)
    return said.json()["runs"] if said.out else said.err


def test_answers_are_graded_priced_timed_and_kept_with_their_calls(cli: Cli, mock_upstream: MockUpstream) -> None:
    (run,) = evaluate(cli, "mock:priced", "--seed", "3", "--temperature", "0.5", "--max-tokens", "9")

    assert (run["n_results"], run["n_answered"], run["errors"]) == (6, 6, {})
    assert (run["quality"]["mean"], run["quality"]["n_samples"]) == (pytest.approx(4 / 6), 6)
    # 12 input tokens at $1 and 5 output tokens at $2 a million: 22,000 nano-dollars an answer.
    assert (run["cost_nano_usd"], run["n_unpriced"]) == (6 * 22_000, 0)
    assert run["ttft_p50_ms"] > 0
    sent = mock_upstream.seen[0].json()
    assert (sent["seed"], sent["temperature"], sent["max_tokens"], sent["stream"]) == (3, 0.5, 9, True)
    calls = cli("calls", "list", "--json").json()
    assert Counter(call["app"] for call in calls) == {"evaluation": 6}
    assert {call["cost_usd"] for call in calls} == {"0.000022"}


def test_strata_stand_apart_and_repeated_samples_are_averaged_by_case(cli: Cli, mock_upstream: MockUpstream) -> None:
    (run,) = evaluate(cli, "mock:priced", "--samples", "3", "--seed", "10", "--no-stream")

    assert run["n_results"] == 18
    assert [(task["stratum"], task["quality"]["mean"], task["n_cases"]) for task in run["tasks"]] == [
        ("hard", 0.0, 2),
        ("routine", 1.0, 4),
    ]
    assert run["ttft_p50_ms"] is None
    assert Counter(seen.json()["seed"] for seen in mock_upstream.seen) == {10: 6, 11: 6, 12: 6}


def test_a_dry_run_says_what_it_would_cost_and_asks_and_keeps_nothing(cli: Cli, mock_upstream: MockUpstream) -> None:
    said = cli("eval", "run", "--suite", "suite.jsonl", "--models", "mock:priced,mock:unpriced", "--dry-run", "--json")
    priced, unpriced = said.json()

    assert (priced["n_requests"], priced["max_output_tokens"]) == (6, 6 * 256)
    assert priced["cost_nano_usd"] == priced["input_tokens"] * 1000 + 6 * 256 * 2000
    assert unpriced["cost_nano_usd"] is None
    assert "mock:unpriced: 6 of 6 requests to ask" in said.err
    assert "price unknown" in said.err
    assert mock_upstream.seen == []
    assert cli("eval", "list", "--json").json() == []


def test_without_a_terminal_an_unknown_or_high_price_needs_a_yes(cli: Cli, mock_upstream: MockUpstream) -> None:
    assert "The price of mock:unpriced is unknown" in evaluate(cli, "mock:unpriced", expect=2)
    assert "more than the $0.00 that need no yes" in evaluate(cli, "mock:priced", "--ask-above", "0.001", expect=2)
    assert mock_upstream.seen == []

    (run,) = evaluate(cli, "mock:unpriced", "--yes")

    assert (run["cost_nano_usd"], run["n_unpriced"]) == (0, 6)


def test_a_model_that_answers_nothing_ends_with_3_and_says_so(cli: Cli) -> None:
    models = ("--models", "mock:b/status-500,mock:priced")
    said = cli("eval", "run", "--suite", "suite.jsonl", *models, "--yes", "--deadline", "0.5", expect=3)

    assert "mock:b/status-500 answered nothing at all: " in said.err
    assert "0.667" in said.out  # the other model's run stands


def test_what_an_earlier_run_was_answered_costs_nothing(cli: Cli, mock_upstream: MockUpstream) -> None:
    evaluate(cli, "mock:priced")
    (again,) = evaluate(cli, "mock:priced")
    n_asked = len(mock_upstream.seen)
    (fresh,) = evaluate(cli, "mock:priced", "--no-cache")

    assert (again["n_cached"], again["cost_nano_usd"], n_asked) == (6, 0, 6)
    assert (fresh["n_cached"], len(mock_upstream.seen)) == (0, 12)


def test_any_server_of_openais_form_can_be_asked_by_its_address(cli: Cli, mock_upstream: MockUpstream) -> None:
    (run,) = evaluate(cli, "someone-elses", "--url", mock_upstream.url, "--key", "sk-test", "--yes")

    assert (run["model"], run["n_answered"], run["n_unpriced"]) == ("someone-elses", 6, 6)
    assert mock_upstream.seen[0].headers["authorization"] == "Bearer sk-test"
    assert mock_upstream.seen[0].json()["model"] == "someone-elses"


def test_s73_one_command_runs_all_or_routed_scores_and_reports_by_task(cli: Cli, tmp_path: Path) -> None:
    lines = (tmp_path / "suite.jsonl").read_text().splitlines()
    tasks = ["math", "extraction"]
    typed = [json.dumps({**json.loads(line), "task_type": tasks[i % 2]}) for i, line in enumerate(lines[1:])]
    (tmp_path / "suite.jsonl").write_text("\n".join([lines[0], *typed]) + "\n")

    said = cli(
        "eval", "run", "--suite", "suite.jsonl", "--models", "mock:priced,mock:dear,workload/triage", "--yes", "--json"
    )
    runs = said.json()["runs"]

    assert [run["model"] for run in runs] == ["mock:priced", "mock:dear", "workload/triage"]
    assert [run["answered_by"] for run in runs] == [{"mock:priced": 6}, {"mock:dear": 6}, {"mock:dear": 6}]
    for run in runs:
        assert [(row["task_type"], row["stratum"], row["n_cases"]) for row in run["tasks"]] == [
            ("extraction", "hard", 1),
            ("extraction", "routine", 2),
            ("math", "hard", 1),
            ("math", "routine", 2),
        ]
        assert all(row["quality"]["lower"] <= row["quality"]["mean"] <= row["quality"]["upper"] for row in run["tasks"])
    table = cli("eval", "run", "--suite", "suite.jsonl", "--models", "workload/triage", "--yes").out
    assert "Routed as" in table
    assert "mock:dear" in table


def test_runs_are_listed_and_scored_again_without_asking(cli: Cli, mock_upstream: MockUpstream) -> None:
    (run,) = evaluate(cli, "mock:priced")
    n_asked = len(mock_upstream.seen)

    again = cli("eval", "score", run["run_id"], "--scorer", "contains", "--json").json()["runs"][0]
    newest, oldest = cli("eval", "list", "--json").json()

    assert len(mock_upstream.seen) == n_asked
    assert (newest["run_id"], newest["scored_from"], newest["scorer"]) == (again["run_id"], run["run_id"], "contains")
    assert oldest["quality"] == run["quality"]
    assert (oldest["state"], oldest["cost_usd"]) == ("finished", "0.000132")
    assert run["run_id"] in cli("eval", "list").out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--models", "mock:nobody"), "Model 'mock:nobody' is not in the pool"),
        (("--models", "mock:priced,mock:priced"), "named twice"),
        (("--models", ""), "needs --suite FILE and --models"),
        (("--models", "mock:priced", "--scorer", "nope"), "No scorer is called 'nope'"),
        (("--models", "mock:priced", "--scorer", "{"), "--scorer is no scorer"),
        (("--models", "mock:priced", "--concurrency", "0"), "takes numbers from 1, not '0'"),
        (("--models", "mock:priced", "--concurrency", "a=b"), "takes numbers from 1, not 'a=b'"),
        (("--models", "mock:priced", "--resume", "run_1"), "--resume knows its suite and model"),
        (("--models", "mock:priced", "--key-env", "NO_SUCH"), "no environment variable NO_SUCH"),
        (("--models", "x", "--url", "ftp://h", "--yes"), "address or key cannot be used"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_what_cannot_be_used_is_refused_before_anything_is_asked(
    cli: Cli, mock_upstream: MockUpstream, words: tuple[str, ...], message: str
) -> None:
    said = cli("eval", "run", "--suite", "suite.jsonl", *words, expect=2)

    assert message in said.err
    assert mock_upstream.seen == []
