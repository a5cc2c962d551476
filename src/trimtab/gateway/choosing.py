"""From a request to a decision: classify, resolve policy, gather what is known of each candidate, decide.

The decision is a pure function of bucketed facts and slowly changing knowledge, so equal-looking calls share one:
it is made once, encoded once, and found again by a dictionary look-up (decision 0004).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Protocol, get_args

import msgspec

from trimtab.catalog import ModelCard, Pool, PriceBook
from trimtab.core import day_of, parse_sensitivity
from trimtab.core.errors import InvalidRequest, PolicyMissing
from trimtab.core.messages import WireRequest
from trimtab.gateway.admission import Caller
from trimtab.gateway.budgets import BudgetKeeper, Cap, caps_of
from trimtab.gateway.measurements import Measurements
from trimtab.gateway.upstream import Provider
from trimtab.policy import Budget, Constraints, Facts, Mode, Policy, Removal
from trimtab.routing import BudgetState, CandidateFacts, Decision, Estimate, candidate_facts, decide, digest_of
from trimtab.workloads import UNCLASSIFIED, CallHints, Classifier, conversation_id_of

MEMO_SIZE = 8192
"""Frames kept; at 3 kB for each decision a full memo is 24 MB. It is emptied when full and when knowledge changes."""

MAX_PROMPT_ID = 256

MODES = get_args(Mode)


class Evidence(Protocol):
    """Measured quality per workload and model."""

    def quality(self, workload: str, model: str) -> Estimate | None:
        """Return the estimate with interval and n, or ``None`` where nothing was graded."""
        ...


@dataclass(frozen=True, slots=True)
class Rulebook:
    """What is in force. Swapped as one object; each call keeps the one it started with."""

    policy: Policy | None
    pool: Pool
    prices: PriceBook
    providers: Mapping[str, Provider]
    classifier: Classifier
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Made:
    """A decision with what serving it needs and what never changes about it."""

    decision: Decision
    encoded: bytes
    digest: str
    order: tuple[ModelCard, ...]
    """The chosen model, then its failovers."""
    cost_of: Mapping[str, int | None]
    """Estimated cost of such a call by model, nano-dollars; the amount to reserve."""


class Choice(msgspec.Struct, frozen=True):
    """One call's decision, and what is the call's own."""

    made: Made
    caps: tuple[Cap, ...]
    conversation_id: str | None
    prompt_id: str | None
    """Given by the caller in ``x-trimtab-prompt-id``, or ``None``."""
    rulebook: Rulebook

    @property
    def decision(self) -> Decision:
        """The record."""
        return self.made.decision


@dataclass(slots=True)
class _Frame:
    """What policy says about equal-looking calls of one key; decisions inside it differ by budgets and availability."""

    facts: Facts
    constraints: Constraints
    budgets: tuple[Budget, ...]
    upstreams: tuple[tuple[Provider | None, str], ...]
    """Provider and its own model name of each permitted model."""
    day: int = -1
    caps: tuple[Cap, ...] = ()
    open: tuple[BudgetState, ...] = ()
    """The states of the caps while none is used up."""
    made: dict[tuple[tuple[BudgetState, ...], tuple[bool, ...]], Made] = field(default_factory=dict)

    def begin(self, day: int) -> None:
        """Take the caps of another UTC day."""
        self.day = day
        self.caps = caps_of(self.budgets, day)
        self.open = _states(self.caps, lambda cap: False)


class Chooser:
    """Makes and remembers decisions. One per worker; used from its event loop only."""

    def __init__(self, rulebook: Rulebook, measurements: Measurements, budgets: BudgetKeeper) -> None:
        self.rulebook = rulebook
        self._measurements = measurements
        self._budgets = budgets
        self._frames: dict[object, _Frame] = {}
        self._labels = _known_workloads(rulebook)

    def replace(self, rulebook: Rulebook) -> None:
        """Put another rulebook in force for the calls that start from now on."""
        self.rulebook = rulebook
        self._frames = {}
        self._labels = _known_workloads(rulebook)

    def label_of(self, workload: str) -> str:
        """Return the workload as a metric's label: a name that configuration or policy knows, else ``other``."""
        return workload if workload in self._labels else "other"

    def forget(self) -> None:
        """Drop remembered decisions, so that fresh measurements and prices count."""
        self._frames = {}

    def choose(
        self,
        request: WireRequest,
        caller: Caller,
        headers: Mapping[str, str],
        *,
        now_us: int,
        exhausted: Sequence[Cap] = (),
    ) -> Choice:
        """Decide one call.

        Args:
            request: The caller's request.
            caller: Who asks.
            headers: Lower-case request headers; the ``x-trimtab-*`` ones are hints.
            now_us: The call's start, which dates the prices and the budgets' periods.
            exhausted: Caps known to be used up, beyond those the keeper remembers.

        Raises:
            PolicyMissing: no policy is in force.
            UnknownModel: a concrete model was asked for that the pool does not have.
            InvalidRequest: a hint header is wrong.
        """
        book = self.rulebook
        if book.policy is None:
            raise PolicyMissing(
                "No policy is in force, so no model may be chosen.",
                hint="Write one (`trimtab init` makes a start) and put it in force with `trimtab policy apply FILE`.",
            )
        hints = _hints(headers, caller, book.policy)
        frame = self._frame(book, _facts(request, caller, headers, book, hints), caller)
        day = day_of(now_us)
        if frame.day != day:
            frame.begin(day)
        budgets = frame.open
        if exhausted or any(map(self._budgets.is_exhausted, frame.caps)):
            budgets = _states(frame.caps, lambda cap: cap in exhausted or self._budgets.is_exhausted(cap))
        available = tuple(p is not None and p.is_available(model) for p, model in frame.upstreams)
        made = frame.made.get((budgets, available))
        if made is None:
            made = frame.made[budgets, available] = self._make(book, frame, budgets, available, now_us)
        return Choice(
            made=made,
            caps=frame.caps,
            conversation_id=conversation_id_of(request, hints),
            prompt_id=_prompt_id(headers.get("x-trimtab-prompt-id")),
            rulebook=book,
        )

    def _frame(self, book: Rulebook, facts: Facts, caller: Caller) -> _Frame:
        key = (facts, caller.models, caller.budgets)
        frame = self._frames.get(key)
        if frame is None:
            assert book.policy is not None
            constraints = _narrowed(book.policy.resolve(facts, book.pool), caller)
            cards = [book.pool.cards[name] for name in constraints.allowed]
            frame = _Frame(
                facts=facts,
                constraints=constraints,
                budgets=(*constraints.budgets, *caller.budgets),
                upstreams=tuple((book.providers.get(card.provider), card.model) for card in cards),
            )
            if len(self._frames) >= MEMO_SIZE:
                self._frames = {}
            self._frames[key] = frame
        return frame

    def _make(
        self, book: Rulebook, frame: _Frame, budgets: tuple[BudgetState, ...], available: tuple[bool, ...], now_us: int
    ) -> Made:
        facts, constraints = frame.facts, frame.constraints
        candidates = tuple(
            self._candidate(book, facts, constraints, name, now_us, is_available=is_available)
            for name, is_available in zip(constraints.allowed, available, strict=True)
        )
        decision = decide(facts, constraints, candidates, book.pool, budgets)
        encoded = decision.encoded()
        names = (decision.model, *decision.failovers) if decision.model is not None else ()
        return Made(
            decision=decision,
            encoded=encoded,
            digest=digest_of(encoded),
            order=tuple(book.pool.cards[name] for name in names),
            cost_of={candidate.model: candidate.cost_nano_usd for candidate in candidates},
        )

    def _candidate(
        self, book: Rulebook, facts: Facts, constraints: Constraints, name: str, now_us: int, *, is_available: bool
    ) -> CandidateFacts:
        speed = self._measurements.speed(name)
        return candidate_facts(
            book.pool.cards[name],
            facts,
            book.prices,
            at_us=now_us,
            quality=book.evidence.quality(facts.workload, name),
            ttft_p95_ms=_coarse(speed.ttft_p95_ms),
            total_p95_ms=_coarse(speed.total_p95_ms),
            output_tokens_per_s=_coarse(speed.output_tokens_per_s),
            n_latency=speed.n_samples,
            probe_day=speed.probe_day,
            is_available=is_available,
            max_output_tokens=constraints.max_output_tokens,
            max_choices=constraints.max_choices,
        )


def _states(caps: Iterable[Cap], is_exhausted: Callable[[Cap], bool]) -> tuple[BudgetState, ...]:
    return tuple(
        BudgetState(scope=cap.scope, period=cap.period, is_exhausted=is_exhausted(cap), on_exhausted=cap.on_exhausted)
        for cap in caps
    )


def _known_workloads(book: Rulebook) -> frozenset[str]:
    """Callers may invent names, and a metric keeps every label it ever saw."""
    named = book.policy.document.workloads if book.policy is not None else ()
    return frozenset((*named, *book.classifier.names, UNCLASSIFIED))


def _coarse(measured: float | None) -> float | None:
    """Return two significant digits: a finer figure would make every refresh a new decision record.

    >>> _coarse(1234.5), _coarse(0.0567), _coarse(None)
    (1200.0, 0.057, None)
    """
    return None if measured is None else float(f"{measured:.2g}")


def _prompt_id(given: str | None) -> str | None:
    if given is not None and not (0 < len(given) <= MAX_PROMPT_ID and given.isprintable()):
        raise InvalidRequest(
            f"Header x-trimtab-prompt-id is not 1 to {MAX_PROMPT_ID} printable characters.",
            param="x-trimtab-prompt-id",
        )
    return given


def _hints(headers: Mapping[str, str], caller: Caller, policy: Policy) -> CallHints:
    app = caller.app
    return CallHints(
        app=app,
        workload=headers.get("x-trimtab-workload"),
        sensitivity=_label(headers.get("x-trimtab-sensitivity")),
        app_sensitivity=_label(caller.sensitivity),
        policy_sensitivity=lambda workload: policy.label_for(app, workload),
        conversation=headers.get("x-trimtab-conversation"),
    )


def _label(label: str | None) -> int | None:
    if label is None:
        return None
    try:
        return parse_sensitivity(label)
    except ValueError as exc:
        raise InvalidRequest(f"Header x-trimtab-sensitivity: {exc}.", param="x-trimtab-sensitivity") from exc


def _facts(request: WireRequest, caller: Caller, headers: Mapping[str, str], book: Rulebook, hints: CallHints) -> Facts:
    classification = book.classifier.classify(request, hints)
    shape = classification.shape
    return Facts(
        api=request.api.value,
        app=caller.app,
        workload=classification.workload,
        workload_class=classification.workload_class,
        task_type=classification.task_type,
        sensitivity=int(classification.sensitivity),
        requested_model=_requested(request.model, book.pool),
        requested_mode=_mode(headers.get("x-trimtab-mode")),
        key_id=caller.key_id,
        n_tools=shape.n_tools,
        n_images=shape.n_images,
        n_messages=shape.n_messages,
        n_choices=shape.n_choices,
        json_mode=shape.json_mode,
        is_stream=request.is_stream,
        input_tokens=shape.input_tokens,
        max_output_tokens=shape.max_output_tokens,
        language=shape.language,
    )


def _requested(model: str, pool: Pool) -> str:
    if model == "auto" or model.startswith("workload/"):
        return "auto"
    return pool.get(model).name


def _mode(mode: str | None) -> str | None:
    if mode is not None and mode not in MODES:
        raise InvalidRequest(
            f"Header x-trimtab-mode is {mode!r}, not one of {', '.join(MODES)}.", param="x-trimtab-mode"
        )
    return mode


def _narrowed(constraints: Constraints, caller: Caller) -> Constraints:
    """Return the constraints with the key's own model list taken out of what policy allows."""
    if not caller.models:
        return constraints
    rule_id = f"key:{caller.key_id}"
    reason = f"The key may use only {', '.join(caller.models)}."
    kept = tuple(name for name in constraints.allowed if any(fnmatchcase(name, glob) for glob in caller.models))
    removed = tuple(
        Removal(model=name, tier="policy", rule_id=rule_id, reason=reason)
        for name in constraints.allowed
        if name not in kept
    )
    return msgspec.structs.replace(
        constraints, allowed=kept, removed=(*constraints.removed, *removed), rule_ids=(rule_id, *constraints.rule_ids)
    )
