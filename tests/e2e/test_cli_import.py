"""`trimtab calls import` on a real database."""

import json
import os
import re
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.cli import Cli, command_line
from tests.support.service import environment

Json = dict[str, Any]

USAGE = {"prompt_tokens": 100, "completion_tokens": 20}
CHAT = {
    "id": "chatcmpl-9",
    "object": "chat.completion",
    "created": 1714564800,
    "model": "gpt-4o-2024-05-13",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": USAGE,
}
ASKED = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
OUTCOME = {"prompt_id": "p1", "dataset": "math", "task_type": "math", "model": "m", "score": 1.0, "cost_usd": 0.25}
SPEND = {
    "request_id": "r1",
    "call_type": "acompletion",
    "spend": 0.125,
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "startTime": "2024-05-01T12:00:00.000Z",
    "endTime": "2024-05-01T12:00:01.500Z",
    "model": "azure/gpt-4o",
}
OBSERVATION = {
    "id": "obs-1",
    "traceId": "t",
    "type": "GENERATION",
    "startTime": "2024-05-01T12:00:00.000Z",
    "model": "gpt-4o",
    "usageDetails": {"input": 100, "output": 20},
    "totalCost": 0.5,
}


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return command_line(tmp_path, monkeypatch, capsys)


def _lines(name: str, *rows: Json) -> Path:
    path = Path(name)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _outcomes(n: int) -> Path:
    return _lines("many.jsonl", *({**OUTCOME, "prompt_id": f"p{i}"} for i in range(n)))


def _pairs() -> list[str]:
    return [str(_lines("pairs.jsonl", {"request": ASKED, "response": CHAT, "latency_ms": 5}))]


def _batch() -> list[str]:
    asked = _lines("in.jsonl", {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": ASKED})
    answer = {"id": "b", "custom_id": "a", "response": {"status_code": 200, "body": CHAT}, "error": None}
    return [str(_lines("out.jsonl", answer)), "--requests", str(asked)]


def _spend_csv() -> list[str]:
    Path("spend.csv").write_text("request_id,spend,startTime,model\nr1,0.125,2024-05-01 12:00:00,gpt-4o\n")
    return ["spend.csv", "--provider", "openai"]


def _table_csv() -> list[str]:
    Path("table.csv").write_text("when,llm,price\n2024-05-01 12:00:00,openai/gpt-4o,0.75\n")
    return ["table.csv", "--map", "model=llm", "--map", "cost_usd=price", "--map", "time=when"]


def _table_parquet() -> list[str]:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"llm": ["openai/gpt-4o"], "price": [0.75]}), "table.parquet")
    Path("map.yaml").write_text("model: llm\ncost_usd: price\n")
    return ["table.parquet", "--mapping", "map.yaml"]


FORMATS: dict[str, tuple[Callable[[], list[str]], str, str | None]] = {
    "outcomes": (lambda: [str(_lines("o.jsonl", OUTCOME))], "recorded:m", "0.25"),
    "litellm": (lambda: [str(_lines("s.jsonl", SPEND))], "azure:gpt-4o", "0.125"),
    "litellm csv": (_spend_csv, "openai:gpt-4o", "0.125"),
    "langfuse": (lambda: [str(_lines("l.jsonl", OBSERVATION)), "--provider", "openai"], "openai:gpt-4o", "0.5"),
    "openai": (lambda: [*_pairs(), "--no-price"], "openai:gpt-4o-2024-05-13", None),
    "openai-batch": (_batch, "openai:gpt-4o-2024-05-13", None),
    "table": (_table_csv, "openai:gpt-4o", "0.75"),
    "table parquet": (_table_parquet, "openai:gpt-4o", "0.75"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_imported_once_however_often_it_is_read(cli: Cli, name: str) -> None:
    build, model, cost_usd = FORMATS[name]
    words = build()

    first, second = (cli("calls", "import", *words, "--json").json() for _ in range(2))
    (call,) = cli("calls", "list", "--json").json()

    assert (first["n_new"], first["n_seen"], second["n_new"], second["n_seen"]) == (1, 0, 0, 1)
    assert (call["model"], call["cost_usd"]) == (model, cost_usd)
    assert call["source"] == f"import:{name.split()[0]}"


def test_tokens_without_a_cost_are_priced_at_the_list_of_the_day(cli: Cli) -> None:
    report = cli("calls", "import", *_pairs(), "--json").json()

    # gpt-4o-2024-05-13 cost $5 and $15 a million tokens: 100 x 5 + 20 x 15 = 800 millionths.
    assert report["cost_usd"] == "0.0008"
    assert cli("calls", "list", "--json").json()[0]["cost_source"] == "priced"


def test_bad_lines_are_named_by_file_and_line_and_the_rest_is_stored(cli: Cli) -> None:
    path = _lines("mixed.jsonl", OUTCOME, {**OUTCOME, "score": 7}, {**OUTCOME, "prompt_id": "p2"})
    with path.open("a") as file:
        file.write("{cut\n")

    said = cli("calls", "import", "mixed.jsonl", "--rejected", "bad.jsonl", expect=1)

    assert "mixed.jsonl:2: score is '7', not between 0 and 1\n" in said.err
    assert "mixed.jsonl:4: not JSON" in said.err
    assert said.out.startswith("2 calls stored, 0 known already, 2 bad lines\n")
    kept = [json.loads(line) for line in Path("bad.jsonl").read_text().splitlines()]
    assert [(row["line"], "score" in row["row"]) for row in kept] == [(2, True), (4, False)]
    assert stat.S_IMODE(Path("bad.jsonl").stat().st_mode) == 0o600


def test_too_many_bad_lines_stop_it_and_that_is_said(cli: Cli) -> None:
    _lines("mixed.jsonl", {**OUTCOME, "score": 7}, OUTCOME, {**OUTCOME, "score": 8}, {**OUTCOME, "prompt_id": "p2"})

    assert cli("calls", "import", "mixed.jsonl", "--max-errors", "2", "--json").json()["is_complete"]
    said = cli("calls", "import", "mixed.jsonl", "--max-errors", "1", "--json", expect=1)
    assert not said.json()["is_complete"]
    assert "stopped at bad line 2" in said.err


def test_a_dry_run_counts_and_stores_nothing(cli: Cli) -> None:
    report = cli("calls", "import", str(_outcomes(3)), "--dry-run", "--json").json()

    assert (report["n_read"], report["n_new"], report["cost_usd"]) == (3, 3, "0.75")
    assert not Path("trimtab-data").exists()


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (["nowhere.jsonl"], "There is no file nowhere.jsonl", "path"),
        (["empty.jsonl"], "empty.jsonl is empty", "calls in it"),
        (["strange.jsonl"], "no format that is known", "--map"),
        (["good.jsonl", "--map", "model"], "--map 'model' is not FIELD=COLUMN", "--map model=llm_name"),
        (["good.jsonl", "--map", "modle=x"], "'modle', which is not a field", "Did you mean 'model'?"),
        (["good.jsonl", "--at", "noon"], "--at 'noon' is not a time", "2026-01-31"),
        (["good.jsonl", "good.jsonl", "--requests", "good.jsonl"], "--requests belongs to one", "batch"),
        (["good.jsonl", "--rejected", "good.jsonl"], "--rejected good.jsonl is one of the files", "another file"),
        (["good.jsonl", "nowhere.jsonl"], "There is no file nowhere.jsonl", "path"),
    ],
)
def test_wrong_input_is_refused_before_anything_is_stored(cli: Cli, words: list[str], error: str, hint: str) -> None:
    _lines("good.jsonl", OUTCOME)
    _lines("strange.jsonl", {"alpha": 1})
    Path("empty.jsonl").write_text("")

    said = cli("calls", "import", *words, expect=2)

    assert error in said.err
    assert hint in said.err
    assert said.out == ""
    assert cli("calls", "list", "--json").json() == []


def test_undated_rows_take_the_given_date(cli: Cli) -> None:
    cli("calls", "import", str(_outcomes(1)), "--at", "2026-02-01")

    assert cli("calls", "list", "--json").json()[0]["started_at"] == "2026-02-01T00:00:00.000000Z"


def test_labels_and_content_are_as_the_options_say(cli: Cli) -> None:
    words = [*_pairs(), "--sensitivity", "public", "--app", "shop", "--workload", "faq", "--store", "redacted"]
    cli("calls", "import", *words)
    (call,) = cli("calls", "list", "--json").json()

    assert (call["sensitivity"], call["app"], call["workload"]) == ("public", "shop", "faq")
    shown = cli("calls", "show", call["call_id"], "--bodies", "--json").json()
    assert json.loads(shown["request_body"]) == ASKED


@pytest.mark.postgres
def test_postgresql_takes_the_same_import(cli: Cli, postgres_url: str) -> None:
    words = ["--database", postgres_url, "calls", "import", str(_outcomes(3)), "--json"]

    assert [cli(*words).json()["n_new"] for _ in range(2)] == [3, 0]
    (workload,) = cli("--database", postgres_url, "workloads", "list", "--json").json()
    assert (workload["n_calls"], workload["cost_usd"]) == (3, "0.75")


N_BIG = 60_000


def test_an_interrupted_import_is_resumed_by_running_it_again(cli: Cli) -> None:
    rows = ({**OUTCOME, "prompt_id": f"p{i}", "cost_usd": i / 1e6} for i in range(N_BIG))
    Path("big.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-m", "trimtab", "calls", "import", "big.jsonl", "--json"]

    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    _wait_for_rows(Path("trimtab-data/trimtab.db"), process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    cut = json.loads(out)

    assert process.returncode == 130
    assert "run the same command again" in err
    assert "Traceback" not in err
    assert not cut["is_complete"]
    assert 0 < cut["n_new"] < N_BIG
    again = cli("calls", "import", "big.jsonl", "--json").json()
    assert again["n_new"] + again["n_seen"] == N_BIG
    assert again["n_seen"] >= cut["n_new"]
    (workload,) = cli("workloads", "list", "--json").json()
    # 0 + 1 + … + 59,999 millionths.
    assert (workload["n_calls"], workload["cost_usd"]) == (N_BIG, "1799.97")


def _wait_for_rows(path: Path, process: "subprocess.Popen[str]") -> None:
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        assert process.poll() is None, "the import ended before it could be interrupted"
        if path.exists() and _n_rows(path):
            return
        time.sleep(0.005)
    raise AssertionError("no row came")


def _n_rows(path: Path) -> int:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM calls").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # the tables are not there yet
    finally:
        connection.close()


def test_a_terminal_sees_share_rate_and_time_left_and_a_pipe_does_not(cli: Cli) -> None:
    command = [sys.executable, "-m", "trimtab", "calls", "import", str(_outcomes(6000))]
    screen, terminal = os.openpty()
    watched = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=terminal)
    os.close(terminal)
    assert watched.communicate(timeout=60)[0].startswith(b"6,000 calls stored")
    seen = os.read(screen, 100_000).decode()
    os.close(screen)

    assert re.search(r"\d+%  5,000 rows, [\d,]+ rows/s, \d+ s left", seen)
    piped = subprocess.run([*command, "--dry-run"], env=environment(), capture_output=True, text=True, check=True)
    assert piped.stderr == ""


def test_a_compressed_file_is_read_as_it_is(cli: Cli) -> None:
    import gzip

    Path("o.jsonl.gz").write_bytes(gzip.compress(json.dumps(OUTCOME).encode()))

    assert cli("calls", "import", "o.jsonl.gz", "--json").json()["n_new"] == 1
    assert os.listdir("trimtab-data")
