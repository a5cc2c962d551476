"""Choosing calls for a suite: how the whole window is made up, and a stratified sample that a seed fixes."""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from trimtab.core import Api, CallRecord, CallStatus, Sensitivity, StoreMode

Allocation = Literal["proportional", "equal"]
"""Cases by each stratum's share of the traffic, or the same number for all."""
StratumBy = Literal["workload", "class", "task_type"]
STRATUM_OF: Mapping[StratumBy, Callable[[CallRecord], str]] = {
    "workload": lambda call: call.workload,
    "class": lambda call: call.workload_class,
    "task_type": lambda call: call.task_type,
}
NOT_ANSWERED = "calls that were not answered"
TOO_SENSITIVE = "calls above the chosen sensitivity"
NOT_KEPT = "calls whose content was not kept"
OTHER_MODEL = "calls that the baseline did not answer"
WITH_TOOLS = "calls that offer tools"
CUT = "calls whose answer was cut at its limit of tokens"
_SPARE = 4
"""Candidates kept for each case that is wanted: some turn out to be repeated, or no plain text."""
_CUT_REASONS = ("length", "max_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleChoice:
    """Which calls become cases."""

    n_cases: int
    by: StratumBy = "workload"
    allocation: Allocation = "proportional"
    seed: int = 0
    """The same seed chooses the same of the same calls, whatever calls come later."""
    baseline: str | None = None
    """Whose answers are expected, as ``provider:model``; ``None`` for whoever answered."""
    max_sensitivity: Sensitivity = Sensitivity.INTERNAL
    """Calls above it stay in the journal."""
    min_quality: float = 0.5
    """An answer that was judged below this is not expected of anybody."""


class Window:
    """The calls of a window as they are counted, with the candidates of each stratum.

    Args:
        choice: Which calls become cases.
    """

    def __init__(self, choice: SampleChoice) -> None:
        self._choice = choice
        self._stratum_of = STRATUM_OF[choice.by]
        self._heaps: dict[str, list[tuple[int, str]]] = {}
        self._capacity = _SPARE * choice.n_cases + 16
        self.traffic: Counter[str] = Counter()
        """Calls of every stratum, whether or not they may become cases."""
        self.candidates: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()

    def add(self, call: CallRecord) -> None:
        """Count a call; embeddings and calls for which nobody was asked are no traffic of a model."""
        if call.api == Api.EMBEDDINGS or call.model is None:
            return
        stratum = self._stratum_of(call)
        self.traffic[stratum] += 1
        reason = _why_not(call, self._choice)
        if reason is not None:
            self.left_out[reason] += 1
            return
        self.candidates[stratum] += 1
        heap = self._heaps.setdefault(stratum, [])
        entry = (-_key(self._choice.seed, call.call_id), call.call_id)  # the largest key goes first
        if len(heap) < self._capacity:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)

    def drawn(self, stratum: str) -> list[str]:
        """Return the candidates of a stratum in the order in which they are drawn, more than will be needed."""
        return [call_id for _, call_id in sorted(self._heaps.get(stratum, ()), reverse=True)]

    def sizes(self) -> dict[str, int]:
        """Return how many cases each stratum should have."""
        is_equal = self._choice.allocation == "equal"
        weights = {stratum: 1.0 if is_equal else self.traffic[stratum] for stratum in self.candidates}
        return allocate(self._choice.n_cases, weights, self.candidates)

    def shares(self, strata: Iterable[str]) -> dict[str, float]:
        """Return the share of each of these strata in their traffic together."""
        counts = {stratum: self.traffic[stratum] for stratum in sorted(strata)}
        total = sum(counts.values())
        return {stratum: count / total for stratum, count in counts.items()}


def allocate(n_cases: int, weights: Mapping[str, float], available: Mapping[str, int]) -> dict[str, int]:
    """Spread cases over strata by weight, at least one to each and none beyond what is there.

    Webster's method: each case goes to the stratum whose weight is largest beside the cases that it already has.

    Args:
        n_cases: To spread; less are spread where less are there.
        weights: Of each stratum, above 0.
        available: Cases that each could have.

    >>> allocate(10, {"a": 0.9, "b": 0.1}, {"a": 100, "b": 100})
    {'a': 9, 'b': 1}
    >>> allocate(10, {"a": 1, "b": 1, "c": 1}, {"a": 2, "b": 100, "c": 100})
    {'a': 2, 'b': 4, 'c': 4}
    """
    sizes = dict.fromkeys(sorted(weights), 0)
    for _ in range(min(n_cases, sum(available[stratum] for stratum in sizes))):
        free = [stratum for stratum in sizes if sizes[stratum] < available[stratum]]
        empty = [stratum for stratum in free if not sizes[stratum]]
        chosen = max(empty or free, key=lambda stratum: weights[stratum] / (2 * sizes[stratum] + 1))
        sizes[chosen] += 1
    return sizes


def _why_not(call: CallRecord, choice: SampleChoice) -> str | None:
    if call.status != CallStatus.OK:
        return NOT_ANSWERED
    if call.sensitivity > choice.max_sensitivity:
        return TOO_SENSITIVE
    if call.store_mode not in (StoreMode.REDACTED, StoreMode.FULL):
        return NOT_KEPT
    if choice.baseline is not None and call.model != choice.baseline:
        return OTHER_MODEL
    if call.n_tools:
        return WITH_TOOLS
    return CUT if call.finish_reason in _CUT_REASONS else None


def _key(seed: int, call_id: str) -> int:
    return int.from_bytes(blake2b(f"{seed}\x1f{call_id}".encode(), digest_size=8).digest())
