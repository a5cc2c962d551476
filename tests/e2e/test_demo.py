"""``trimtab demo`` as a reader runs it: real models, real mistakes."""

import contextlib
import hashlib
import json
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest
import yaml
from tests.support.offline import guard, namespace
from tests.support.service import environment, run_cli, wait_until

from trimtab.lab import WORK, pool_models

pytest.importorskip("xllamacpp", reason="llama.cpp is the extra `serving`")
pytestmark = pytest.mark.slow
README = Path(__file__).parents[2] / "README.md"
FREE = ["--port", "0", "--control-port", "0"]
SMALL, LARGE = "local-small:office-small", "local-large:office-large"


def demo(folder: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "trimtab", "demo", "--folder", str(folder), *FREE, *options]


def test_the_guard_sees_and_refuses_who_leaves_loopback(tmp_path: Path) -> None:
    env, tries = guard(tmp_path)
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)"
    done = subprocess.run([sys.executable, "-c", code], env=environment(env), capture_output=True, check=False)

    assert done.returncode != 0
    assert "192.0.2.1" in tries.read_text()


def test_promise_9_the_demo_runs_with_the_network_cut(tmp_path: Path) -> None:
    env, tries = guard(tmp_path)
    done = subprocess.run(
        [*namespace(), *demo(tmp_path / "demo", "--exit", "--json", "--calls", "300")],
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert not tries.exists(), "nothing even tried to leave this machine"
    report = json.loads(done.stdout)["report"]
    _check_pool(report)
    _check_money(report, tmp_path / "demo")
    _check_rungs(report)
    _check_policy(report, tmp_path / "demo")
    _check_journal(report, tmp_path / "demo")
    _check_replay(report, tmp_path / "demo")


def _check_pool(report: dict[str, Any]) -> None:
    """The files of the pool answered, and their prices are the cards'."""
    for entry, model in zip(report["pool"], pool_models(), strict=True):
        assert entry["sha256"] == hashlib.sha256(model.path.read_bytes()).hexdigest() == model.card.sha256
        assert entry["input_usd_per_mtok"] == str(model.card.price.input_usd_per_mtok)
    assert [entry["model"] for entry in report["pool"]] == [SMALL, LARGE]


def _check_money(report: dict[str, Any], folder: Path) -> None:
    before, after, money = report["before"][-1], report["after"][-1], report["money"]
    assert (before["n_calls"], after["n_calls"], money["n_calls"], money["n_streamed"]) == (200, 100, 300, 75)
    assert money["answers_nano_usd"] == money["journal_nano_usd"] > 0
    assert before["cost_nano_usd"] + after["cost_nano_usd"] == money["journal_nano_usd"]
    assert before["calls_by_model"] == {LARGE: 200}, "everything on the large model first"
    with contextlib.closing(sqlite3.connect(folder / "trimtab-data/trimtab.db")) as journal:
        (total,) = journal.execute("SELECT sum(cost_nano_usd) FROM calls WHERE source = 'gateway'").fetchone()
    assert total == money["journal_nano_usd"]


def _check_rungs(report: dict[str, Any]) -> None:
    """Every rate, difference and headroom of a workload follows from its four counts."""
    strata = {row["stratum"]: row["counts"] for row in report["comparison"]["strata"]}
    assert [rungs["workload"] for rungs in report["rungs"]] == [work.name for work in WORK]
    for rungs in report["rungs"]:
        counts = strata[rungs["workload"]]
        n = sum(counts.values())
        large, small = (counts["both"] + counts[f"{who}_only"] for who in ("baseline", "candidate"))
        either = n - counts["neither"]
        assert rungs["n_pairs"] == n
        assert rungs["large"]["mean"] == pytest.approx(large / n)
        assert rungs["small"]["mean"] == pytest.approx(small / n)
        assert rungs["headroom"]["mean"] == pytest.approx((either - max(large, small)) / n)
        assert rungs["gap"]["mean"] == pytest.approx(rungs["quality_bar"] - max(large, small) / n)
        assert rungs["is_moved"] == (rungs["verdict"] == "SMALL_DEFAULT_SUFFICIENT")
        assert not rungs["is_moved"] or rungs["shrink"]["outcome"] == "pass"
    measured = {part["workload"]: part["quality"]["mean"] for part in report["before"]}
    assert all(rungs["large"]["mean"] == measured[rungs["workload"]] for rungs in report["rungs"])


def _check_policy(report: dict[str, Any], folder: Path) -> None:
    """What is in force is what the gates said, and the fresh calls went by it."""
    policy = yaml.safe_load((folder / "policy.yaml").read_text())
    moved = [name for name, terms in policy["workloads"].items() if "prefer" in terms]
    assert moved == report["moved"] == [rungs["workload"] for rungs in report["rungs"] if rungs["is_moved"]]
    assert report["n_under_proven"] == 100, "every fresh call went by the policy that was put in force meanwhile"
    assert report["applied_s"] < 5
    for part in report["after"][:-1]:
        assert part["calls_by_model"] == {SMALL if part["workload"] in moved else LARGE: part["n_calls"]}
    assert report["measured"]["n_calls"] == 100
    assert report["measured"]["cost_nano_usd"] == report["after"][-1]["cost_nano_usd"]
    assert report["explanation"]["replays"]


def _check_journal(report: dict[str, Any], folder: Path) -> None:
    """Each call has its grade as feedback; what was asked as evidence is there too, and is no traffic."""
    with contextlib.closing(sqlite3.connect(folder / "trimtab-data/trimtab.db")) as journal:
        by_source = dict(journal.execute("SELECT source, count(*) FROM calls GROUP BY source").fetchall())
        graded = journal.execute(
            "SELECT count(*), sum(score_fraction) FROM feedback WHERE source = 'office-checker'"
        ).fetchone()
        n_recorded = journal.execute("SELECT count(*) FROM calls WHERE source = 'gateway' AND is_recorded").fetchone()[
            0
        ]
    evaluated = report["evaluated"]
    assert by_source == {"gateway": 300, "import:outcomes": evaluated["n_small"] + evaluated["n_large"]}
    assert (evaluated["n_small"], evaluated["n_failed"]) == (200, 0)
    right = sum(part["quality"]["mean"] * part["n_calls"] for part in (report["before"][-1], report["after"][-1]))
    assert graded == (300, pytest.approx(right))
    assert 0 < right < 300, "real mistakes"
    assert n_recorded == 0, "no answer came from a file"


def _check_replay(report: dict[str, Any], folder: Path) -> None:
    """Replayed from the journal, the policy costs what the report says of the first and of the fresh prompts."""
    replayed = json.loads(run_cli(folder, "policy", "simulate", "policies/proven.yaml", "--json").stdout)
    (proven,) = replayed["policies"]
    assert proven["n_calls"] == 300
    assert proven["cost_nano_usd"] == report["forecast"]["cost_nano_usd"] + report["measured"]["cost_nano_usd"]


def test_the_demo_prints_what_the_readme_shows_and_serves_on_until_interrupted(tmp_path: Path) -> None:
    command = demo(tmp_path / "demo", "--calls", "60")
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        report = ""
        while "Ctrl-C" not in report:
            report += (line := process.stdout.readline())
            assert line, process.stderr.read() if process.stderr else ""
        url = report.split("Gateway", 1)[1].split()[0].removesuffix("/v1")
        assert _status(f"{url}/readyz") == 200
        prompt = json.loads((tmp_path / "demo/traffic.jsonl").read_text().splitlines()[0])["prompt"]
        assert _asked(url, prompt), "the models serve on for whoever asks"
        engines = _engines(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    with pytest.raises(urllib.error.URLError):
        _status(f"{url}/readyz")
    assert "The lab states these prices" in report
    assert _labels(_shown_in_readme()) <= _labels(report.splitlines())
    assert len(engines) == 2
    assert not any(engine.is_running() for engine in engines)


def test_a_demo_that_is_killed_takes_its_gateway_along_and_can_be_started_again(tmp_path: Path) -> None:
    for number in (signal.SIGKILL, signal.SIGHUP):
        with subprocess.Popen(
            demo(tmp_path / "demo", "--calls", "40", "--json"), env=environment(), stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            url = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")["addresses"]["url"]
            assert _status(f"{url}/readyz") == 200
            engines = _engines(process.pid)
            process.send_signal(number)
        wait_until(lambda url=url: not _answers(url), timeout_s=20)
        wait_until(lambda engines=engines: not any(map(_is_alive, engines)), timeout_s=20)


def test_an_engine_that_dies_meanwhile_costs_no_call_and_no_nano_dollar(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with subprocess.Popen(
        demo(folder, "--calls", "300", "--exit", "--json"), env=environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        killing = threading.Thread(target=_kill_the_large_one, args=(process.pid, folder))
        killing.start()
        out, _ = process.communicate(timeout=120)
        killing.join()
    assert process.returncode == 0
    report = json.loads(out)["report"]
    money = report["money"]
    assert money["n_calls"] == 300
    assert money["answers_nano_usd"] + money["untold_nano_usd"] == money["journal_nano_usd"]
    assert "engine.down" in run_cli(folder, "audit", "list", "--json").stdout


def _kill_the_large_one(pid: int, folder: Path) -> None:
    """Kill the large model's process as soon as calls go to it."""
    board = folder / "trimtab-data/run/engines.json"
    wait_until(lambda: board.exists() and board.read_text().count('"ready"') == 2, timeout_s=60)
    time.sleep(0.5)
    model = str(pool_models()[1].path)
    for engine in _engines(pid):
        if any(model == opened.path for opened in engine.memory_maps(grouped=True)):
            engine.kill()


def _engines(pid: int) -> list[Any]:
    """Return the processes of model servers below a process."""
    children = psutil.Process(pid).children(recursive=True)
    return [child for child in children if "llama_cpp_host" in " ".join(child.cmdline())]


def _is_alive(engine: Any) -> bool:
    return bool(engine.is_running() and engine.status() != psutil.STATUS_ZOMBIE)


def _answers(url: str) -> bool:
    try:
        return _status(f"{url}/readyz") == 200
    except urllib.error.URLError:
        return False


def _asked(url: str, prompt: str) -> str:
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": prompt}], "max_tokens": 64})
    request = urllib.request.Request(
        f"{url}/v1/chat/completions", data=body.encode(), headers={"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        said: str = json.load(response)["choices"][0]["message"]["content"]
    return said


def _shown_in_readme() -> list[str]:
    """The lines of output in the README."""
    (block,) = re.findall(r"^```text\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    lines = [line.rstrip() for line in block.splitlines() if line.strip()]
    assert len(lines) > 12
    return lines


def _labels(lines: list[str]) -> set[str]:
    """What each line is about, without its figures: they, and the verdicts on them, are another run's."""
    return {re.sub(r"[\d.,]+", "#", re.split(r"  +|: ", line.strip())[0]) for line in lines if line.strip()}


def _status(url: str) -> int:
    with urllib.request.urlopen(url, timeout=5) as response:
        return int(response.status)


def test_a_folder_with_somebodys_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("policy: mine\n")
    done = run_cli(tmp_path, "demo", "--folder", str(tmp_path), "--exit", expect=2)

    assert "not the demo's" in done.stderr
    assert (tmp_path / "policy.yaml").read_text() == "policy: mine\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "policy.yaml"]


def test_without_the_extra_that_serves_models_the_demo_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text('import sys\nsys.modules["xllamacpp"] = None\n')
    done = run_cli(
        tmp_path, "demo", "--folder", str(tmp_path / "demo"), "--exit", expect=2, env={"PYTHONPATH": str(tmp_path)}
    )

    assert "xllamacpp, which serves them, is not installed" in done.stderr
    assert "pip install 'trimtab[serving]'" in done.stderr
    assert not (tmp_path / "demo").exists()
