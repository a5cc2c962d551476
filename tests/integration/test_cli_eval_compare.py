"""Comparing runs that are in the store."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.support.cli import Cli, command_line
from tests.support.clock import StillClock
from tests.support.evaluation import outcomes_of, run_of, suite_of

from trimtab.evaluation import Plan, Run, ScorerSpec, ScorerUse
from trimtab.replay import KeptRun, keep_recorded
from trimtab.store import EvaluationStore, StoredRun, open_database

SUITE = suite_of({"routine": 1_000, "hard": 500}, Plan(margin=0.03))


def recorded(model: str, side: int) -> Run:
    """Return the large model's run, or the small one's, which loses on hard cases only."""
    routine = outcomes_of(both=950, candidate_only=10, baseline_only=10, neither=30)
    hard = outcomes_of(both=250, candidate_only=0, baseline_only=150, neither=100)
    run = run_of(SUITE, {"routine": routine[side], "hard": hard[side]}, model)
    return msgspec.structs.replace(run, scorers=(ScorerUse(spec=ScorerSpec(name="exact_match")),))


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return command_line(tmp_path, monkeypatch, capsys)


@pytest.fixture
def store(cli: Cli) -> Iterator[EvaluationStore]:
    database = open_database(f"sqlite:///{cli.folder / 'runs.db'}")
    yield EvaluationStore(database, StillClock())
    database.close()


def kept_runs(store: EvaluationStore) -> list[KeptRun]:
    return keep_recorded(store, SUITE, [recorded("p:large", 0), recorded("p:small", 1)])


def compare(cli: Cli, *words: str, expect: int = 0) -> tuple[str, str]:
    said = cli("eval", "compare", *words, "--database", str(cli.folder / "runs.db"), expect=expect)
    return said.out, said.err


def test_runs_are_named_by_the_beginning_of_their_id_and_know_their_suite(cli: Cli, store: EvaluationStore) -> None:
    large, small = (one.run_id for one in kept_runs(store))

    said = cli("eval", "compare", large[:12], small, "--database", str(cli.folder / "runs.db"), "--json")

    (contest,) = said.json()["contests"]
    assert contest["advice"]["default_for"] == ["routine"]
    assert contest["disagreements"][0]["prompt"] == "hard 250?"  # the store keeps the suite


def test_one_run_under_two_names_is_still_one(cli: Cli, store: EvaluationStore) -> None:
    large = kept_runs(store)[0].run_id

    assert "is compared with itself" in compare(cli, large, large[:12], expect=2)[1]


def test_a_run_that_is_not_finished_is_not_compared(cli: Cli, store: EvaluationStore) -> None:
    large = kept_runs(store)[0].run_id
    plan = store.find(large).plan
    store.begin(StoredRun(run_id="run_torn", plan=plan, state="unfinished", n_expected=1_500, started_at_us=1))

    assert "Run run_torn of 'p:large' is not finished" in compare(cli, large, "run_torn", expect=2)[1]


def test_a_run_of_the_store_goes_out_with_prompts_and_comes_back(cli: Cli, store: EvaluationStore) -> None:
    large, small = (one.run_id for one in kept_runs(store))
    database = str(cli.folder / "runs.db")
    cli("eval", "export", large, "-o", "large.json", "--database", database)
    cli("eval", "export", large, "-o", "log.json", "--format", "inspect", "--database", database)

    assert "Default for: routine" in compare(cli, "large.json", small)[0]
    assert '"input": "routine 0?"' in (cli.folder / "log.json").read_text()
