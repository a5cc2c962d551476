"""What the demo does, step by step; each figure comes from the product's own parts."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from trimtab.cli import output
from trimtab.cli.demo_gateway import LOG
from trimtab.control import Desk, local_operator
from trimtab.core import GATEWAY, CallRecord, JournalEntry, SystemClock
from trimtab.core.errors import StoreError
from trimtab.ingest import ImportOptions, ImportReport, Row, Source, read_calls, run_import
from trimtab.lab import (
    CANDIDATES,
    PROVIDER,
    TODAY,
    Answer,
    DemoFiles,
    MoneyCheck,
    Part,
    Request,
    check_money,
    parts_of,
    read_traffic,
    recorded_costs,
    send_all,
)
from trimtab.replay import Result, Simulation
from trimtab.routing import Explanation
from trimtab.store import CallFilter, Database, Importer
from trimtab.wiring import EVIDENCE_S, POLL_S

BEFORE_FRACTION = 2 / 3
"""Share of the calls that go under the policy of today; the rest follows under the chosen one."""
MARGIN = 0.02
"""Quality that may be lost, as a fraction of 1: two points, the default of the design."""
EXPLAINED_WORKLOAD = "code-review"
TIMEOUT_S = 60.0
LIVE = CallFilter(source=GATEWAY)


class DemoResult(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the demo found out."""

    is_simulated: bool = True
    """No real model answered, and no money was spent."""
    before: list[Part]
    """Calls under the policy of today, by workload and together."""
    n_imported: int
    """Outcomes of the other models on the same prompts."""
    simulation: Simulation
    """The policies on the same prompts."""
    chosen: str
    is_proven: bool
    """Whether the whole 95 % interval of its difference in quality lies above a loss of ``MARGIN``."""
    applied_s: float
    """From writing the policy's file to its being in force."""
    after: list[Part]
    """New calls under the chosen policy."""
    n_under_chosen: int
    """Those of them whose record names the chosen policy's version."""
    counterfactual: Simulation
    """What those would have been under the policy of today."""
    money: MoneyCheck
    explained_call_id: str
    explanation: Explanation
    elapsed_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A demo under way."""

    files: DemoFiles
    url: str
    """The running gateway's data plane."""
    is_running: Callable[[], bool]
    """Whether the gateway's process is alive."""
    desk: Desk
    """Over the gateway's journal."""
    database: Database
    """The same journal, for the import."""
    _progress: output.Progress = field(default_factory=output.Progress)

    def run(self) -> DemoResult:
        """Do every step.

        Raises:
            UpstreamError: the gateway did not answer a call.
            StoreError: the journal did not get every call, or the policy did not get in force.
        """
        started_s, started_us = time.monotonic(), SystemClock().now_us()
        requests = read_traffic(self.files.traffic)
        n_before = max(1, round(len(requests) * BEFORE_FRACTION))
        before = self._send(requests[:n_before], "calls under the policy of today")
        records = self._records(len(before))
        n_imported = self._import_others(records, started_us)
        known_at_s = time.monotonic() + EVIDENCE_S + 1
        simulation = self._simulate(CANDIDATES, CallFilter())
        chosen = choose(simulation.policies)
        applied_s = self._put_in_force(chosen.name)
        self._wait(known_at_s, "the router reads the new measurements")
        after_us = SystemClock().now_us()
        after = self._send(requests[n_before:], f"new calls under {chosen.name}")
        new_records = {k: r for k, r in self._records(len(requests)).items() if k not in records}
        money = self._check([*before, *after])
        self._import_others(new_records, after_us)
        explained = next((a.call_id for a in after if a.workload == EXPLAINED_WORKLOAD), after[0].call_id)
        return DemoResult(
            before=parts_of(records.values()),
            n_imported=n_imported,
            simulation=simulation,
            chosen=chosen.name,
            is_proven=_is_proven(chosen),
            applied_s=applied_s,
            after=parts_of(new_records.values()),
            n_under_chosen=self._n_under_current(new_records.values()),
            counterfactual=self._simulate((TODAY,), CallFilter(since_us=after_us)),
            money=money,
            explained_call_id=explained,
            explanation=self._explain(explained),
            elapsed_s=time.monotonic() - started_s,
        )

    def _send(self, requests: Sequence[Request], what: str) -> list[Answer]:
        try:
            return send_all(
                self.url,
                requests,
                progress=lambda n_done: self._progress.update(f"{n_done:,} of {len(requests):,} {what}"),
            )
        finally:
            self._progress.clear()

    def _records(self, n_calls: int) -> dict[str, CallRecord]:
        """Return the gateway's records by call id, once all of them are written."""
        self._await(
            lambda: sum(cell.n_calls for cell in self.desk.reader.totals(LIVE)) >= n_calls,
            f"The journal does not hold all {n_calls:,} calls",
        )
        return {entry.call.call_id: entry.call for entry in self.desk.reader.stream(LIVE, bodies=False)}

    def _import_others(self, records: dict[str, CallRecord], at_us: int) -> int:
        """Import how the other models did on the same prompts, as an evaluation before the calls would have found."""
        answered = {record.prompt_id: record.model for record in records.values()}
        options = ImportOptions(at_us=at_us, provider=PROVIDER)
        rows = read_calls(Source(path=self.files.outcomes, format="outcomes", options=options))
        report = ImportReport()
        run_import(_others(rows, answered), Importer(self.database).add_many, report, max_errors=0)
        return report.n_new

    def _simulate(self, names: Sequence[str], chosen: CallFilter) -> Simulation:
        texts = {name: self.files.policy_named(name).read_text() for name in names}
        try:
            return self.desk.simulate(
                texts, chosen, progress=lambda n: self._progress.update(f"{n:,} prompts simulated")
            )
        finally:
            self._progress.clear()

    def _put_in_force(self, name: str) -> float:
        """Replace the watched file; return how many seconds it took until its policy was in force."""
        started_s = time.monotonic()
        draft = self.files.policy.with_suffix(".draft")
        draft.write_text(self.files.policy_named(name).read_text())
        draft.replace(self.files.policy)
        self._await(lambda: self._current_name() == name, f"The policy {name} is not in force")
        time.sleep(2 * POLL_S)  # a worker asks this often whether the policy changed
        return time.monotonic() - started_s

    def _current_name(self) -> str | None:
        current = self.desk.policies.current()
        return None if current is None else current.name

    def _await(self, holds: Callable[[], bool], failure: str) -> None:
        deadline_s = time.monotonic() + TIMEOUT_S
        while not holds():
            if not self.is_running():
                raise StoreError("The gateway ended meanwhile.", hint=f"{LOG} in the demo's folder says why.")
            if time.monotonic() > deadline_s:
                raise StoreError(f"{failure} after {TIMEOUT_S:g} s.")
            time.sleep(0.03)

    def _wait(self, until_s: float, why: str) -> None:
        while (left_s := until_s - time.monotonic()) > 0:
            self._progress.update(f"{why}: {left_s:.0f} s")
            time.sleep(min(0.25, left_s))
        self._progress.clear()

    def _check(self, answers: Sequence[Answer]) -> MoneyCheck:
        journal_nano_usd = sum(cell.cost_nano_usd for cell in self.desk.reader.totals(LIVE))
        return check_money(answers, recorded_costs(self.files.outcomes, PROVIDER), journal_nano_usd)

    def _n_under_current(self, records: Iterable[CallRecord]) -> int:
        current = self.desk.policies.current()
        return sum(current is not None and record.policy_version == current.version for record in records)

    def _explain(self, call_id: str) -> Explanation:
        explanation = self.desk.explain_call(local_operator(), call_id).current
        assert explanation is not None  # a call through the gateway always has its decision
        return explanation


def choose(policies: Sequence[Result]) -> Result:
    """Return the cheapest policy proven to lose less than ``MARGIN``; if none is, the one that loses least."""
    proven = [row for row in policies if _is_proven(row)]
    if proven:
        return min(proven, key=lambda row: row.cost_nano_usd)
    return max(policies, key=lambda row: -1.0 if row.quality_difference is None else row.quality_difference.mean)


def _is_proven(row: Result) -> bool:
    return row.quality_difference is not None and row.quality_difference.lower > -MARGIN


def _others(rows: Iterator[Row], answered: dict[str | None, str | None]) -> Iterator[Row]:
    """Leave out what the journal has already, and prompts that were not sent yet: nothing counts twice."""
    for row in rows:
        call = row.call if isinstance(row, JournalEntry) else None
        if call is None or answered.get(call.prompt_id, call.model) != call.model:
            yield row
