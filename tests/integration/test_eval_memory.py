"""A large evaluation is no large process: results go to the database as they come."""

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest
from tests.support.mock_upstream import MockUpstream
from tests.support.service import environment, write_config

N_CASES = 10_000
MODELS = ("a/chunks-40", "b/chunks-40", "c/chunks-40")
MAX_RSS_MB = 500
WORDS = "All of this is said so that a case has the size of a case that somebody wrote down. " * 8


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_thousand_cases_on_three_models_stay_below_500_mb(tmp_path: Path, mock_upstream: MockUpstream) -> None:
    mock_upstream.keeps_seen = False
    price = {"input_usd_per_mtok": "0.01", "output_usd_per_mtok": "0.02"}
    write_config(
        tmp_path,
        providers=[{"name": "mock", "kind": "openai", "base_url": f"{mock_upstream.url}/v1"}],
        models=[{"provider": "mock", "model": name, "boundary": "inside", "price": price} for name in MODELS],
        policy="policy: any\norganisation: {sensitivity: internal, store: metadata}\n",
    )
    write_suite(tmp_path / "suite.jsonl")
    models = ",".join(f"mock:{name}" for name in MODELS)
    options = ["--suite", "suite.jsonl", "--models", models, "--no-stream", "--concurrency", "16", "--json", "--yes"]
    with (tmp_path / "report.json").open("w") as report:
        process = subprocess.Popen(
            [sys.executable, "-m", "trimtab", "eval", "run", *options],
            cwd=tmp_path,
            env=environment({}),
            stdin=subprocess.DEVNULL,
            stdout=report,
            stderr=subprocess.DEVNULL,
        )
        peak_bytes = _peak_until_the_end(process)

    assert process.returncode == 0
    runs = json.loads((tmp_path / "report.json").read_text())["runs"]
    assert [(run["n_results"], run["quality"]["mean"]) for run in runs] == [(N_CASES, 1.0)] * 3
    assert 0 < peak_bytes / 1e6 < MAX_RSS_MB


def _peak_until_the_end(process: subprocess.Popen[bytes]) -> int:
    """Return the most resident memory, looked at often: what the system adds up begins with what was forked."""
    peak_bytes = 0
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            peak_bytes = max(peak_bytes, watched.memory_info().rss)
        time.sleep(0.02)
    return peak_bytes


def write_suite(path: Path) -> None:
    plan = {"scorer": {"name": "contains"}}
    with path.open("w") as suite:
        suite.write(json.dumps({"suite": "large", "version": "1", "plan": plan}) + "\n")
        for number in range(N_CASES):
            case = {"case_id": f"c{number}", "prompt": f"{number}: {WORDS}", "expected": "w39", "stratum": "all"}
            suite.write(json.dumps(case) + "\n")
