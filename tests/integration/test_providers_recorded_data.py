"""Published outcomes through the recorded provider: quick and small in memory, and equal to what an import records."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.providers import provider_of, read, request_of

from trimtab.core import Api, JournalEntry
from trimtab.core.usage_reader import usage_from_response
from trimtab.gateway.calls import Recorded
from trimtab.ingest import Source, read_calls

DATA = Path(__file__).parents[3] / "shared/data/routing"
LOAD = """
import re, sys, time
from pathlib import Path
from trimtab.providers.recorded_outcomes import RecordedOutcomes
started_s = time.monotonic()
outcomes = RecordedOutcomes.load(Path(sys.argv[1]))
# Not ru_maxrss: it begins at the size of the process that started this one.
peak_kib = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
print(len(outcomes), time.monotonic() - started_s, peak_kib / 1024)
"""

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not DATA.is_dir(), reason="the outcome data is not beside this checkout"),
]


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_170_000_rows_load_within_ten_seconds_and_400_mib() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(DATA / "mmlu_pro/train.parquet")], capture_output=True, text=True, check=True
    )
    n_rows, seconds, peak_mib = done.stdout.split()
    assert int(n_rows) == 168_812
    assert float(seconds) < 10
    assert float(peak_mib) < 400


@pytest.mark.parametrize("source", ["routellm", "zeroeval"])
async def test_traffic_answered_from_a_file_sums_to_what_an_import_of_it_records(source: str) -> None:
    """Every prompt of one model, by the id that the import gives it: score, cost and tokens, row by row."""
    path = DATA / source / "train.parquet"
    entries = [row for row in read_calls(Source(path=path)) if isinstance(row, JournalEntry)]
    model = entries[0].call.requested_model
    calls = [entry.call for entry in entries if entry.call.requested_model == model]
    assert len(calls) > 500
    async with provider_of("recorded", path=path) as provider:
        for call in calls:
            response = await provider.send(request_of(Api.CHAT_COMPLETIONS, model, prompt_id=call.prompt_id))
            assert Recorded.from_headers(response.headers) == Recorded(call.quality_fraction, call.cost_nano_usd)
            assert usage_from_response(Api.CHAT_COMPLETIONS, await read(response)).usage == call.usage
