"""The desk: what operators see and change. The command line, the JSON API and the pages all stand in front of it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from trimtab.catalog import Pool, PriceBook, ProbeResult
from trimtab.control.comparing import Comparer, PolicyDiff
from trimtab.control.explaining import CallExplanation, Explainer, WorkloadExplanation
from trimtab.control.keys import KeyDesk
from trimtab.control.operators import Doorkeeper, Operator
from trimtab.control.policies import PolicyDesk
from trimtab.control.policy_file import PolicyFile
from trimtab.control.probes import latest_probes
from trimtab.control.reports import (
    DaySummary,
    ModelRow,
    Quality,
    WorkloadSummary,
    days_of,
    models_of,
    sums_of,
    workloads_of,
)
from trimtab.core import GATEWAY, CallRecord, Clock, JournalEntry
from trimtab.gateway import Evidence
from trimtab.replay import Simulation
from trimtab.store import (
    AuditLog,
    AuditRecord,
    AuditVerdict,
    CallFilter,
    CallReader,
    Database,
    KeyStore,
    PolicyStore,
    ProbeStore,
    Secrets,
)

MAX_LISTED = 1000
"""Most calls or audit records in one answer; exports stream."""


class Desk:
    """Everything an operator does.

    Args:
        database: Opened and up to date; closing it is the caller's business.
        pool: The configured models.
        prices: Their prices.
        evidence: Measured quality, as it stands when it is called.
        secrets: Pepper of the keys and key of the audit chain.
        clock: The time.
        policy_file: Watched by :meth:`watch_policy_file`.
    """

    def __init__(
        self,
        *,
        database: Database,
        pool: Pool,
        prices: PriceBook,
        evidence: Callable[[], Evidence],
        secrets: Secrets,
        clock: Clock,
        policy_file: Path | None = None,
    ) -> None:
        self._clock = clock
        self._pool = pool
        self._prices = prices
        self._evidence = evidence
        self._reader = CallReader(database)
        self._audit = AuditLog(database, secrets.audit_key, clock)
        key_store = KeyStore(database, secrets, self._audit, clock)
        self.keys = KeyDesk(key_store, clock)
        self.policies = PolicyDesk(PolicyStore(database, clock), self._audit, pool, clock)
        self._door = Doorkeeper(key_store, clock)
        self._probe_store = ProbeStore(database)
        self._explainer = Explainer(
            self._reader, pool, prices, self._quality, self.probes, self.policies.in_force, clock
        )
        self._comparer = Comparer(self._reader, pool, prices, self._quality, self.probes, clock)
        self._file = None if policy_file is None else PolicyFile(policy_file, self.policies)

    def authenticate(self, secret: str | None) -> Operator:
        """Return who holds a secret.

        Raises:
            AuthenticationFailed: none was sent, or it is unknown, revoked or expired.
        """
        return self._door.by_secret(secret)

    def operator_of_key(self, key_id: str) -> Operator | None:
        """Return who holds a key, or ``None`` when it is gone, revoked or expired."""
        return self._door.by_key_id(key_id)

    def now_s(self) -> int:
        """Return the wall clock in whole seconds since the Unix epoch."""
        return self._clock.now_us() // 1_000_000

    def calls(self, operator: Operator, chosen: CallFilter, *, limit: int) -> list[CallRecord]:
        """Return the newest calls that fit, of the operator's app."""
        if operator.app is not None and chosen.app not in (None, operator.app):
            return []
        return self._reader.newest(replace(chosen, app=operator.app or chosen.app), min(limit, MAX_LISTED))

    def entry(self, operator: Operator, call_id: str) -> JournalEntry:
        """Return a call with its bodies, where they were kept.

        Raises:
            NotFound: the operator's app has no such call.
        """
        return self._explainer.entry(operator, call_id)

    def explain_call(self, operator: Operator, call_id: str) -> CallExplanation:
        """Return why a call went where it went.

        Raises:
            NotFound: the operator's app has no such call.
        """
        return self._explainer.call(operator, call_id)

    def workloads(self, operator: Operator, source: str | None = None) -> list[WorkloadSummary]:
        """Return the workloads of the operator's app, most calls first; with a source, its calls alone."""
        return workloads_of(self._reader.totals(CallFilter(app=operator.app, source=source)), self._quality())

    def explain_workload(self, operator: Operator, name: str) -> WorkloadExplanation:
        """Return why a workload is on its model.

        Raises:
            NotFound: the operator's app has no call of that workload.
        """
        return self._explainer.workload(operator, name)

    def days(self, operator: Operator, source: str | None = None) -> list[DaySummary]:
        """Return calls and cost of each day, the newest first; with a source, its calls alone."""
        chosen = CallFilter(app=operator.app, source=source)
        return days_of(self._reader.by_day(chosen), self._reader.by_day(replace(chosen, model="")))

    def models(self) -> list[ModelRow]:
        """Return the pool with today's prices and each model's newest probe."""
        probes = self.probes()
        return models_of(self._pool, self._prices.with_probes(probes), probes, self._clock.now_us())

    def probes(self) -> Mapping[str, ProbeResult]:
        """Return the newest probe of each model."""
        return latest_probes(self._probe_store)

    def overview(self, operator: Operator, source: str | None = None) -> dict[str, Any]:  # Any: what the page names
        """Return what the first page shows: totals, policy, workloads, days, models and the newest calls.

        Args:
            operator: Whose app's calls.
            source: Where the calls came from; ``None`` is anywhere.
        """
        chosen = CallFilter(app=operator.app, source=source)
        return {
            "source": source,
            "totals": sums_of(self._reader.totals(chosen)),
            "policy": self.policies.current(),
            "refused": self.refused(),
            "workloads": self.workloads(operator, source),
            "days": self.days(operator, source),
            "models": self.models(),
            "calls": self.calls(operator, chosen, limit=10),
        }

    def is_mixed(self, operator: Operator) -> bool:
        """Return whether calls were both imported and sent through the gateway, which nobody wants to see added up."""
        every, live = (
            sum(cell.n_calls for cell in self._reader.totals(CallFilter(app=operator.app, source=source)))
            for source in (None, GATEWAY)
        )
        return 0 < live < every

    def audit_records(self, limit: int) -> list[AuditRecord]:
        """Return the newest changes of policies and keys."""
        return self._audit.records(min(limit, MAX_LISTED))

    def verify_audit(self) -> AuditVerdict:
        """Return whether the audit log is as it was written."""
        return self._audit.verify()

    @property
    def audit(self) -> AuditLog:
        """The log itself, for an export."""
        return self._audit

    @property
    def reader(self) -> CallReader:
        """The journal itself, for an export."""
        return self._reader

    def diff(
        self,
        text: str,
        *,
        origin: str,
        app: str | None = None,
        planned: Mapping[str, Decimal | None] | None = None,
    ) -> PolicyDiff:
        """Return what a policy would change: in the file, in recorded decisions, and in what has to be served.

        Raises:
            PolicyInvalid: it cannot be read, or relies on a model that is neither in the pool nor planned.
            PolicyMissing: no policy is in force to compare with.
            ConfigurationError: a planned model is in the pool already.
        """
        return self._comparer.diff(
            self.policies.in_force(), text, origin=origin, chosen=CallFilter(app=app), planned=planned
        )

    def simulate(
        self,
        texts: Mapping[str, str],
        chosen: CallFilter,
        *,
        recorded_models: bool = False,
        progress: Callable[[int], None] = lambda n_prompts: None,
    ) -> Simulation:
        """Return what policies would have cost and achieved on the recorded prompts.

        Args:
            texts: Policies as YAML, by the name to report them under.
            chosen: Which calls.
            recorded_models: Whether models that answered in the record and are not configured take part.
            progress: Told the number of prompts read, now and then.

        Raises:
            PolicyInvalid: one of them cannot be read, or relies on a model outside the pool.
        """
        return self._comparer.simulate(texts, chosen, recorded_models=recorded_models, progress=progress)

    def refused(self) -> str | None:
        """Return why the watched policy file cannot be used as it is now, or ``None``."""
        return None if self._file is None else self._file.refused

    async def watch_policy_file(self) -> None:
        """Follow the policy file until cancelled; without one there is nothing to do."""
        if self._file is not None:
            await self._file.watch()

    def _quality(self) -> Quality:
        return self._evidence().quality
