"""What another policy would do: which recorded decisions change, and what it would have cost."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from trimtab.catalog import Pool, PriceBook
from trimtab.control.deciding import facts_of, measure_with
from trimtab.control.infrastructure import InfrastructureLine, infrastructure_of, with_planned
from trimtab.control.probes import Probes
from trimtab.control.recorded_pool import with_recorded_models
from trimtab.control.reports import Quality
from trimtab.core import GATEWAY, CallRecord, CallStatus, Clock
from trimtab.core.errors import PolicyMissing
from trimtab.policy import (
    Change,
    ChangedDecision,
    Facts,
    Policy,
    changed_decisions,
    check_references,
    diff_policies,
    load_policy,
)
from trimtab.replay import Outcome, PromptOutcomes, Simulation, simulate
from trimtab.routing import Measure, decide_afresh, decode_decision
from trimtab.store import CallFilter, CallReader

Recorded = tuple[CallRecord, bytes | None]
"""A call with its encoded decision, where it has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Calls that would change from one model to another."""

    before: str | None
    """``None`` is a refusal."""
    after: str | None
    n_calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionMoves:
    """Which recorded decisions would change."""

    n_calls: int
    n_changed: int
    moves: tuple[Move, ...]
    """The most calls first."""
    examples: tuple[ChangedDecision, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDiff:
    """What lies between the policy in force and another."""

    changes: tuple[Change, ...]
    """In the file."""
    decisions: DecisionMoves
    """In the journal."""
    infrastructure: tuple[InfrastructureLine, ...] = ()
    """What serving those calls takes: nothing new for models that are configured."""


class Comparer:
    """Puts recorded traffic before policies that are not in force.

    Args:
        reader: The journal.
        pool: The configured models.
        prices: Their prices.
        quality: Measured quality, as it stands when it is called.
        probes: The newest of each model, likewise.
        clock: Dates prices.
    """

    def __init__(
        self,
        reader: CallReader,
        pool: Pool,
        prices: PriceBook,
        quality: Callable[[], Quality],
        probes: Probes,
        clock: Clock,
    ) -> None:
        self._reader = reader
        self._pool = pool
        self._prices = prices
        self._quality = quality
        self._probes = probes
        self._clock = clock

    def diff(
        self,
        old: Policy | None,
        text: str,
        *,
        origin: str,
        chosen: CallFilter,
        planned: Mapping[str, Decimal | None] | None = None,
    ) -> PolicyDiff:
        """Return what the policy in ``text`` would change.

        Args:
            old: The policy in force.
            text: The other one.
            origin: Where it comes from, for messages.
            chosen: Recorded calls to decide again.
            planned: Models that are not configured yet, with what a machine for each costs in dollars per hour.

        Raises:
            PolicyInvalid: it cannot be read, or relies on a model that is neither in the pool nor planned.
            PolicyMissing: there is nothing to compare with.
            ConfigurationError: a planned model is in the pool already.
        """
        pool = with_planned(self._pool, planned or {})
        new = load_policy(text, origin=origin)
        check_references(new, pool)
        if old is None:
            raise PolicyMissing(
                "No policy is in force, so there is nothing to compare with.",
                hint=f"`trimtab policy simulate {origin}` shows what this one would have done.",
            )
        measure, at_us = self._measure(), self._clock.now_us()

        def choose(policy: Policy, facts: Facts) -> str | None:
            known = self._pool if policy is old else pool
            constraints = policy.resolve(facts, known)
            return decide_afresh(facts, constraints, known, self._prices, at_us=at_us, measure=measure).model

        found = changed_decisions(old, new, self._cases(chosen), choose)
        moves = [Move(before=b, after=a, n_calls=n) for (b, a), n in found.by_move.most_common()]
        return PolicyDiff(
            changes=tuple(diff_policies(old, new)),
            decisions=DecisionMoves(
                n_calls=found.n_calls,
                n_changed=found.n_changed,
                moves=tuple(moves),
                examples=tuple(found.examples),
            ),
            infrastructure=infrastructure_of(
                ((move.after, move.n_calls) for move in moves if move.after is not None), planned or {}
            ),
        )

    def simulate(
        self, texts: Mapping[str, str], chosen: CallFilter, *, recorded_models: bool, progress: Callable[[int], None]
    ) -> Simulation:
        """Return what each policy would have cost and achieved on the recorded prompts.

        Args:
            texts: Policies as YAML, by the name to report them under, which is also their origin in messages.
            chosen: Which calls.
            recorded_models: Whether models that answered in the record and are not configured take part.
            progress: Told the number of prompts read, now and then.

        Raises:
            PolicyInvalid: one of them cannot be read, or relies on a model outside the pool.
        """
        pool, prices = self._pool, self._prices
        if recorded_models:
            pool, prices = with_recorded_models(pool, prices, self._reader.totals(chosen))
        policies = {name: load_policy(text, origin=name) for name, text in texts.items()}
        for policy in policies.values():
            check_references(policy, pool)
        return simulate(
            {name: policy.resolve for name, policy in policies.items()},
            _counted(prompts_of(self._reader.recorded_prompts(chosen)), progress),
            pool,
            prices,
            measure=self._measure(),
        )

    def _measure(self) -> Measure:
        return measure_with(self._reader, self._quality(), self._probes())

    def _cases(self, chosen: CallFilter) -> Iterator[tuple[str, Facts, str | None]]:
        facts_behind = _Decided()
        for calls in self._reader.recorded_prompts(chosen):
            for call, decision in calls:
                yield call.call_id, facts_behind.of(call, decision), call.model


def prompts_of(groups: Iterator[list[Recorded]]) -> Iterator[PromptOutcomes]:
    """Return what a simulation reads, from calls grouped by prompt.

    Calls through the gateway, and logs in which one model answered, are calls of their own: each is compared with
    what it cost. A prompt that several models of an imported table answered is one prompt without a call of its own.
    """
    facts_behind = _Decided()
    for calls in groups:
        outcomes = _outcomes(calls)
        live = [recorded for recorded in calls if recorded[0].source == GATEWAY]
        own = live or (calls if len(outcomes) <= 1 else [])
        for call, decision in own or calls[:1]:
            yield PromptOutcomes(
                prompt_id=call.prompt_id or call.call_id,
                facts=facts_behind.of(call, decision),
                baseline_model=call.model if own and call.status == CallStatus.OK else None,
                outcomes=outcomes if len(own) <= 1 else outcomes | _outcomes([(call, decision)]),
                at_us=call.started_at_us,
            )


class _Decided:
    """The facts behind calls; equal decisions are decoded once."""

    def __init__(self) -> None:
        self._known: dict[str, Facts] = {}

    def of(self, call: CallRecord, decision: bytes | None) -> Facts:
        digest = call.decision_digest
        if decision is None or digest is None:
            return facts_of(call)
        facts = self._known.get(digest)
        if facts is None:
            facts = self._known[digest] = decode_decision(decision).facts
        return facts


def _outcomes(calls: Sequence[Recorded]) -> dict[str, Outcome]:
    return {
        call.model: Outcome(
            call.cost_nano_usd,
            call.quality_fraction,
            call.latency_ms,
            call.usage.input_tokens,
            call.usage.output_tokens,
        )
        for call, _ in calls
        if call.model is not None and call.status == CallStatus.OK
    }


def _counted(prompts: Iterator[PromptOutcomes], progress: Callable[[int], None]) -> Iterator[PromptOutcomes]:
    for n, prompt in enumerate(prompts, start=1):
        if n % 1024 == 0:
            progress(n)
        yield prompt
