"""Imports of any size take the same memory, can be run again, and their totals are exact."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.store_rig import assert_sums_equal_rows, count, entry

from trimtab.ingest import flatten
from trimtab.store import CallFilter, CallReader, Database

ROOT = Path(__file__).resolve().parents[2]
IMPORT = """
import json, re, sys
from pathlib import Path
from trimtab.ingest import ImportReport, Source, read_calls, run_import
from trimtab.store import Importer, open_database
database = open_database(sys.argv[1])
report = ImportReport()
run_import(read_calls(Source(path=Path(sys.argv[2]))), Importer(database).add_many, report)
database.close()
# Not ru_maxrss: it begins at the size of the process that started this one.
status = Path("/proc/self/status")
peak_mb = int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) / 1024 if status.exists() else 0
print(json.dumps({"n_new": report.n_new, "n_seen": report.n_seen, "n_bad": report.n_bad, "peak_mb": peak_mb}))
"""


def write_log(path: Path, n_rows: int) -> int:
    """Write calls in our own form and return what they cost in nano-dollars: row i costs i millionths of a dollar."""
    given = flatten(entry(source="import:test", store_mode="metadata"), bodies=False)
    common = {name: value for name, value in given.items() if value is not None}
    with path.open("w") as file:
        for i in range(n_rows):
            row = {
                **common,
                "call_id": f"call_{i:026d}",
                "started_at": f"2026-0{1 + i % 9}-{1 + i % 28:02d}T{i % 24:02d}:00:00Z",
                "workload": f"w{i % 20}",
                "model": f"p:m{i % 7}",
                "prompt_id": f"prompt{i // 7}",
                "input_tokens": i % 1000,
                "output_tokens": i % 100,
                "cost_usd": f"{i // 10**6}.{i % 10**6:06d}",
                "quality_fraction": float(i % 2),
            }
            file.write(json.dumps(row) + "\n")
    return 1000 * n_rows * (n_rows - 1) // 2


def run(database_url: str, log: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, database_url, str(log)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def check_import(database_url: str, database: Database, log: Path, n_rows: int) -> float:
    cost = write_log(log, n_rows)

    report = run(database_url, log)

    assert (report["n_new"], report["n_seen"], report["n_bad"]) == (n_rows, 0, 0)
    totals = CallReader(database).totals(CallFilter())
    assert sum(row.n_calls for row in totals) == n_rows == count(database, "calls")
    assert sum(row.cost_nano_usd for row in totals) == cost
    graded = CallReader(database).quality_sums()
    assert (sum(row.n for row in graded), sum(row.total for row in graded)) == (n_rows, n_rows // 2)
    return float(report["peak_mb"])


def test_100_000_rows_import_in_bounded_memory_and_add_up(sqlite: Database, tmp_path: Path) -> None:
    assert check_import(f"sqlite:///{sqlite.path}", sqlite, tmp_path / "log.jsonl", 100_000) < 200


def test_an_import_adds_up_and_again_adds_nothing_on_both_databases(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    check_import(database_url, database, log, 12_000)

    again = run(database_url, log)

    assert (again["n_new"], again["n_seen"]) == (0, 12_000)
    assert_sums_equal_rows(database)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_million_rows_import_in_less_than_300_mb(sqlite: Database, tmp_path: Path) -> None:
    assert check_import(f"sqlite:///{sqlite.path}", sqlite, tmp_path / "log.jsonl", 1_000_000) < 300
