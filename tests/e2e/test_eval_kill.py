"""A run that is killed at any moment goes on: one result a case in the end, and nothing recorded is asked again."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.mock_upstream import MockUpstream
from tests.support.service import environment, write_config

N_CASES = 120
AT_A_TIME = 2


def begin(folder: Path) -> "subprocess.Popen[str]":
    words = ["eval", "run", "--suite", "suite.jsonl", "--models", "mock:m/first_byte-0.02", "--json", "--yes"]
    return subprocess.Popen(
        [sys.executable, "-m", "trimtab", *words, "--concurrency", str(AT_A_TIME), "--no-stream"],
        cwd=folder,
        env=environment({}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def recorded(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "data" / "trimtab.db")) as connection:
        return [str(row[0]) for row in connection.execute("SELECT case_id FROM evaluation_results")]


def asked(seen: Sequence[bytes]) -> Counter[str]:
    return Counter(json.loads(body)["messages"][0]["content"] for body in seen)


@pytest.fixture
def folder(tmp_path: Path, mock_upstream: MockUpstream) -> Path:
    price = {"input_usd_per_mtok": "1", "output_usd_per_mtok": "2"}
    write_config(
        tmp_path,
        providers=[{"name": "mock", "kind": "openai", "base_url": f"{mock_upstream.url}/v1"}],
        models=[{"provider": "mock", "model": "m/first_byte-0.02", "boundary": "inside", "price": price}],
        policy="policy: any\norganisation: {sensitivity: internal}\n",
    )
    cases = [{"case_id": f"c{i}", "prompt": f"c{i}", "expected": "x", "stratum": "s"} for i in range(N_CASES)]
    lines = [{"suite": "kill", "version": "1"}, *cases]
    (tmp_path / "suite.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def wait_for_some(folder: Path, mock: MockUpstream, process: "subprocess.Popen[str]") -> None:
    """Return in the middle of the run: some results are in the database, and requests are under way."""
    n_before, deadline_s = len(mock.seen), time.monotonic() + 60
    while len(mock.seen) < n_before + 20:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_after_kill_9_no_case_is_missing_or_doubled_and_none_that_was_recorded_is_asked_again(
    folder: Path, mock_upstream: MockUpstream
) -> None:
    kept: set[str] = set()
    for _ in range(2):
        n_seen = len(mock_upstream.seen)
        process = begin(folder)
        wait_for_some(folder, mock_upstream, process)
        time.sleep(0.3)  # one flush later some of them are in the database
        process.kill()
        process.communicate()
        assert not kept & asked([seen.body for seen in mock_upstream.seen[n_seen:]]).keys()
        kept = set(recorded(folder))

    n_seen = len(mock_upstream.seen)
    process = begin(folder)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    again = asked([seen.body for seen in mock_upstream.seen[n_seen:]])
    assert kept
    assert again.keys() == {f"c{i}" for i in range(N_CASES)} - kept
    assert set(again.values()) == {1}
    assert sorted(recorded(folder)) == sorted(f"c{i}" for i in range(N_CASES))
    (run,) = json.loads(out)["runs"]
    # 12 input tokens at $1 and 5 output tokens at $2 a million for each case, and nothing for a repeated one.
    assert (run["n_results"], run["cost_nano_usd"]) == (N_CASES, N_CASES * 22_000)


def test_after_ctrl_c_everything_that_was_answered_is_kept(folder: Path, mock_upstream: MockUpstream) -> None:
    process = begin(folder)
    wait_for_some(folder, mock_upstream, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    n_answered = len(mock_upstream.seen) - AT_A_TIME

    assert process.returncode == 130
    assert "The same command goes on from there." in err
    assert n_answered - 1 <= len(recorded(folder)) <= n_answered + AT_A_TIME
    assert list((folder / "data" / "run").glob("*")) == []

    out, err = begin(folder).communicate(timeout=60)

    assert json.loads(out)["runs"][0]["n_results"] == N_CASES
    assert sorted(recorded(folder)) == sorted(f"c{i}" for i in range(N_CASES))
