"""Why a call or a workload is on its model, from the recorded decision where there is one."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import msgspec

from trimtab.catalog import Pool, PriceBook
from trimtab.control.deciding import facts_of, measure_with
from trimtab.control.operators import Operator
from trimtab.control.probes import Probes
from trimtab.control.reports import Quality, WorkloadSummary, workloads_of
from trimtab.core import GATEWAY, CallRecord, Clock, Feedback, JournalEntry
from trimtab.core.errors import NotFound
from trimtab.policy import Facts, Policy
from trimtab.routing import Explanation, decide_afresh, decode_decision, explain_decision
from trimtab.store import CallFilter, CallReader

NEWEST = 200
"""Calls of a workload that are looked at: for one decided under the policy in force, and for their usual shape."""


class CallExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """One call with its evidence."""

    call: CallRecord
    current: Explanation | None
    """The decision as it was made; ``None`` for an imported call, which carries none."""
    feedback: tuple[Feedback, ...]


class WorkloadExplanation(WorkloadSummary, frozen=True, kw_only=True):
    """One workload: who answers, at what cost and quality, and the decision behind it."""

    n_imported: int
    """Of the calls, those that did not come through the gateway."""
    current: Explanation | None
    """``None`` while no policy is in force."""
    basis: str
    """Which decision ``current`` shows: a recorded one, or one made now for the workload's usual call."""


class Explainer:
    """Explains from the journal, for one operator's app at a time.

    Args:
        reader: The journal.
        pool: The models, for decisions made afresh.
        prices: Likewise.
        quality: Measured quality, as it stands when it is called.
        probes: The newest of each model, likewise.
        policy: The policy in force.
        clock: Dates prices.
    """

    def __init__(
        self,
        reader: CallReader,
        pool: Pool,
        prices: PriceBook,
        quality: Callable[[], Quality],
        probes: Probes,
        policy: Callable[[], Policy | None],
        clock: Clock,
    ) -> None:
        self._reader = reader
        self._pool = pool
        self._prices = prices
        self._quality = quality
        self._probes = probes
        self._policy = policy
        self._clock = clock

    def entry(self, operator: Operator, call_id: str) -> JournalEntry:
        """Return a call with its bodies, where they were kept.

        Raises:
            NotFound: the operator's app has no such call.
        """
        entry = self._reader.find(call_id)
        if entry is None or operator.app not in (None, entry.call.app):
            raise NotFound(
                f"There is no call {call_id[:64]!r}.",
                hint="`trimtab calls list` shows the newest; writing takes a moment.",
            )
        return entry

    def call(self, operator: Operator, call_id: str) -> CallExplanation:
        """Explain one call.

        Raises:
            NotFound: the operator's app has no such call.
        """
        entry = self.entry(operator, call_id)
        decision = None if entry.decision is None else decode_decision(entry.decision)
        return CallExplanation(
            call=entry.call,
            current=None if decision is None else explain_decision(decision),
            feedback=tuple(self._reader.feedback_of(call_id)),
        )

    def workload(self, operator: Operator, name: str) -> WorkloadExplanation:
        """Explain one workload.

        Raises:
            NotFound: the operator's app has no call of that workload.
        """
        chosen = CallFilter(workload=name, app=operator.app)
        found = workloads_of(self._reader.totals(chosen), self._quality())
        if not found:
            raise NotFound(f"There is no workload {name[:64]!r}.", hint="`trimtab workloads list` shows all.")
        live = replace(chosen, source=GATEWAY)
        n_live = sum(cell.n_calls for cell in self._reader.totals(live))
        # Imported calls carry no decision, and there may be more of them than anybody looks through.
        calls = self._reader.newest(live, min(n_live, NEWEST)) if n_live else self._reader.newest(chosen, NEWEST)
        current, basis = self._current(calls)
        return WorkloadExplanation(
            **msgspec.structs.asdict(found[0]), n_imported=found[0].n_calls - n_live, current=current, basis=basis
        )

    def _current(self, calls: list[CallRecord]) -> tuple[Explanation | None, str]:
        policy = self._policy()
        if policy is None:
            return None, "No policy is in force, so nothing decides for this workload."
        for call in calls:
            if call.policy_version == policy.version and call.decision_digest is not None:
                record = self._reader.decision(call.decision_digest)
                if record is not None:
                    basis = f"The newest call under this policy, {call.call_id}."
                    return explain_decision(decode_decision(record)), basis
        facts, n_alike = _usual_facts(calls)
        measure = measure_with(self._reader, self._quality(), self._probes())
        constraints = policy.resolve(facts, self._pool)
        decision = decide_afresh(
            facts, constraints, self._pool, self._prices, at_us=self._clock.now_us(), measure=measure
        )
        return explain_decision(decision), (
            f"Decided now for the usual call of this workload, the shape of {n_alike:,} of its newest {len(calls):,}: "
            "the journal has no decision of it under the policy in force."
        )


def _usual_facts(calls: list[CallRecord]) -> tuple[Facts, int]:
    """Return the most common facts, and how many of the calls have them."""
    return Counter(facts_of(call) for call in calls).most_common(1)[0] if calls else (Facts(), 0)
