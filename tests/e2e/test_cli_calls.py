"""`trimtab calls list|show|export` and `trimtab workloads` on a real database."""

import csv
import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.cli import Cli, command_line
from tests.support.service import environment

from trimtab.cli.frame import BROKEN_PIPE
from trimtab.core import CallRecord, JournalEntry, StoreMode, Usage, derived_call_id
from trimtab.store import Importer, open_database

DAY_US = 86_400_000_000
MAY_US = 1_714_564_800_000_000
"""2024-05-01T12:00:00Z."""


def _call(number: int, **fields: object) -> CallRecord:
    given = {
        "call_id": derived_call_id("test", str(number)),
        "started_at_us": MAY_US + number * 1_000_000,
        "workload": "faq",
        "model": "local:small",
        "usage": Usage(input_tokens=1200, output_tokens=30),
        "cost_nano_usd": 1_000_000,
        "latency_ms": 812.4,
        **fields,
    }
    return CallRecord(**given)  # type: ignore[arg-type]  # each test's own mix of fields


CALLS = (
    _call(1, quality_fraction=1.0, app="shop"),
    _call(2, quality_fraction=0.0, model="local:large", cost_nano_usd=9_000_000),
    _call(3, workload="code", cost_nano_usd=None, status="error", error_code="upstream_timeout", http_status=504),
    _call(4, started_at_us=MAY_US + DAY_US, quality_fraction=1.0, store_mode=StoreMode.FULL),
    _call(5, model=None, status="refused", error_code="policy_refused", http_status=403, cost_nano_usd=0),
)
ENTRIES = [
    JournalEntry(call=call, request_body=b'{"messages":[]}', response_body=b'{"ok":true}')
    if call.store_mode == StoreMode.FULL
    else JournalEntry(call=call)
    for call in CALLS
]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    cli = command_line(tmp_path, monkeypatch, capsys)
    database = open_database(f"sqlite:///{tmp_path / 'trimtab-data/trimtab.db'}")
    Importer(database).add_many(ENTRIES)
    database.close()
    return cli


def _ids(cli: Cli, *words: str) -> list[str]:
    return [row["call_id"] for row in cli("calls", "list", "--json", *words).json()]


def _id(number: int) -> str:
    return CALLS[number - 1].call_id


def test_calls_are_listed_newest_first_with_everything_a_person_asks_for(cli: Cli) -> None:
    newest, *_, oldest = cli("calls", "list").rows()

    assert newest == [
        _id(4),
        "2024-05-02 12:00:00 UTC",
        "faq",
        "local:small",
        "ok",
        "1,200",
        "30",
        "$0.001",
        "812 ms",
    ]
    assert oldest[0] == _id(1)
    assert "error: upstream_timeout" in cli("calls", "list").out
    assert _ids(cli, "--limit", "2") == [_id(4), _id(5)]


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        (["--workload", "code"], [3]),
        (["--model", "local:large"], [2]),
        (["--status", "refused"], [5]),
        (["--app", "shop"], [1]),
        (["--since", "2024-05-02"], [4]),
        (["--workload", "faq", "--model", "local:small", "--since", "2024-05-01T12:00:02"], [4]),
        (["--workload", "f%"], []),
    ],
)
def test_filters_narrow_the_list(cli: Cli, words: list[str], numbers: list[int]) -> None:
    assert _ids(cli, *words) == [_id(number) for number in numbers]


def test_an_empty_list_says_what_to_do(cli: Cli) -> None:
    said = cli("calls", "list", "--workload", "nobody")

    assert "trimtab calls import" in said.err


@pytest.mark.parametrize("words", [["--status", "fine"], ["--limit", "0"], ["--limit", "1001"], ["--since", "soon"]])
def test_a_wrong_filter_is_a_usage_error(cli: Cli, words: list[str]) -> None:
    assert cli("calls", "list", *words, expect=2).err.startswith("error: ")


def test_one_call_is_shown_with_its_record_and_its_bodies_when_asked(cli: Cli) -> None:
    assert "model              local:small" in cli("calls", "show", _id(4)).out
    assert "messages" not in cli("calls", "show", _id(4)).out
    assert '{"messages":[]}' in cli("calls", "show", _id(4), "--bodies").out
    assert "Request: not kept (store mode redacted)" in cli("calls", "show", _id(1), "--bodies").out


def test_an_unknown_call_is_not_found(cli: Cli) -> None:
    said = cli("calls", "show", "call_nobody", expect=2)

    assert said.err.startswith("error: There is no call 'call_nobody'.\nhint:  ")


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_an_export_imported_elsewhere_gives_the_same_calls_and_totals(cli: Cli, ending: str) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    name = f"calls.{ending}"

    assert "5 calls written to" in cli("calls", "export", "--output", name, "--bodies").err
    report = cli("--database", "other.db", "calls", "import", name, "--json").json()

    assert (report["n_new"], report["n_bad"], report["cost_usd"]) == (5, 0, "0.011")
    for words in (["calls", "list", "--json"], ["workloads", "list", "--json"]):
        assert cli(*words).json() == cli("--database", "other.db", *words).json()
    show = ["calls", "show", _id(4), "--bodies", "--json"]
    assert cli(*show).json() == cli("--database", "other.db", *show).json()
    assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600


def test_an_export_filters_and_keeps_bodies_out_unless_asked(cli: Cli) -> None:
    rows = [
        json.loads(line)
        for line in cli("calls", "export", "--until", "2024-05-02", "--workload", "faq").out.splitlines()
    ]

    assert [row["call_id"] for row in rows] == [_id(1), _id(2), _id(5)]
    assert all("request_body" not in row for row in rows)


def test_no_exported_cell_is_a_formula(cli: Cli, tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'trimtab-data/trimtab.db'}")
    Importer(database).add_many([JournalEntry(call=_call(9, workload='=HYPERLINK("http://x")', app="@sum"))])
    database.close()

    cli("calls", "export", "--output", "calls.csv")
    with Path("calls.csv").open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]

    assert '\'=HYPERLINK("http://x")' in cells
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "@")]


def test_an_export_names_its_format_and_fails_whole(cli: Cli) -> None:
    assert "--format" in cli("calls", "export", "--output", "calls.txt", expect=2).err
    assert "No such file" in cli("calls", "export", "--output", "nowhere/calls.csv", expect=3).err
    assert not Path("calls.txt").exists()


def test_a_reader_that_has_seen_enough_ends_an_export_quietly(cli: Cli, tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'trimtab-data/trimtab.db'}")
    Importer(database).add_many([JournalEntry(call=_call(n)) for n in range(100, 3100)])
    database.close()
    command = [sys.executable, "-m", "trimtab", "calls", "export"]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None

    assert process.stdout.readline().startswith(b'{"call_id"')
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()

    assert (process.wait(20), errors) == (BROKEN_PIPE, b"")


def test_workloads_show_volume_cost_and_quality_with_its_interval(cli: Cli) -> None:
    faq, code = cli("workloads", "list", "--json").json()

    assert (faq["workload"], faq["n_calls"], faq["cost_usd"]) == ("faq", 4, "0.011")
    small = faq["models"][0]
    assert (small["model"], small["n_calls"], small["share"]) == ("local:small", 2, 0.5)
    # Two of two: Wilson's interval is 0.3424 to 1.
    assert (small["quality"]["mean"], small["quality"]["n_samples"]) == (1.0, 2)
    assert round(small["quality"]["lower"], 4) == 0.3424
    assert (code["n_unpriced"], code["cost_usd"]) == (1, None)


def test_the_table_of_workloads_says_the_same(cli: Cli) -> None:
    rows = cli("workloads", "list").rows()

    assert rows[0] == ["faq", "4", "$0.011", "0", "local:small", "50.0 %", "1.000 [0.342, 1.000] (n = 2)"]
    assert ["code", "1", "unpriced", "1", "local:small", "100.0 %", "not measured"] in rows
    assert cli("workloads", "show", "code").out.startswith("code: 1 call, unpriced and 1 unpriced\n")


def test_an_unknown_workload_suggests_the_nearest(cli: Cli) -> None:
    assert "Did you mean 'code'?" in cli("workloads", "show", "cod", expect=2).err
